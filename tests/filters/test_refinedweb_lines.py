import pyarrow as pa
import pytest

from filters.refinedweb_lines import RefinedwebCorrections, RefinedwebLines, RefinedwebRemoval
from pipeline.judge import judge
from stages.core.docs import Docs

SENTENCE = "nineteen words stand here in one line so that a single one less is five in a hundred of them"


def run(text: str | None, **parameters: object) -> tuple[list[str], str, dict[str, float]]:
    """Broken rules, the text that is left, and the measures."""
    corrections, removal = RefinedwebLines(**parameters).nodes()
    assert isinstance(corrections, RefinedwebCorrections)
    assert isinstance(removal, RefinedwebRemoval)
    table = corrections.apply(pa.table({"text": pa.array([text], pa.large_string())}))
    measures = removal.measure(Docs(table))
    broken = [found.rule.name for found in judge("step", removal.rules(), measures, table)]
    return broken, table.column("text")[0].as_py(), {name: values.tolist()[0] for name, values in measures.items()}


def test_a_document_that_lost_five_words_in_a_hundred_is_kept_and_one_that_lost_more_dropped() -> None:
    assert len(SENTENCE.split()) == 20
    kept = f"{SENTENCE.removesuffix(' them')}\nHome"
    assert run(kept) == (
        [],
        SENTENCE.removesuffix(" them"),
        {"removed_word_fraction": 0.05, "lines": 2, "lines_removed": 1, "line_edits": 0},
    )
    dropped = f"{SENTENCE.removesuffix(' of them')}\nHome"
    assert run(dropped)[0] == ["max_removed_word_fraction"]
    assert run(dropped)[2]["removed_word_fraction"] == 1 / 19


def test_marks_that_go_with_a_line_are_no_words() -> None:
    assert run(f"{SENTENCE}\n***\n»")[2]["removed_word_fraction"] == 0.0


def test_edits_count_as_removed_words() -> None:
    broken, text, measures = run(f"{SENTENCE}\n{SENTENCE}\nSee our offers. Read more...")
    assert (broken, text) == ([], f"{SENTENCE}\n{SENTENCE}\nSee our offers.")
    assert measures == {"removed_word_fraction": 2 / 45, "lines": 3, "lines_removed": 0, "line_edits": 1}


@pytest.mark.parametrize("text", ["", None, "***", "HOME"])
def test_a_document_without_words_before_or_after_is_dropped(text: str | None) -> None:
    broken, _, measures = run(text)
    assert broken == ["max_removed_word_fraction"]
    assert measures["removed_word_fraction"] == 1.0


def test_corrections_that_are_off_leave_the_text() -> None:
    text = "HOME\n12\n3 likes\nword\nSign-in to read"
    off = {"max_uppercase_fraction": None, "numeric_lines": False, "counters": False}
    assert run(text, **off, min_words_per_line=None, max_edited_words=None)[1] == text


def test_documents_in_other_languages_pass_where_they_are_to_pass() -> None:
    corrections, removal = RefinedwebLines(other_languages="pass").nodes()
    assert isinstance(corrections, RefinedwebCorrections)
    assert isinstance(removal, RefinedwebRemoval)
    table = pa.table({"text": pa.array(["HOME", "HOME"], pa.large_string()), "language": ["en", "de"]})
    table = corrections.apply(table)
    assert table.column("text").to_pylist() == ["", "HOME"]
    broken = judge("step", removal.rules(), removal.measure(Docs(table)), table)
    assert [(found.rule.name, found.rows.tolist()) for found in broken] == [("max_removed_word_fraction", [0])]

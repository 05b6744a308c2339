"""Copies have the source's runs of words, answers to something else have none of its words."""

import pytest
from made_answers import answers, broken, measured

from filters.source_overlap import SourceOverlap

TEN = "one two three four five six seven eight nine ten"
LETTERS = " ".join("abcdefghijklmnopqrstuvwxyz")


def test_measures_of_a_small_answer():
    found = measured(SourceOverlap(ngram=3), answers("zero one two THREE four six nine ten", TEN))
    assert found == {
        "copy_fraction": 2 / 6,  # one two three, two three four
        "copied_words": 4,
        "copied_run_fraction": 4 / 8,
        "content_precision": 6 / 7,
        "content_recall": 6 / 9,
    }


def test_a_piece_is_what_has_all_its_runs_in_the_source():
    found = measured(SourceOverlap(ngram=3), answers("x one two three y eight nine ten", TEN))
    assert (found["copied_words"], found["copy_fraction"]) == (3, 2 / 6)


def test_an_answer_shorter_than_a_run_copies_nothing():
    found = measured(SourceOverlap(ngram=11), answers(TEN, TEN))
    assert found == {"content_precision": 1.0, "content_recall": 1.0}


def test_marks_case_and_accents_do_not_hide_a_copy():
    found = measured(SourceOverlap(ngram=3), answers("Été — ONE, two; three!", "ete one two three"))
    assert found["copy_fraction"] == 1.0


@pytest.mark.parametrize(
    ("rule", "limit", "kept", "dropped"),
    [
        ("max_copy_fraction", 0.5, "a b c x d", "a b c d x"),
        ("max_copied_run_fraction", 0.6, "a b c x y", "a b c x"),
        ("max_copied_words", 3, "a b c x", "a b c d"),
        ("min_content_precision", 0.5, "alpha omega", "alpha omega psi"),
        ("min_content_recall", 0.5, "alpha", "omega"),
    ],
)
def test_an_answer_at_a_limit_is_kept_and_one_beyond_is_not(rule, limit, kept, dropped):
    none = dict.fromkeys(key for key in SourceOverlap.model_fields if key.startswith(("max_", "min_")))
    stage = SourceOverlap(**none | {rule: limit}, ngram=2)
    source = "alpha beta" if "content" in rule else LETTERS
    assert broken(stage, answers(kept, source)) == []
    assert broken(stage, answers(dropped, source)) == [rule]


def test_the_source_itself_is_a_copy_by_default_and_something_else_is_unrelated():
    source = "The mill by the river was built by two brothers, and stood there until the great flood of the year took it away."
    other = "Volcanoes erupt where plates of the crust part, and lava flows over the ground in slow and glowing streams."
    assert broken(SourceOverlap(), answers(source, source)) == ["max_copy_fraction", "max_copied_run_fraction"]
    assert broken(SourceOverlap(), answers(other, source)) == ["min_content_precision"]


def test_a_document_without_a_parent_is_never_judged():
    assert measured(SourceOverlap(), answers("a b c")) == {"content_precision": 1.0, "content_recall": 1.0}
    assert broken(SourceOverlap(min_content_recall=1.0), answers("a b c")) == []

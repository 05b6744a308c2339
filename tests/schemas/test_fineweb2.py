"""FineWeb-2's numbers and words, as its configuration files have them."""

import math
import unicodedata

import pytest

from pipeline import recipe
from schemas import fineweb2
from schemas.languages import labels

KEYS = sorted(fineweb2._COLUMNS)


@pytest.mark.parametrize(
    ("stage", "key", "language", "limit"),
    [
        ("gopher_repetition", "max_duplicate_line_fraction", "de", 0.263),
        ("gopher_repetition", "max_top_2_gram_fraction", "fr", 0.161),
        ("gopher_repetition", "max_top_4_gram_fraction", "yue", 0.623),
        ("gopher_repetition", "max_duplicate_5_gram_fraction", "zh", 0.198),
        ("gopher_repetition", "max_duplicate_10_gram_fraction", "ru", 0.109),
        ("fineweb_quality", "min_terminal_punctuation_fraction", "vi", 0.333),
        ("fineweb_quality", "max_newline_fraction", "sd", 7.25),
        ("gopher_quality", "max_mean_word_length", "de", 15),
        ("gopher_quality", "min_mean_word_length", "ru", 3),
        ("gopher_quality", "min_alpha_word_fraction", "hi", 0.837),
    ],
)
def test_limits_are_those_of_the_files(stage: str, key: str, language: str, limit: float) -> None:
    assert fineweb2.limits(stage, key)[language] == limit


def test_a_shortest_mean_of_0_is_off_and_so_is_any_where_words_are_letters() -> None:
    limits = fineweb2.limits("gopher_quality", "min_mean_word_length")
    assert [limits[language] for language in ("de", "zh", "ja", "th")] == [None] * 4
    assert limits["bo"] == 1


def test_n_grams_have_no_limit_where_a_letter_is_less_than_a_syllable() -> None:
    for key in ("max_top_2_gram_fraction", "max_duplicate_5_gram_fraction"):
        limits = fineweb2.limits("gopher_repetition", key)
        assert [limits[language] for language in ("th", "lo", "km", "my")] == [None] * 4
        assert limits["ja"] is not None
    assert fineweb2.limits("gopher_repetition", "max_duplicate_line_fraction")["th"] == 0.349


def test_a_language_in_two_scripts_has_the_limits_of_the_first_and_the_stop_words_of_both() -> None:
    assert fineweb2.limits("gopher_quality", "min_mean_word_length")["sr"] == 3
    assert {"је", "je", "koji"} <= set(fineweb2.stop_words()["sr"])


def test_stop_words_are_those_of_the_files() -> None:
    words = fineweb2.stop_words()
    assert words["de"][:3] == ("der", "und", "die")
    assert words["zh"][:3] == ("的", "年", "在")
    assert words["cs"] == ("v", "a", "se", "na", "je", "z", "s", "do")
    assert words["th"][0] == "ใน"
    assert "'r" in words["cy"]
    assert "། །" in words["bo"]


def test_all_languages_are_labels_and_all_numbers_are_in_range() -> None:
    assert len(fineweb2.stop_words()) == 160
    for stage, key in KEYS:
        limits = fineweb2.limits(stage, key)
        assert set(limits) == set(fineweb2.stop_words()) <= set(labels())
        assert all(limit is None or (math.isfinite(limit) and 0 <= limit <= 75) for limit in limits.values())


SCRIPTS = {"ru": "CYRILLIC", "el": "GREEK", "he": "HEBREW", "ta": "TAMIL", "gu": "GUJARATI", "ka": "GEORGIAN", "km": "KHMER"}


@pytest.mark.parametrize(("language", "script"), SCRIPTS.items())
def test_stop_words_are_in_the_language_s_script(language: str, script: str) -> None:
    words = [word for word in fineweb2.stop_words()[language] if not word.isascii()]
    assert len(words) >= 8
    assert {unicodedata.name(char).split()[0] for word in words for char in word} == {script}


def test_the_set_s_limits_are_known_to_recipes_and_others_are_refused() -> None:
    for stage, key in KEYS:
        rules = {rule.name: rule.limit for rule in recipe.make_stage(stage, {key: "fineweb2"}).rules()}  # type: ignore[attr-defined]
        assert rules[key].values == fineweb2.limits(stage, key)
    with pytest.raises(recipe.RecipeError, match="max_hash_fraction: FineWeb-2 has no such limit by language"):
        recipe.make_stage("gopher_quality", {"max_hash_fraction": "fineweb2"})

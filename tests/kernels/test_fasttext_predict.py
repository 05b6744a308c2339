import random
import sys
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pytest

from stages.detect_language import packaged_model
from stages.kernels.fasttext_model import read_model, word_hash
from stages.kernels.fasttext_predict import predict
from stages.kernels.fasttext_words import reciprocal
from stages.kernels.text import text_of

sys.path.insert(0, str(Path(__file__).parent))
from fasttext_cases import KINDS, LID176, texts
from fasttext_files import write_model


def by_library(model: object, text: str) -> tuple[str, float]:
    # a list, since its way for one text fails with NumPy 2
    (labels,), (scores,) = model.predict([text.replace("\n", " ")], k=1)  # type: ignore[attr-defined]
    return (labels[0].removeprefix("__label__"), float(scores[0])) if labels else ("", 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_and_scores_are_the_library_s(kind: str, tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.bin", **KINDS[kind])
    library = fasttext.load_model(str(path))
    model = read_model(path)
    batch = texts(7, 300)
    found, scores = predict(model, text_of(pa.array(batch)), label_unknown=True)
    names = [model.labels[label] if label >= 0 else "" for label in found]
    for text, label, score in zip(batch, names, scores, strict=True):
        assert (label, pytest.approx(score, abs=1e-4)) == by_library(library, text), repr(text)
    known, known_scores = predict(model, text_of(pa.array(batch)))
    assert (known >= 0).sum() > 20
    assert known[known >= 0].tolist() == found[known >= 0].tolist()
    assert known_scores.tolist() == np.where(known >= 0, scores, 0.0).tolist()


def test_the_packaged_model_agrees_with_the_library() -> None:
    path = packaged_model()
    library = fasttext.load_model(str(path))
    model = read_model(path)
    batch = [
        "The quick brown fox jumps over the lazy dog.\nIt was not amused.",
        "Der schnelle braune Fuchs springt über den faulen Hund.",
        "素早い茶色の狐がのろまな犬を飛び越える。",
        "我们今天去图书馆看书，明天再去学校上课。",
        "Быстрая коричневая лиса прыгает через ленивую собаку.",
        "สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ",
        "تقفز الثعلب البني السريع فوق الكلب الكسول",
        "def f(x):\r\n\treturn x + 1\0",
        "¿Qué? 🙂 naïve café e\u0301",
    ]
    found, scores = predict(model, text_of(pa.array(batch)))
    for text, label, score in zip(batch, found, scores, strict=True):
        assert (model.labels[label], pytest.approx(score, abs=1e-6)) == by_library(library, text)
    assert [model.labels[label] for label in found[:6]] == ["en", "de", "ja", "zh", "ru", "th"]


def test_a_text_of_which_the_model_knows_nothing_has_no_label() -> None:
    model = read_model(packaged_model())
    found, scores = predict(model, text_of(pa.array(["", " \n\t\0", "Yup", None])))
    assert found.tolist() == [-1, -1, -1, -1]
    assert scores.tolist() == [0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("kind", ["pairs of words", "like lid.176", "like lid.176, hardly pruned"])
def test_a_document_s_answer_does_not_depend_on_its_batch(kind: str, tmp_path: Path) -> None:
    model = read_model(write_model(tmp_path / "model.bin", **KINDS[kind]))
    column = pa.array(texts(3, 120), pa.large_string())
    found, scores = predict(model, text_of(column))
    for start, size in [(0, 1), (17, 60), (119, 1), (120, 0), *((at, 1) for at in range(0, 120, 7))]:
        part_found, part_scores = predict(model, text_of(column.slice(start, size)))
        assert part_found.tolist() == found[start : start + size].tolist()
        assert part_scores.tolist() == scores[start : start + size].tolist()


def test_words_that_share_a_place_in_the_memory_are_told_apart() -> None:
    model = read_model(packaged_model())
    choice = random.Random(5)
    words = ["".join(choice.choices("abcdeéж", k=choice.randint(1, 18))) for _ in range(50_000)]
    words += ["thesame_" + "".join(choice.choices("abcdefgh", k=8)) for _ in range(10_000)]
    whole, whole_scores = predict(model, text_of(pa.array(words + words)))
    assert whole[:60_000].tolist() == whole[60_000:].tolist()
    assert whole_scores[:60_000].tolist() == whole_scores[60_000:].tolist()
    tried = [*range(500), *range(50_000, 50_500)]
    assert [predict(model, text_of(pa.array([words[at]])))[1][0] for at in tried] == whole_scores[tried].tolist()


def test_words_with_the_same_beginning_are_told_apart_in_a_small_memory() -> None:
    model = read_model(packaged_model())
    words = [f"samestem{a}{b}" for a in "aeiouy" for b in ("ción", "ung", "ment", "ости", "keit")]
    together = predict(model, text_of(pa.array([*words, *words])))[1]
    assert together.tolist() == 2 * [predict(model, text_of(pa.array([word])))[1][0] for word in words]


@pytest.mark.parametrize("divisor", [1, 2, 3, 97, 300, 15_625, 1 << 20, 2_000_000, 2_100_000, (1 << 31) - 1])
def test_a_reciprocal_divides_exactly(divisor: int) -> None:
    factor, shift = reciprocal(divisor)
    if factor == 0:
        return
    last = (1 << 32) // divisor
    near = {q * divisor + d for q in [*range(50), *range(max(last - 50, 0), last + 1)] for d in (-1, 0, 1)}
    for x in [*(x for x in near if 0 <= x < 1 << 32), 0, (1 << 32) - 1]:
        assert (x * factor) >> shift == x // divisor
        assert x * factor < 1 << 64


def test_the_models_in_use_have_a_reciprocal() -> None:
    assert reciprocal(2_000_000) == (2251799814, 52)
    assert reciprocal(LID176["buckets"])[0] > 0
    assert reciprocal(97) == (0, 0)


@pytest.mark.parametrize(
    ("most", "read"), [(1, ""), (2, "é"), (3, "é "), (4, "é b"), (6, "é bé"), (5, "é b"), (7, "é béx"), (99, "é béx")]
)
def test_a_cap_reads_whole_characters_only(most: int, read: str, tmp_path: Path) -> None:
    model = read_model(write_model(tmp_path / "model.bin"))
    capped = predict(model, text_of(pa.array(["é béx"])), most)
    whole = predict(model, text_of(pa.array([read])))
    assert [array.tolist() for array in capped] == [array.tolist() for array in whole]


def test_word_hashes_extend_the_sign_of_bytes() -> None:
    assert word_hash(b"") == 2166136261
    assert word_hash(b"a") == 0xE40C292C
    assert word_hash("é".encode()) == (
        (((2166136261 ^ 0xFFFFFFC3) * 16777619 & 0xFFFFFFFF) ^ 0xFFFFFFA9) * 16777619 & 0xFFFFFFFF
    )

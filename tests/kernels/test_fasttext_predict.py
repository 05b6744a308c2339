import random
import sys
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pytest

from stages.detect_language import packaged_model
from stages.kernels.fasttext_labels import exp
from stages.kernels.fasttext_model import read_model, word_hash
from stages.kernels.fasttext_predict import predict
from stages.kernels.text import text_of

sys.path.insert(0, str(Path(__file__).parent))
from fasttext_files import write_model

PIECES = [
    *["the", "und", "это", "ist", "中", "a", "b", "ab", "不", "中中中", "naïve", "e\u0301", "🙂", "👩\u200d👩", "__label__x"],
    *[
        "__label__l1",
        "</s>",
        "</s>x",
        "x" * 16,
        "x" * 17,
        "ж" * 300,
        " ",
        "\t",
        "\n",
        "\r\n",
        "\0",
        "\v",
        "\f",
        "\u0085",
        "\u2028",
    ],
]
KINDS = {
    "hierarchical": {"loss": 1},
    "negative": {"loss": 2},
    "softmax": {"loss": 3},
    "one against all": {"loss": 4},
    "one label": {"loss": 1, "labels": 1},
    "sixteen dimensions": {"loss": 1, "dim": 16, "labels": 20},
    "no n-grams": {"chars": (0, 0)},
    "single characters too": {"chars": (1, 3)},
    "pairs of words": {"word_ngrams": 2},
    "four words, no characters": {"word_ngrams": 4, "chars": (0, 0)},
    "no end of line": {"words": ["the", "a"]},
    "quantised": {"quantised": True},
    "quantised, last part shorter": {"quantised": True, "dim": 7, "norms": True},
    "quantised, pruned": {"quantised": True, "kept": 40, "word_ngrams": 2, "norms": True, "loss": 1},
    "quantised output": {"quantised": True, "kept": 40, "quantised_output": True},
    "all pruned": {"quantised": True, "kept": 0},
    "old file": {"version": 11},
}


def texts(seed: int, count: int) -> list[str]:
    choice = random.Random(seed)
    made = []
    for _ in range(count):
        parts = choice.choices(PIECES, k=choice.choice([0, 1, 2, 5, 30]))
        made.append(choice.choice(["", " "]).join(parts))
    return made


def by_library(model: object, text: str) -> tuple[str, float]:
    labels, scores = model.predict(text.replace("\n", " "), k=1)  # type: ignore[attr-defined]
    return (labels[0].removeprefix("__label__"), float(scores[0])) if labels else ("", 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_and_scores_are_the_library_s(kind: str, tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.bin", **KINDS[kind])
    library = fasttext.load_model(str(path))
    model = read_model(path)
    known = 0
    batch = texts(7, 150)
    found, scores = predict(model, text_of(pa.array(batch)))
    for text, label, score in zip(batch, found, scores, strict=True):
        if label < 0:
            assert score == 0.0
            continue
        known += 1
        expected = by_library(library, text)
        assert (model.labels[label], pytest.approx(score, abs=1e-4)) == expected, repr(text)
    assert known > 20


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


def test_a_document_s_answer_does_not_depend_on_its_batch(tmp_path: Path) -> None:
    model = read_model(write_model(tmp_path / "model.bin", loss=1, dim=16, word_ngrams=2))
    column = pa.array(texts(3, 120), pa.large_string())
    found, scores = predict(model, text_of(column))
    for start, size in ((0, 1), (5, 1), (17, 60), (119, 1), (120, 0)):
        part_found, part_scores = predict(model, text_of(column.slice(start, size)))
        assert part_found.tolist() == found[start : start + size].tolist()
        assert part_scores.tolist() == scores[start : start + size].tolist()


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


def test_the_exponential_is_exact_to_the_last_places() -> None:
    points = np.linspace(-30, 30, 2001)
    ours = np.array([exp(x) for x in points])
    np.testing.assert_allclose(ours, np.exp(points), rtol=1e-15)
    assert exp(0.0) == 1.0

import sys
from pathlib import Path

import numpy as np
import pytest

from stages.detect_language import packaged_model
from stages.kernels import fasttext_model
from stages.kernels.fasttext_model import HIERARCHICAL, _tree, read_model, word_hash

sys.path.insert(0, str(Path(__file__).parent))
from fasttext_files import write_model


def test_the_packaged_model_is_read() -> None:
    model = read_model(packaged_model())
    assert len(model.labels) == 176
    assert model.labels[:3] == ("en", "ru", "de")
    assert (model.dim, model.min_chars, model.max_chars, model.buckets, model.loss) == (16, 2, 4, 2_000_000, HIERARCHICAL)
    assert model.vectors.shape == (50_001, 16)
    assert (model.words, model.eos) == (7235, 0)


def test_huffman_tree_joins_the_two_rarest_first() -> None:
    left, right = _tree([10, 4, 2, 1])
    # 4 joins labels 3 and 2 (weight 3); 5 joins 4 and label 1 (7); 6 joins 5 and label 0
    assert left.tolist() == [3, 4, 5]
    assert right.tolist() == [2, 1, 0]


def test_a_tie_goes_to_the_inner_node() -> None:
    left, right = _tree([3, 2, 1])
    assert left.tolist() == [2, 3]
    assert right.tolist() == [1, 0]


def test_kept_buckets_are_in_ascending_order(tmp_path: Path) -> None:
    model = read_model(write_model(tmp_path / "m.ftz", quantised=True, kept=40, buckets=300))
    bits = np.array([int(model.bucket_bits[b // 64]) >> (b % 64) & 1 for b in range(300)])
    assert bits.sum() == 40
    assert model.bucket_base.tolist() == [model.words + bits[:at].sum() for at in range(0, 300, 64)]


@pytest.mark.parametrize("size", [0, 3, 8, 50, 100, 300, 1000])
def test_a_file_cut_short_is_refused(size: int, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.bin")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"file ends|not a fastText model"):
        read_model(path)


def test_word_vectors_without_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a supervised model"):
        read_model(write_model(tmp_path / "m.bin", kind=2))


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(b"PAR1 and more")
    with pytest.raises(ValueError, match="magic number"):
        read_model(path)


def test_a_version_of_the_future_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="version 13, expected 11 or 12"):
        read_model(write_model(tmp_path / "m.bin", version=13))


@pytest.mark.parametrize("window", [1, 7, 10, 1000])
def test_a_dictionary_is_read_in_pieces_of_any_size(window: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_model(tmp_path / "m.bin", words=["</s>", "a" * 50, "", "это"])
    whole = read_model(path)
    monkeypatch.setattr(fasttext_model, "_WINDOW", window)
    pieces = read_model(path)
    assert (pieces.labels, pieces.words, pieces.eos) == (whole.labels, whole.words, whole.eos)
    assert pieces.entry_bytes.tobytes() == whole.entry_bytes.tobytes()
    assert pieces.vectors.tolist() == whole.vectors.tolist()


def test_each_entry_is_in_the_first_free_slot_from_its_hash_on(tmp_path: Path) -> None:
    words = [f"w{n}" for n in range(300)]
    model = read_model(write_model(tmp_path / "m.bin", words=words))
    names = [word.encode() for word in words] + [f"__label__l{n}".encode() for n in range(7)]
    slots, bits = [-1] * len(model.entry_slots), [0] * len(model.entry_bits)
    for entry, name in enumerate(names):
        hashed = word_hash(name)
        bits[(hashed >> 6) % len(bits)] |= 1 << (hashed & 63)
        slot = hashed % len(slots)
        while slots[slot] >= 0:
            slot = (slot + 1) % len(slots)
        slots[slot] = entry
    assert model.entry_slots.tolist() == slots
    assert model.entry_bits.tolist() == bits

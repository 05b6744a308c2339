"""Take a budget of tokens from groups of documents, in given shares."""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from pydantic import BeforeValidator, Field, model_validator

from schemas.columns import COPIES, COPY
from stages.core.docs import Docs
from stages.core.mixture import Portion, portions
from stages.core.ranked import LAST, Order, Place, Placed, Prefix, Ranking, drop_outside, score_of
from stages.core.stage import Global, Sketches, Verdicts

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}


def parse_count(value: Any) -> Any:
    """A number from 2000000000, "2B" or "300 M"; anything else is returned for pydantic to refuse."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*([0-9.]+)\s*([kmbtKMBT]?)\s*", value)):
        return round(float(match[1]) * _UNITS[match[2].lower()])
    return value


Count = Annotated[int, BeforeValidator(parse_count, json_schema_input_type=int | str)]


class Mix(Global):
    """Take `tokens` tokens in all, each group (by default: source) its share; documents are left out, or repeated.

    shares            by group, together 1: {web: 0.6, wiki: 0.4}. A group that is not named is left out.
    temperature       instead of shares: sizes to the power of 1 / temperature, as multilingual models are trained. The default
                      of 1 keeps proportions. `min_share` raises what gets less.
    max_epochs        how often a group may be seen: a number, or by group with `default`

    A group of which less is taken than there is gives its best documents by `rank`, or those with the smallest hashes; of a
    group that is seen 2.3 times every document is there twice, and the first 0.3 of that order once more. The column `copy`
    counts copies from 0; with `order: seeded` each has a place of its own, by hash.

    A group's tokens are its budget, less a part of one document; never more. A request that cannot be met ends the run, and
    says which group binds and how many tokens are possible; `tokens: null` takes that many.

    Sketch: 8 bytes of tokens, 8 of rank, the group's name. In memory: nothing of the documents but running sums, mapped from
    files; 32 bytes for each of half a million documents while a block is sorted.
    """

    repeats = True
    example: ClassVar[dict[str, Any]] = {"tokens": 2000, "max_epochs": 4}

    tokens: Count | None = Field(None, description="tokens in all, such as 2B; null: as many as shares and epochs allow", ge=1)
    by: str = Field("source", description="column whose values are the groups", min_length=1)
    shares: dict[str, float] | None = Field(None, description="share of the tokens by group, together 1")
    temperature: float = Field(1.0, description="instead of shares: larger is more even", gt=0)
    min_share: float = Field(0.0, description="with temperature: the least share of a group", ge=0, le=1)
    max_epochs: dict[str, float] | float = Field(1.0, description="how often a group may be seen, or by group with `default`")
    rank: str | None = Field(None, description="column by which documents are chosen, the highest first; null: by hash")
    seed: int | None = Field(None, description="of the hash; null: from the recipe's seed and the step's name", ge=0)

    @model_validator(mode="after")
    def _request_makes_sense(self) -> Self:
        if self.shares is not None:
            if {"temperature", "min_share"} & self.model_fields_set:
                raise ValueError("shares and temperature (with min_share) are two ways to say the same: give one")
            if not self.shares or any(share < 0 for share in self.shares.values()):
                raise ValueError("shares are numbers from 0 up, one for each group")
            if not math.isclose(sum(self.shares.values()), 1, abs_tol=1e-6):
                raise ValueError(f"shares sum to {sum(self.shares.values()):.6g}, expected 1")
        for name, epochs in self._epochs().items():
            if not 0 < epochs <= 1000:
                raise ValueError(f"max_epochs of {name} is {epochs:g}, expected a number above 0, up to 1000")
        return self

    def columns_read(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("token_count", self.by, *((self.rank,) if self.rank else ()))))

    def columns_written(self) -> dict[str, pa.DataType]:
        return {COPY.name: COPY.type}

    def sketch_parameters(self) -> dict[str, Any]:
        return self.model_dump(mode="json", include={"by", "rank"})

    def sketch_schema(self) -> pa.Schema:
        fields = [("weight", pa.int64()), ("group", pa.string())]
        return pa.schema([*fields, *([("score", pa.float64())] if self.rank else [])])

    def sketch(self, docs: Docs) -> pa.Table:
        columns = [pa.array(docs.numbers("token_count"), pa.int64()), docs.table.column(self.by).cast(pa.string())]
        if self.rank:
            columns.append(docs.table.column(self.rank).cast(pa.float64()).fill_null(math.nan))
        return pa.table(columns, schema=self.sketch_schema())

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        order = Order(grouped=True, scored=bool(self.rank), seed=self.seed or 0, salt="mix")
        ranking = Ranking(sketches, order)
        totals = ranking.totals()
        sizes = {name: weight for name, (_, weight) in totals.items()}
        wanted = portions(sizes, self.tokens, self.shares, self.temperature, self.min_share, self._epochs())
        taken = {name: Taken.of(ranking, name, portion, totals[name][0]) for name, portion in wanted.items()}
        kept = {name: Place(LAST, LAST) if one.whole else one.more.end for name, one in taken.items()}
        for part in sketches.parts():
            placed = Placed.of(sketches, part, order)
            drop_outside(placed, part, order, kept, verdicts, "budget", self.rank)
            _repeat(placed, part, taken, verdicts)
        tokens = sum(one.tokens for one in taken.values())
        came = sum(sizes.values())
        groups = {name: one.as_json(tokens, came, bool(self.rank)) for name, one in taken.items()}
        told = {"documents": sketches.rows(), "tokens": tokens, "requested_tokens": self.tokens, "by": self.by}
        return {**told, "groups": groups}

    def _epochs(self) -> dict[str, float]:
        return {"default": 1.0, **self.max_epochs} if isinstance(self.max_epochs, dict) else {"default": self.max_epochs}


@dataclass(frozen=True)
class Taken:
    """What is taken of a group of so many documents: all of them `whole` times, and those up to `more.end` once more."""

    portion: Portion
    documents: int
    whole: int
    more: Prefix

    @classmethod
    def of(cls, ranking: Ranking, name: str, portion: Portion, documents: int) -> "Taken":
        """From the order of the group."""
        if not portion.budget:  # not even documents without a token
            return cls(portion, documents, 0, Prefix(Place(-1, -1), 0, 0))
        whole = portion.budget // portion.available
        return cls(portion, documents, whole, ranking.prefix(name, portion.budget - whole * portion.available))

    @property
    def tokens(self) -> int:
        """Of all copies."""
        return self.whole * self.portion.available + self.more.weight

    def as_json(self, total: int, came: int, ranked: bool) -> dict[str, Any]:
        """JSON-ready, with its shares of the `came` tokens that came to this step and of the `total` that is taken.

        `lowest_rank` is where a group was cut by rank; None where all of it is there.
        """
        cut = ranked and not self.whole and self.more.documents
        lowest = score_of(self.more.end.key) if cut else math.nan
        return {
            "documents": self.documents,
            "tokens": self.portion.available,
            "share_before": self.portion.available / came if came else 0.0,
            "share_wanted": self.portion.share,
            "budget": self.portion.budget,
            "taken_tokens": self.tokens,
            "taken_share": self.tokens / total if total else 0.0,
            "taken_documents": self.documents if self.whole else self.more.documents,
            "rows": self.whole * self.documents + self.more.documents,
            "epochs": round(self.portion.epochs, 4),
            **({"lowest_rank": None if math.isnan(lowest) else lowest} if ranked else {}),
        }


def _repeat(placed: Placed, part: int, taken: dict[str, Taken], verdicts: Verdicts) -> None:
    """Say how often the documents of a part are there, where that is more than once."""
    whole = np.array([taken[name].whole for name in placed.names], np.int32)
    copies = whole[placed.codes] + placed.inside({name: one.more.end for name, one in taken.items()})
    often = np.flatnonzero(copies > 1)
    if len(often):
        rows = placed.table["row"].take(pa.array(often)).cast(pa.int32())
        verdicts.repeat(part, pa.table([rows, pa.array(copies[often], pa.int32())], schema=COPIES))

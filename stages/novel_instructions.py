"""Keep requests that are unlike those before them."""

from collections import Counter
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from stages.core.choices import Choice
from stages.core.docs import Docs
from stages.core.rouge import Pool, words_of
from stages.core.stage import Global, Sketches, Verdicts
from stages.core.survivors import LiveRows, verdict_table
from stages.kernels.hashing import order_keys

LONGEST = 256
"""words that are compared: requests are short, and what follows is input to them"""


class NovelInstructions(Global):
    """Keep short texts, such as requests, whose ROUGE-L to every one kept before them is below a threshold.

        generate: {prompt: self_instruct, choose: {examples: {path: seeds.jsonl, column: instruction, number: 6}}, ...}
        novel_instructions: {pool: {path: seeds.jsonl, column: instruction}}

    Self-instruct's rule (Wang et al. 2023, section 2.2: 0.7, ROUGE-L as F1). Texts are taken in the order of a hash of source
    and id, after those of `pool`; words are runs of letters and digits of any script in lower case, of which the first 256
    count. The ledger has the score and the text that is too much alike; one of the pool is `pool:<line>`.

    Exact for any number of texts, since only pairs that share too few rare words are left out. One task decides, with the words
    of all texts in memory: for requests, not for documents.
    """

    example: ClassVar[dict[str, Any]] = {}

    max_similarity: float = Field(0.7, description="ROUGE-L from which a text is too much alike", gt=0, le=1)
    pool: Choice | None = Field(None, description="requests that are there already: path, and of JSONL the column")
    seed: int | None = Field(None, description="of the order; null: from the recipe's seed and the step", ge=0)

    def files(self) -> tuple[str, ...]:
        return (self.pool.path,) if self.pool else ()

    def columns_read(self) -> tuple[str, ...]:
        return ("text",)

    def sketch_parameters(self) -> dict[str, Any]:
        return {}

    def sketch_schema(self) -> pa.Schema:
        return pa.schema([("words", pa.list_(pa.string()))])

    def sketch(self, docs: Docs) -> pa.Table:
        # as Python's values: these texts are short
        found = [words_of(text or "")[:LONGEST] for text in docs.table.column("text").to_pylist()]
        return pa.table([pa.array(found, pa.list_(pa.string()))], schema=self.sketch_schema())

    def solve(self, sketches: Sketches, verdicts: Verdicts) -> dict[str, Any]:
        rows = LiveRows(sketches)
        words, names, keys = [], [], [np.zeros(0, np.uint64)]
        for at in range(len(rows.parts)):
            table = rows.read(at, ["row", "source", "id", "words"])
            words += table["words"].to_pylist()
            names += list(zip(*(table[name].to_pylist() for name in ("source", "id", "row")), strict=True))
            keys.append(order_keys(self.seed or 0, "novel", table["source"], table["id"]))
        given = [words_of(line)[:LONGEST] for line in self.pool.lines()] if self.pool else []
        pool = Pool(self.max_similarity, Counter(word for text in (*given, *words) for word in text))
        kept: list[tuple[str, str]] = []
        for line, text in enumerate(given, 1):
            pool.add(text)
            kept.append(("pool", str(line)))
        dropped: dict[int, list[dict[str, Any]]] = {}
        # the number breaks ties between equal hashes, which repeated ids have
        for number in np.lexsort((np.arange(len(names)), np.concatenate(keys))).tolist():
            found = pool.closest(words[number])
            source, id_, row = names[number]
            if found is None:
                pool.add(words[number])
                kept.append((source, id_))
                continue
            part = int(np.searchsorted(rows.starts, number, side="right")) - 1
            told = {"row": row, "value": found[1], "similarity": found[1]}
            dropped.setdefault(part, []).append(
                {**told, "survivor_source": kept[found[0]][0], "survivor_id": kept[found[0]][1]}
            )
        for part, lost in sorted(dropped.items()):
            verdicts.write(rows.parts[part], self._verdicts(lost))
        count = sum(len(lost) for lost in dropped.values())
        return {"documents": len(names), "dropped": count, "pool": len(given)}

    def _verdicts(self, lost: list[dict[str, Any]]) -> pa.Table:
        lost = sorted(lost, key=lambda one: int(one["row"]))
        columns = {name: [one[name] for one in lost] for name in lost[0]}
        columns["row"] = pa.array(columns["row"], pa.int32())
        same = {"rule": "max_similarity", "measure": "rouge_l", "op": "at_most", "limit": self.max_similarity}
        return verdict_table({**columns, **{name: [value] * len(lost) for name, value in same.items()}})

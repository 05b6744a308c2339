"""A pass over documents whose questions an engine on a cluster answers: workers make the requests, the engine takes them."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import orjson
import pyarrow as pa

from stages.core.answers import AnswerStore, store_at
from stages.core.bill import Bill, most_tokens
from stages.core.chains import Chain, Fault, look_up
from stages.core.model import Unit
from stages.core.requests import Cluster, Reply, Request
from stages.core.stage import Sketches


class Asks(Protocol):
    """What an `Asking` is here."""

    @property
    def retries(self) -> int: ...

    @property
    def engine(self) -> Any: ...

    @property
    def fault_of(self) -> Fault: ...

    @property
    def questions(self) -> Callable[[pa.Table], list[list[Request]]]: ...

    def columns_read(self) -> Any: ...


class Chosen(NamedTuple):
    """A unit, and the keys of its requests that are to be asked."""

    unit: Unit
    keys: frozenset[str]


def replies_on(
    cluster: Cluster,
    stage: Asks,
    sketches: Sketches,
    units: Sequence[Unit],
    store: AnswerStore,
    unanswered: Path,
    bill: Bill,
) -> Iterator[tuple[Request, Reply]]:
    """The reply to each request that has no answer yet, as far as the budget goes.

    Workers first list the keys, so that a request that two documents make is asked once, the budget holds whatever the order in
    which answers come, and no engine is started where there is nothing to ask. 100 bytes are held for each key.
    """
    pending = Pending(stage, sketches, store.folder, unanswered)
    listed: dict[int, list[tuple[str, int, int]]] = dict(cluster.map(_Listed(pending), list(enumerate(units))))
    chosen, taken = [], set[str]()
    for number, unit in enumerate(units):
        keys = []
        for key, prompt, completion in listed.pop(number):
            if key not in taken and bill.reached is None and bill.allows_ahead(prompt, completion):
                keys.append(key)
                taken.add(key)
        if keys:
            chosen.append(Chosen(unit, frozenset(keys)))
    if chosen:
        yield from cluster.replies(stage.engine, _Requests(pending), chosen, len(taken))


def chains_of(
    stage: Asks, sketches: Sketches, unit: Unit, folder: Path, unanswered: Path
) -> tuple[pa.Table, list[list[Request]], list[Chain]]:
    """The documents of a unit, their questions, and how far these are answered by what stands; in a worker."""
    documents = sketches.documents(unit.part, unit.rows, stage.columns_read())
    questions = stage.questions(documents)
    with open(unanswered, "rb") as stream:
        failed = {row["key"]: row["why"] for row in map(orjson.loads, stream)}
    return documents, questions, look_up(questions, store_at(str(folder)), failed, stage.fault_of, stage.retries)


class Pending:
    """The requests of a unit that have no answer yet, each once, in a worker."""

    def __init__(self, stage: Asks, sketches: Sketches, folder: Path, unanswered: Path) -> None:
        self.stage, self.sketches, self.folder, self.unanswered = stage, sketches, folder, unanswered

    def __call__(self, unit: Unit) -> list[Request]:
        """In the order of the documents."""
        _, _, chains = chains_of(self.stage, self.sketches, unit, self.folder, self.unanswered)
        return list({chain.pending.key: chain.pending for chain in chains if chain.pending is not None}.values())


class _Listed:
    def __init__(self, pending: Pending) -> None:
        self.pending = pending

    def __call__(self, item: tuple[int, Unit]) -> tuple[int, list[tuple[str, int, int]]]:
        number, unit = item
        return number, [(request.key, *most_tokens(request)) for request in self.pending(unit)]


class _Requests:
    """A key that stands in several units is in one `Chosen`, and there once."""

    def __init__(self, pending: Pending) -> None:
        self.pending = pending

    def __call__(self, chosen: Chosen) -> list[Request]:
        return [request for request in self.pending(chosen.unit) if request.key in chosen.keys]

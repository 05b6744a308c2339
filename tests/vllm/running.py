"""An engine that runs already and that others close."""

from collections.abc import Iterable, Iterator

from stages.core.requests import Reply, Request, Responder


class Open:
    """What `Vllm.open` gives, without the half minute that an engine takes to start."""

    def __init__(self, engine: Responder) -> None:
        self.engine = engine

    def replies(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Reply]]:
        yield from self.engine.replies(requests)

    def close(self) -> None:
        pass

"""How a question becomes a chain of requests: an answer that cannot be used is asked for again, with what is wrong with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stages.core.answers import AnswerStore
from stages.core.requests import Reply, Request

Fault = Callable[[Request, Reply], str | None]
"""what is wrong with an answer, in words that the model is told; None if it can be used"""


class Asked(NamedTuple):
    """What became of one question: every request that it took with its reply, and what is wrong with the last, if anything.

    A reply without text is the last, and its `why` the fault.
    """

    replies: tuple[tuple[Request, Reply], ...]
    fault: str | None

    @property
    def request(self) -> Request:
        """The last one."""
        return self.replies[-1][0]

    @property
    def reply(self) -> Reply:
        """The last one."""
        return self.replies[-1][1]

    def tokens(self) -> tuple[int, int]:
        """Of all prompts and of all answers, as far as the engine counted them."""
        replies = [reply for _, reply in self.replies]
        return sum(reply.prompt_tokens or 0 for reply in replies), sum(reply.completion_tokens or 0 for reply in replies)


@dataclass
class Chain:
    """One question, as far as it is answered: requests with their replies, and the request that has none yet, if any."""

    replies: list[tuple[Request, Reply]]
    pending: Request | None
    fault: str | None


def follow(
    questions: Sequence[Sequence[Request]], known: Callable[[str], Reply | None], fault_of: Fault, retries: int
) -> list[Chain]:
    """The chain of each question, document by document, from the replies that are known by their keys."""
    chains = []
    for question in (question for of_document in questions for question in of_document):
        chain = Chain([], question, None)
        while chain.pending is not None and (reply := known(chain.pending.key)) is not None:
            chain.replies.append((chain.pending, reply))
            chain.fault = (reply.why or "no answer") if reply.text is None else fault_of(chain.pending, reply)
            again = reply.text is not None and chain.fault is not None and len(chain.replies) <= retries
            chain.pending = chain.pending.follow(reply.text or "", chain.fault or "") if again else None
        chains.append(chain)
    return chains


def by_document(questions: Sequence[Sequence[Request]], chains: Sequence[Chain]) -> list[list[Asked]]:
    """What became of the questions of each document."""
    found, at = [], 0
    for of_document in questions:
        some = chains[at : at + len(of_document)]
        at += len(of_document)
        found.append([Asked(tuple(chain.replies), chain.fault) for chain in some])
    return found


def look_up(
    questions: Sequence[Sequence[Request]], store: AnswerStore, failed: dict[str, str], fault_of: Fault, retries: int
) -> list[Chain]:
    """`follow` over a store and what was not answered: one look into the store for each link that chains have."""
    found: dict[str, Reply] = {}
    chains = follow(questions, found.get, fault_of, retries)
    while keys := {chain.pending.key for chain in chains if chain.pending is not None} - found.keys():
        more = {key: Reply(None, failed[key]) for key in keys if key in failed} | store.known(sorted(keys))
        if not more:
            break
        found |= more
        chains = follow(questions, found.get, fault_of, retries)
    return chains

"""Steps of a user that the tests of survival need. The environment steers them where source and parameters must not change."""

import ctypes
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from stages.core.stage import Filter, Map


def slow(document, sleep_ms=0.0, name="calls"):
    """Every call is written down, one line each, so that a test can count them."""
    if path := os.environ.get("TRYING_CALLS"):
        with open(f"{path}.{name}", "a") as stream:
            stream.write(document["id"] + "\n")
    time.sleep(sleep_ms / 1000)
    return document


def forbidden(document):
    """Raises on the ids in the file of forbidden ones, if there is one."""
    path = Path(os.environ["TRYING_FORBIDDEN"])
    if path.is_file() and document["id"] in path.read_text().split():
        raise ValueError(f"{document['id']} is forbidden")
    return document


def raises(document, ids=()):
    if document["id"] in ids:
        raise ValueError("no good")
    return document


def deadly(document, ways=None):
    """`ways`: id -> how this document ends its process."""
    way = (ways or {}).get(document["id"])
    if way == "segfault":
        ctypes.string_at(0)
    elif way == "exit":
        os._exit(3)
    elif way == "loop":
        while True:
            pass
    elif way == "memory":
        # As far as this machine need suffer: then the process is killed, as the kernel does when memory ends.
        held = []
        while len(held) < 12:
            held.append(bytearray(32_000_000))
            held[-1][::4096] = b"x" * len(held[-1][::4096])
        os.kill(os.getpid(), signal.SIGKILL)
    return document


def sleeps_long(document):
    """Says that it is there, then sleeps for longer than any test waits, in one call or in many."""
    if os.environ.get("TRYING_ASLEEP"):
        Path(os.environ["TRYING_ASLEEP"]).touch()
        time.sleep(600)
    return document


def dies_then_sleeps(document):
    """Kills its worker; in the child process that looks for the document it sleeps."""
    asleep = os.environ.get("TRYING_ASLEEP")
    if asleep and document["id"] == "doc-00003":
        if Path(asleep + ".died").exists():
            Path(asleep).touch()
            time.sleep(600)
        Path(asleep + ".died").touch()
        os._exit(3)
    return document


class Forgetful(Map):
    """Loses the last document of a batch."""

    def apply(self, table):
        return table.slice(0, table.num_rows - 1)


class Talkative(Map):
    """Writes a column that it did not announce."""

    def apply(self, table):
        return table.append_column("mood", table.column("id"))


class Nothing(Map):
    """Gives no table at all."""

    def apply(self, table):
        return None


class Shuffling(Map):
    """Gives the documents in another order."""

    def apply(self, table):
        return table.take(np.arange(table.num_rows)[::-1])


class Emptying(Map):
    """Makes the text null."""

    def apply(self, table):
        at = table.column_names.index("text")
        return table.set_column(at, table.schema.field("text"), pa.nulls(table.num_rows, pa.large_string()))


class Unopenable(Map):
    """Cannot be opened."""

    def open(self):
        raise FileNotFoundError("model.bin is not there")


class Pretending(Map):
    """Answers as an engine's own function would, and keeps silent about a document that it lost."""

    def open(self):
        from stages.core.stage import Processed

        def process(table):
            return Processed(table.slice(1), list(range(1, table.num_rows)), [], [])

        return process


class Measuring(Filter):
    """Measures in a way that `how` names."""

    how: str

    def measures(self):
        return {"score": pa.float64()}

    def measure(self, docs):
        scores = np.ones(len(docs))
        if self.how == "nan":
            scores[-1:] = np.nan
        elif self.how == "short":
            scores = scores[:-1]
        elif self.how == "other":
            return {"points": scores}
        elif self.how == "words":
            return {"score": np.array(["many"] * len(docs))}
        return {"score": scores}

    def rules(self):
        from schemas.rule import at_least

        return [at_least("score", 0.5, "min_score")]


def halved(table: pa.Table):
    """Gives half of its rows."""
    return table.slice(0, table.num_rows // 2)


def waits_for_others(document, folder, workers=4, seconds=60):
    """Goes on once so many workers hold a document at the same time; raises if they never do."""
    place = Path(folder)
    (place / f"{os.getpid()}-{threading.get_ident()}").touch()
    end = time.monotonic() + seconds
    while len(list(place.iterdir())) < workers:
        if time.monotonic() > end:
            raise TimeoutError(f"{len(list(place.iterdir()))} workers came, expected {workers}")
        time.sleep(0.01)
    return document

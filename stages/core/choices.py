"""Lines of a file that prompts are filled with, chosen by hash: personas, topics, examples."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from schemas.errors import InputError


class Choice(BaseModel):
    """A file with one value a line: plain text, or JSONL of which a column is taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(description="text file with one value a line, or .jsonl")
    column: str | None = Field(None, description="of JSONL, the key that is taken")
    number: int = Field(1, description="values for one prompt; with more than one it is a list", ge=1, le=64)

    def lines(self) -> list[str]:
        """All values. Raises `InputError` if a line has none, or the file."""
        return _values(self.path, self.column, Path(self.path).stat().st_mtime_ns)

    def choose(self, *key: str | int) -> Any:
        """The value, or the list of different values, that a key stands for."""
        values = self.lines()
        if self.number == 1:
            return values[_hash(*key) % len(values)]
        order = sorted(range(len(values)), key=lambda at: _hash(*key, at))
        return [values[at] for at in order[: self.number]]


def _hash(*key: str | int) -> int:
    return int.from_bytes(hashlib.blake2b(json.dumps(key).encode(), digest_size=8).digest(), "big")


@lru_cache(maxsize=16)
def _values(path: str, column: str | None, modified: int) -> list[str]:
    found = []
    with open(path, encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                value = line.strip() if column is None else json.loads(line)[column]
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path}, line {number}: expected JSON with the key {column!r}") from error
            found.append(str(value))
    if not found:
        raise InputError(f"{path} has no values")
    return found

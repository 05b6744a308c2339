"""Damage web archives at random and see that reading them ends and loses only what it tells: `make fuzz-web`."""

import json
import random
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from archives import pack, pages

from pipeline.warc_records import Loss, read_records

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "fuzz_web.json"


def offsets(path: Path, start: int = 0, stop: int | None = None) -> list[tuple[str, int]]:
    """What is found where."""
    found = read_records(str(path), start, path.stat().st_size if stop is None else stop, 10_000_000)
    return [("loss" if isinstance(item, Loss) else "record", item.offset) for item in found]


def mutate(folder: Path, chance: random.Random, count: int) -> None:
    """Damage archives at random: reading ends, in any ranges alike, and whole records outside the damage are found."""
    for number in range(count):
        how = chance.choice(["plain", "gzip", "zstd", "one member"])
        packed = pack(pages(chance.randint(1, 6), chance.randint(0, 60)), how)
        content = bytearray(b"".join(packed))
        at = chance.randrange(len(content))
        kind = chance.choice(["flip", "cut", "zeros", "splice", "length"])
        if kind == "flip":
            content[at] ^= 1 << chance.randrange(8)
        elif kind == "cut":
            del content[at:]
        elif kind == "zeros":
            content[at : at + 20] = bytes(len(content[at : at + 20]))
        elif kind == "splice":
            content[at:at] = chance.randbytes(chance.randint(1, 300))
        else:
            content[:] = bytes(content).replace(b"Content-Length: ", b"Content-Length: 9", 1)
        path = folder / "mutated.warc"
        path.write_bytes(content)
        whole = offsets(path)
        middle = chance.randint(0, len(content))
        assert offsets(path, 0, middle) + offsets(path, middle, len(content)) == whole, (number, how, kind)
        if how == "gzip" and kind in ("flip", "zeros"):
            edges = [sum(map(len, packed[:index])) for index in range(len(packed) + 1)]
            untouched = [low for low, high in pairwise(edges) if high <= at or low >= at + (20 if kind == "zeros" else 1)]
            assert set(untouched) <= {offset for found, offset in whole if found == "record"}, (number, kind)


def main() -> int:
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-web-") as folder:
        mutate(Path(folder), random.Random(seed), count)
    result = {"archives": count, "seed": seed, "seconds": round(time.monotonic() - started, 1), "failures": 0}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

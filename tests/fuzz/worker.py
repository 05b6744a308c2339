"""One of the fuzzer's two processes: `worker.py plain` or `worker.py compiled`. Each line of input is a JSON list of texts.

plain     each text by itself through the kernels as Python; answers with the branches it reached
compiled  all texts in a batch, at three places in memory, through kernels that check their indices
"""

import faulthandler
import json
import os
import random
import sys
import zlib
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "kernels"), str(Path(__file__).parents[2])]
MODE = sys.argv[1]
if MODE == "plain":
    import plain_kernels

    plain_kernels.install()
import trials  # noqa: E402
from placements import placed  # noqa: E402

if MODE == "plain":
    plain_kernels.prepare()

_MOST_OF_A_KIND = 3
_seen: dict[tuple[str, str], list[dict[str, Any]]] = {}


def run(texts: list[str]) -> list[dict[str, Any]]:
    """New failures, minimised."""
    failures = []
    seed = zlib.crc32("".join(texts).encode())
    # a text between others finds their traces in tables
    batch = [*texts, "a b a b a b\n\na b", *texts] if MODE == "plain" and seed % 7 == 0 else texts
    places = placed(batch, random.Random(seed))
    if MODE == "plain":  # one place is enough: it is slow
        chosen = [*places][seed % 3]
        places = {chosen: places[chosen]}
    for name, comparison in trials.ALL.items():
        kinds = set()
        for kind, _, row in trials.failures(comparison, batch, places):
            known = _seen.setdefault((name, kind), [])
            if kind in kinds or len(known) >= _MOST_OF_A_KIND:
                continue
            kinds.add(kind)
            failure = trials.minimised(name, kind, batch, row)
            if failure not in known:
                known.append(failure)
                failures.append(failure)
    return failures


def answer(texts: list[str]) -> dict[str, Any]:
    if MODE == "compiled":
        return {"failures": run(texts)}
    failures, features = [], []
    for text in texts:
        plain_kernels.BRANCHES.clear()
        failures += run([text])
        features.append(plain_kernels.BRANCHES.features())
    return {"failures": failures, "features": features}


def main() -> None:
    faulthandler.enable()
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not get into the answers
    places = plain_kernels.BRANCHES.places if MODE == "plain" else []
    print(json.dumps({"places": places}), file=channel, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=channel, flush=True)


if __name__ == "__main__":
    main()

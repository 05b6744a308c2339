"""Personal data: precision and recall on labelled text by type, speed on real text, and findings of real text to be judged.

    python benchmarks/pii.py --labelled synthetic_pii.jsonl.gz --input raw-00.parquet raw-01.parquet
    python benchmarks/pii.py --input raw-00.parquet --draw drawn.jsonl --number 300 --seed 1
    python benchmarks/pii.py --labelled synthetic_pii.jsonl.gz --judged drawn.jsonl

--labelled is JSON lines with `text` and `spans` of `type`, `start` and `end` in code points, as presidio-research has them. A
label is found if a finding of its type covers it, a finding is right if it covers a label of its type, or is covered by one.
Labels that cannot be real are counted apart: a card whose check digit is wrong, an IBAN, a social security number that no rule
gives out, an IP address that is not global by Python's `ipaddress`; telephone numbers are valid where the library
`phonenumbers` says so for one of --regions (with + for their own country). These checks are written here once more, on their
own. Speed is that of the opened stage with its defaults on batches of 1,000 documents, one thread, CPU seconds, the median.

--draw writes findings of --input to be read: who has added a `verdict` of right or wrong to each gets precision by --judged.
They are different ones, drawn at random by type as evenly as their numbers allow, with what stands around them.
"""

from __future__ import annotations

import argparse
import gzip
import ipaddress
import json
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from harness import RESULTS, facts, median, print_table, save

TYPES = {
    "EMAIL_ADDRESS": "email",
    "IP_ADDRESS": "ip",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "US_SSN": "us_ssn",
    "PHONE_NUMBER": "phone",
}
REGIONS = "US CA GB IE DE AT CH FR BE NL LU ES PT IT GR CY SE NO DK FI IS PL CZ SK HU SI HR EE LV LT AU NZ ZA BR IN JP"
CONTEXT = 60


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labelled", type=Path, help="JSON lines, gzipped or not")
    parser.add_argument("--regions", nargs="+", default=REGIONS.split(), help="for the second count of telephone numbers")
    parser.add_argument("--input", nargs="+", type=Path, default=[], help="Parquet files with a column `text`")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--draw", type=Path, help="write findings to this file, and do nothing else")
    parser.add_argument("--number", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--judged", type=Path, help="findings of --draw with a verdict")
    parser.add_argument("--output", type=Path, default=RESULTS / "pii.json")
    args = parser.parse_args()
    if args.draw:
        draw(args.input, args.draw, args.number, args.seed)
        return 0
    result: dict[str, Any] = facts(("numba", "numpy", "pyarrow", "phonenumbers", "sluice"))
    if args.labelled:
        result["labelled"] = {
            "file": args.labelled.name,
            "US": labelled(args.labelled, ["US"]),
            "many": {"regions": args.regions, **labelled(args.labelled, args.regions)},
        }
    if args.judged:
        result["judged"] = judged(args.judged)
    if args.input:
        result["speed"] = speed(args.input, args.runs)
    save(args.output, None, result)
    return 0


def labelled(path: Path, regions: list[str]) -> dict[str, Any]:
    """Counts by type, printed."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    found = findings([row["text"] for row in rows], regions)
    counts: dict[str, Counter[str]] = {name: Counter() for name in TYPES.values()}
    missed: list[list[str]] = []
    wrong: list[list[str]] = []
    for row, mine in zip(rows, found, strict=True):
        spans = [(TYPES[span["type"]], span["start"], span["end"]) for span in row["spans"] if span["type"] in TYPES]
        for name, start, end in spans:
            valid = is_valid(name, row["text"][start:end], regions)
            got = any(name == other and first <= start and end <= last for other, first, last in mine)
            counts[name].update(labels=1, valid=valid, found=got, valid_found=valid and got)
            if valid and not got:
                missed.append([name, row["text"][max(0, start - 30) : end + 15]])
        for name, first, last in mine:
            right = any(name == other and first < end and start < last for other, start, end in spans)
            if name in counts:
                counts[name].update(findings=1, right=right)
            if not right:
                wrong.append([name, row["text"][max(0, first - 30) : last + 15]])
    table = {
        name: {
            **{key: row[key] for key in ("labels", "found", "valid", "valid_found", "findings", "right")},
            "recall": share(row["found"], row["labels"]),
            "recall_of_valid": share(row["valid_found"], row["valid"]),
            "precision": share(row["right"], row["findings"]),
        }
        for name, row in counts.items()
    }
    print_table(
        f"{path.name}, phone_regions: {' '.join(regions)}",
        ["type", *table["email"]],
        [[n, *r.values()] for n, r in table.items()],
    )
    print("valid and missed:", *missed[:20], sep="\n  ")
    print("no label:", *wrong[:20], sep="\n  ")
    return {"types": table, "valid_missed": missed, "no_label": wrong}


def judged(path: Path) -> dict[str, Any]:
    """Right and wrong by type, and the wrong ones."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row["type"], Counter())[row["verdict"]] += 1
    table = {
        name: {"judged": row.total(), "right": row["right"], "precision": share(row["right"], row.total())}
        for name, row in sorted(counts.items())
    }
    print_table(
        "findings of real text, read one by one",
        ["type", "judged", "right", "precision"],
        [[n, *r.values()] for n, r in table.items()],
    )
    wrong = [row["before"][-30:] + row["value"] + row["after"][:15] for row in rows if row["verdict"] == "wrong"]
    return {"types": table, "wrong": wrong}


def share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def findings(texts: list[str], regions: list[str]) -> list[list[tuple[str, int, int]]]:
    """Type, first and last code point of each finding."""
    import pyarrow as pa

    from stages.redact_pii import RedactPii

    edited = RedactPii(phone_regions=tuple(regions)).open()(pa.table({"text": pa.array(texts, pa.large_string())}))
    found: list[list[tuple[str, int, int]]] = [[] for _ in texts]
    for row, name, offset, length in zip(edited.row, edited.type, edited.offset, edited.length, strict=True):
        found[row].append((name, int(offset), int(offset + length)))
    return found


def is_valid(name: str, value: str, regions: list[str]) -> bool:
    digits = re.sub(r"\D", "", value)
    if name == "card":
        doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
        return sum(sum(map(int, str(number))) for number in doubled) % 10 == 0
    if name == "iban":
        moved = value.upper().replace(" ", "")
        return int("".join(str(int(char, 36)) for char in moved[4:] + moved[:4])) % 97 == 1
    if name == "us_ssn":
        return not re.match(r"000|666|9|...00|.....0000", digits)
    if name == "ip":
        return ipaddress.ip_address(value).is_global
    return name == "email" or valid_phone(value, regions)


def valid_phone(value: str, regions: list[str]) -> bool:
    import phonenumbers

    for region in regions:
        try:
            number = phonenumbers.parse(value, region)
        except phonenumbers.NumberParseException:
            continue
        own = phonenumbers.is_valid_number(number) if value.startswith("+") else None
        if own or (own is None and phonenumbers.is_valid_number_for_region(number, region)):
            return True
    return False


def speed(files: list[Path], runs: int) -> dict[str, Any]:
    """MB of text for each second of one core."""
    import pyarrow.parquet as pq

    from stages.redact_pii import RedactPii

    table = [pq.read_table(path, columns=["text"]) for path in files]
    batches = [part.slice(at, 1000) for part in table for at in range(0, part.num_rows, 1000)]
    size = sum(batch.column("text").nbytes for batch in batches)
    opened = RedactPii().open()
    opened(batches[0])
    times, types = [], Counter[str]()
    for _ in range(runs):
        start = time.thread_time()
        edited = [opened(batch) for batch in batches]
        times.append(time.thread_time() - start)
        types = Counter(name for batch in edited for name in batch.type)
    found = {"files": [path.name for path in files], "bytes": size, "cpu_seconds": [round(one, 3) for one in times]}
    rate, fastest = (round(size / 1e6 / seconds, 1) for seconds in (median(times), min(times)))
    print(f"\n{size / 1e6:.0f} MB of real text: {rate} MB/s of one core, median of {runs}, fastest {fastest}; {dict(types)}")
    return {**found, "mb_per_second": rate, "mb_per_second_fastest": fastest, "findings": dict(sorted(types.items()))}


def draw(files: list[Path], path: Path, number: int, seed: int) -> None:
    """So many findings of each type, at random; what rare types leave over goes to the others."""
    import pyarrow.parquet as pq

    pools: dict[str, list[dict[str, Any]]] = {}
    seen = set()  # the same words before the same value are one finding: manuals are there in many languages
    for file in files:
        rows = pq.read_table(file, columns=["id", "source", "text"]).to_pylist()
        for row, mine in zip(rows, findings([row["text"] or "" for row in rows], ["US"]), strict=True):
            for name, first, last in mine:
                text = row["text"]
                if (key := (name, text[max(0, first - 12) : last])) in seen:
                    continue
                seen.add(key)
                around = {
                    "before": text[max(0, first - CONTEXT) : first],
                    "value": text[first:last],
                    "after": text[last : last + CONTEXT],
                }
                pools.setdefault(name, []).append(
                    {"type": name, "source": row["source"], "id": row["id"], "offset": first, **around}
                )
    chance = random.Random(seed)
    left, drawn = number, []
    for rank, name in enumerate(sorted(pools, key=lambda name: (len(pools[name]), name))):
        some = chance.sample(pools[name], min(len(pools[name]), left // (len(pools) - rank)))
        left -= len(some)
        drawn += some
        print(f"{name}: {len(pools[name])} findings, {len(some)} drawn", file=sys.stderr)
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in drawn), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

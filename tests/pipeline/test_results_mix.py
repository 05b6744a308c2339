"""A mixture's shares are told beside those asked for, and those off by more than half a percent are warned of."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from small_runs import curate, jsonl

from jobs.show import print_inspect
from pipeline.report import page
from pipeline.results_inspect import inspect
from pipeline.results_mix import missed, mixtures


def group(wanted: float, taken: float, **more: Any) -> dict[str, Any]:
    told = {"share_wanted": wanted, "taken_share": taken, "share_before": 0.5, "taken_tokens": 10, "epochs": 1.0, "rows": 5}
    return {**told, **more}


def step(**groups: dict[str, Any]) -> dict[str, Any]:
    return {"step": "mix", "stage": "mix", "facts": {"by": "source", "tokens": 100, "requested_tokens": 100, "groups": groups}}


@pytest.mark.parametrize(("taken", "told"), [(0.705, 0), (0.7051, 1), (0.695, 0), (0.6949, 1)])
def test_a_share_that_is_off_by_more_than_half_a_percent_is_told(taken: float, told: int) -> None:
    found = missed([step(web=group(0.7, taken), wiki=group(0.3, 0.3))])
    assert len(found) == told
    assert all("web is 7" in one or "web is 69.49 %" in one for one in found)


def test_groups_are_the_largest_first_with_the_input_s_shares_where_they_are_sources() -> None:
    later = {"step": "exact_dedup", "dropped": {"documents": 3}}
    sources = {name: {"in": {"tokens": tokens}} for name, tokens in (("web", 900), ("wiki", 100))}
    (found,) = mixtures([step(wiki=group(0.3, 0.29), web=group(0.7, 0.71)), later], sources)
    assert [(one["name"], one["input"], one["wanted"], one["taken"]) for one in found["groups"]] == [
        ("web", 0.9, 0.7, 0.71),
        ("wiki", 0.1, 0.3, 0.29),
    ]
    assert found["groups"][0]["off"] == pytest.approx(0.01)
    assert found["dropped_later"] == 3
    assert mixtures([later]) == []


def test_report_and_inspect_show_shares_after_deduplication_beside_those_asked_for(tmp_path: Path) -> None:
    sources = []
    for name, size, copies in (("web", 600, 300), ("wiki", 300, 0)):
        rows = [{"id": f"{at}", "text": f"{name} number {at % (size - copies)} of them all"} for at in range(size)]
        sources.append({"path": str(jsonl(tmp_path / f"{name}.jsonl", rows)), "source": name})
    stages = ["exact_dedup", "count_tokens", {"mix": {"tokens": 3000, "shares": {"web": 0.25, "wiki": 0.75}, "max_epochs": 2}}]
    run = curate(tmp_path / "out", sources, stages)
    facts = inspect(run.path)
    (mixture,) = facts["mixtures"]
    shares = {one["name"]: one for one in mixture["groups"]}
    # two thirds of the input are web; half of these are copies
    assert shares["web"]["input"] == pytest.approx(0.66, abs=0.01)
    assert shares["web"]["before"] == pytest.approx(0.5, abs=0.01)
    for name, wanted in (("web", 0.25), ("wiki", 0.75)):
        assert shares[name]["wanted"] == wanted
        assert abs(shares[name]["taken"] - wanted) <= 0.005
        tokens = {row["value"]: row["tokens"] for row in facts["groups"]["source"]}
        assert tokens[name] / sum(tokens.values()) == shares[name]["taken"]
    assert not [one for one in run.warnings if one.startswith("mix")]
    told = page(run)
    assert '<section id="mixture"' in told
    web = shares["web"]
    row = "".join(f"<td>{100 * web[key]:.2f} %</td>" for key in ("input", "before", "wanted", "taken"))
    assert f"<bdi>web</bdi></th>{row}" in told
    console = Console(width=120, record=True, file=open(tmp_path / "shown", "w"))  # noqa: SIM115
    print_inspect(run.path, console)
    shown = [line.split() for line in console.export_text().splitlines()]
    assert ["source", "before", "asked", "for", "taken", "tokens", "epochs"] in shown
    (line,) = [line for line in shown if line[:1] == ["web"] and "%" in line and len(line) > 7]
    assert line[1:7] == [f"{100 * web['before']:.2f}", "%", "25.00", "%", f"{100 * web['taken']:.2f}", "%"]

"""What steps asked of models, in sentences."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.results_format import duration, number


def asked_of_models(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """One sentence for each step that asked a model: who, how much, what came back."""
    found = []
    for step in steps:
        facts = step.get("facts") or {}
        if (asked := facts.get("asked")) is not None and facts.get("model"):
            found.append(f"{step['step']} asked {_name(facts['model'])}: {'; '.join(_parts(facts, asked))}")
    return found


def from_scripts(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """Steps whose answers come from a function in the place of a model."""
    models = [(step["step"], (step.get("facts") or {}).get("model") or {}) for step in steps]
    return [name for name, model in models if isinstance(model, dict) and str(model.get("name", "")).startswith("script:")]


def _name(model: Mapping[str, Any]) -> str:
    return f"{model['name']} ({model['revision']})" if model.get("revision") else str(model["name"])


def _parts(facts: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterable[str]:
    tokens = f"{number(asked['prompt_tokens'])} + {number(asked['completion_tokens'])} tokens"
    cost = "" if asked.get("cost") is None else f", cost {asked['cost']:.4g}"
    timed = asked.get("seconds") and asked["completion_tokens"]
    pace = f", {number(round(asked['completion_tokens'] / asked['seconds']))} tokens/s" if timed else ""
    took = f" in {duration(asked['seconds'])}" if asked.get("seconds") is not None else ""
    yield f"{number(asked['requests'])} requests{took}, {tokens}{pace}{cost}"
    if statuses := facts.get("statuses"):
        yield "answers: " + ", ".join(f"{number(count)} {name}" for name, count in statuses.items())
    if facts.get("tokens_p50") is not None:
        yield f"half of them up to {number(facts['tokens_p50'])} tokens, 95 % up to {number(facts['tokens_p95'])}"
    if ratings := facts.get("ratings"):
        unread = f", {number(facts['not_read'])} not read" if facts.get("not_read") else ""
        yield "ratings: " + ", ".join(f"{number(count)} x {name}" for name, count in ratings.items()) + unread
    if facts.get("agreeing") is not None:
        first = f", the first place wins {facts['first_wins']:.0%}" if facts.get("first_wins") is not None else ""
        yield f"{number(facts['comparisons'])} comparisons, both orders agree on {facts['agreeing']:.0%}{first}"

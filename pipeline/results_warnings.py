"""What a run's numbers say that its owner should look at."""

from collections.abc import Mapping
from typing import Any

from pipeline.results_format import number, share
from pipeline.results_mix import missed
from pipeline.results_models import from_scripts

Manifest = Mapping[str, Any]


def warnings_of(manifest: Manifest) -> list[str]:
    """Sentences about a manifest's counts, the gravest first; none if nothing stands out.

    `recipe.report.source_loss` (default 0.95) is the share of a source's documents above which its loss is told,
    `recipe.report.min_documents` (default 1) the number of documents below which a result counts as too small.
    """
    options = (manifest.get("recipe") or {}).get("report") or {}
    return [
        *_survivors(manifest, int(options.get("min_documents") or 1)),
        *_steps(manifest),
        *_alarms(manifest),
        *_scripts(manifest),
        *missed(manifest.get("steps") or []),
        *_other_languages(manifest),
        *_sources(manifest, float(options.get("source_loss", 0.95))),
        *_languages(manifest),
        *_inputs(manifest),
    ]


def _scripts(manifest: Manifest) -> list[str]:
    names = from_scripts(manifest.get("steps") or [])
    return [f"The answers of {_listed(names)} come from a script, not from a model: give an endpoint."] if names else []


def _survivors(manifest: Manifest, least: int) -> list[str]:
    counts = manifest.get("counts") or {}
    came, left = _documents(counts.get("in")), _documents(counts.get("out"))
    if came == 0:
        return ["No documents came in: the inputs are empty."]
    if left == 0:
        return [f"No document was kept: {number(came)} came in, and the data files are empty."]
    if left < least:
        return [f"Only {number(left)} documents were kept; the recipe asks for at least {number(least)}."]
    return []


def _steps(manifest: Manifest) -> list[str]:
    found = []
    for step in manifest.get("steps") or []:
        name, came, left = step["step"], _documents(step.get("in")), _documents(step.get("out"))
        if not came:
            continue
        if not left and step.get("kind") != "map":
            found.append(f"{name} kept none of {number(came)} documents.")
        elif step.get("stage", name).startswith("language_is"):
            found += [f"{name} kept no document in {language}." for language in _asked_languages(manifest, step)]
        rules = [rule for rule in step.get("rules") or [] if rule.get("limit") is not None]
        measured = step.get("measured", came)
        for rule in rules:
            if left and measured and rule.get("broken", 0) >= measured:
                found.append(f"{name}: every document breaks {rule['rule']} (of {number(measured)} measured).")
        idle = [rule["rule"] for rule in rules if not rule.get("broken")]
        if idle:
            found.append(f"{name}: no document broke {_listed(idle)}.")
    return found


def _alarms(manifest: Manifest) -> list[str]:
    steps = manifest.get("steps") or []
    return [f"{step['step']}: {alarm}." for step in steps for alarm in (step.get("facts") or {}).get("alarms") or []]


def _asked_languages(manifest: Manifest, step: Mapping[str, Any]) -> list[str]:
    """Languages that the step's parameters name and of which nothing came out."""
    languages = manifest.get("languages") or {}
    asked: list[str] = []
    for entry in (manifest.get("recipe") or {}).get("stages") or []:
        parameters = entry.get(step.get("stage"), entry.get(step["step"])) if isinstance(entry, Mapping) else None
        if isinstance(parameters, Mapping):
            asked += [str(language) for language in parameters.get("languages") or []]
    return [name for name in dict.fromkeys(asked) if languages and not _documents((languages.get(name) or {}).get("out"))]


def _other_languages(manifest: Manifest) -> list[str]:
    found = []
    for step in manifest.get("steps") or []:
        counts = sorted((step.get("other_languages") or {}).items(), key=lambda entry: (-entry[1], entry[0]))
        if counts:
            shown = [f"{number(documents)} {language}" for language, documents in counts[:5]]
            shown += [f"{number(sum(documents for _, documents in counts[5:]))} in others"] if counts[5:] else []
            total = sum(documents for _, documents in counts)
            found.append(
                f"{step['step']} judged {number(total)} {_plural(total, 'document', 'documents')} by limits chosen for other"
                f" languages ({', '.join(shown)}): set limits by language, or `other_languages: pass`."
            )
    return found


def _sources(manifest: Manifest, limit: float) -> list[str]:
    found = []
    for name, counts in (manifest.get("sources") or {}).items():
        came, left = _documents(counts.get("in")), _documents(counts.get("out"))
        if came and (came - left) / came > limit:
            found.append(f"Source {name} lost {share(came - left, came)} of its {number(came)} documents.")
    return found


def _languages(manifest: Manifest) -> list[str]:
    languages = manifest.get("languages") or {}
    found = []
    for side, words in (("in", "that came in"), ("out", "that were kept")):
        total = sum(_documents(counts.get(side)) for counts in languages.values())
        unknown = _documents((languages.get("und") or {}).get(side))
        if total and unknown / total > 0.2:
            found.append(f"No language could be told for {share(unknown, total)} of the documents {words} (und).")
    return found


def _inputs(manifest: Manifest) -> list[str]:
    found = []
    bad = _documents((manifest.get("counts") or {}).get("quarantined"))
    if bad:
        found.append(f"{number(bad)} {_plural(bad, 'document was', 'documents were')} quarantined.")
    for source, count in (manifest.get("repeated_ids") or {}).items():
        if count:
            found.append(f"Source {source}: {number(count)} {_plural(count, 'id occurs', 'ids occur')} more than once.")
    left_out = manifest.get("left_out") or []
    if left_out:
        files = f"{number(len(left_out))} {_plural(len(left_out), 'file', 'files')}"
        found.append(
            f"{files} of the input folders {_plural(len(left_out), 'was', 'were')} not read, such as {left_out[0]['path']}."
        )
    return found


def _documents(count: Mapping[str, Any] | None) -> int:
    return int((count or {}).get("documents") or 0)


def _plural(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]

"""An alarm where duplicates wipe out more than they should."""

from typing import Any, Literal

from pydantic import Field

from schemas.errors import StageError
from stages.core.stage import Stage


class Alarmed(Stage):
    """Parameters of a Global that raises an alarm."""

    alarm: Literal["warn", "stop", "off"] = Field("warn", description="what to do where duplicates wipe out too much")
    alarm_cluster: int = Field(10_000, description="documents in one cluster that raise the alarm", ge=2)
    alarm_source_fraction: float = Field(
        0.9, description="share of a source's documents (of 100 at least) that may go before the alarm is raised", gt=0, le=1
    )

    def raised(self, facts: dict[str, Any]) -> list[str]:
        """The alarms to tell of. Raises `StageError` where one ends the run, before anything is dropped."""
        found = [] if self.alarm == "off" else wiped_out(facts, self.alarm_cluster, self.alarm_source_fraction)
        if found and self.alarm == "stop":
            told = "; ".join(found)
            raise StageError(f"{told}. Nothing was dropped; if that is right, set alarm: warn and run again: sketches are kept")
        return found


def wiped_out(facts: dict[str, Any], cluster: int, source_fraction: float) -> list[str]:
    """What duplicates wipe out, in words: clusters of so many documents, sources that lose more than such a share of theirs.

    Templates look so, or a threshold that is too low. `facts` has `largest_components` and `sources`.
    """
    found = [
        f"{group['size']} documents are a cluster, of which {group['survivor_source']}:{group['survivor_id']} stays"
        f" (alarm_cluster is {cluster})"
        for group in facts["largest_components"]
        if group["size"] >= cluster
    ]
    for name, counts in facts["sources"].items():
        if counts["documents"] >= 100 and counts["dropped"] > source_fraction * counts["documents"]:
            found.append(
                f"the source {name!r} loses {counts['dropped']} of {counts['documents']} documents as duplicates"
                f" (alarm_source_fraction is {source_fraction:g})"
            )
    return found

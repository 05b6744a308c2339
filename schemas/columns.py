"""Columns of a document, and the Arrow schemas of every table that Sluice writes."""

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Drop:
    """What a user's function returns to drop a document: a reason and, if there is one, the value that broke a limit."""

    reason: str
    value: float | None = None
    limit: float | None = None


TEXT = pa.large_string()

DOCUMENT = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False, metadata={"doc": "the source's own, else a hash of source, path and row"}),
        pa.field("source", pa.string(), nullable=False, metadata={"doc": "name of the input, as the recipe gives it"}),
        pa.field("text", TEXT, nullable=False, metadata={"doc": "the document, valid UTF-8"}),
        pa.field("url", pa.string(), metadata={"doc": "where it came from, if the source says so"}),
        pa.field("date", pa.string(), metadata={"doc": "date of the document or its crawl, as the source writes it"}),
        pa.field("extra", pa.string(), metadata={"doc": "all other columns of the source as one JSON object, or null"}),
    ]
)
"""What every reader gives. Mapped columns follow `date`; columns that stages write come before `extra`."""

WEB = {
    "mime": "string",
    "charset": "string",
    "http_status": "int64",
    "robots_tag": "string",
    "tdm_reservation": "string",
    "content_language": "string",
    "truncated": "string",
}
"""What readers of web archives and HTML write after `date`, with types as in recipes: the media type by declaration and
content, the charset that was decoded, the status, three headers of the response, and WARC-Truncated."""

COPY = pa.field("copy", pa.int32(), nullable=False, metadata={"doc": "which copy of a repeated document this is, from 0"})

COPIES = pa.schema([pa.field("row", pa.int32(), nullable=False), pa.field("copies", pa.int32(), nullable=False)])
"""How often documents of one part are there, sorted by row."""

TOKEN_COUNT = pa.field(
    "token_count", pa.int64(), nullable=False, metadata={"doc": "tokens of text, see the manifest's counter"}
)

DROPS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("part", pa.int64(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        pa.field("step", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("rank", pa.int16(), nullable=False),
        pa.field("measure", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("op", pa.string()),
        pa.field("limit", pa.float64()),
        pa.field("survivor_source", pa.string()),
        pa.field("survivor_id", pa.string()),
        pa.field("similarity", pa.float64()),
        pa.field("cluster", pa.string()),
        pa.field("bytes", pa.int64(), nullable=False),
    ]
)
"""One row for each broken rule of a dropped document; `rank` 0 is the reason, and counts the document.

`bytes` is the length of its text in UTF-8. `cluster` of a duplicate is `source:id` of the document that is kept before
all others of its cluster, mostly its survivor.
"""

QUARANTINED = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("part", pa.int64(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        pa.field("place", pa.string(), nullable=False),
        pa.field("step", pa.string(), nullable=False),
        pa.field("error", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
        pa.field("trace", pa.string()),
        pa.field("excerpt", pa.string()),
        pa.field("bytes", pa.int64(), nullable=False),
    ]
)
"""One row for each document that failed: where it stands (file and row), the step, the error's class, message and trace."""

EDITS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("part", pa.int64(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        pa.field("step", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
    ]
)
"""One row for each edit of a step that tells of its edits, never what stood there.

`offset` and `length` are code points of the text as it came to the step. With NO_PLACE as its `offset` a row stands for all
edits of its type in the document, and `length` is their number.
"""

LINEAGE = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("part", pa.int64(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        pa.field("step", pa.string(), nullable=False),
        pa.field("relation", pa.string(), nullable=False),
        pa.field("other_id", pa.string(), nullable=False),
        pa.field("how", pa.string()),
    ]
)
"""Two rows for each document that a step made of another and gave an id of its own: one from each end.

`relation` of the document `id` to `other_id` of the same source: made_from, or made_into. `how` is JSON of the step's own: for
a model's answer the prompt, the model, its revision and the keys of the requests.
"""

CUT = pa.schema(
    [
        pa.field("row", pa.int32(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("stop", pa.int64(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
    ]
)
"""Spans that a Global cuts out of the texts of one part, in bytes of the text, sorted by row and start; none overlap."""

VERDICT = pa.schema(
    [
        pa.field("row", pa.int32(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("measure", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("op", pa.string()),
        pa.field("limit", pa.float64()),
        pa.field("survivor_source", pa.string()),
        pa.field("survivor_id", pa.string()),
        pa.field("similarity", pa.float64()),
        pa.field("cluster", pa.string()),
    ]
)
"""A Global's answer for one part, sorted by row: the documents to drop, and why. Duplicates of one cluster have its name."""

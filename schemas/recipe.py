"""The recipe's own keys. Stage entries are checked against the stages themselves, by `pipeline.recipe`."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}


def parse_bytes(value: Any) -> Any:
    """A number of bytes from 1048576, "1MiB" or "256 MB"; anything else is returned for pydantic to refuse."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*([0-9.]+)\s*([a-zA-Z]*)\s*", value)):
        number, unit = match.groups()
        if unit.lower() in _UNITS:
            return round(float(number) * _UNITS[unit.lower()])
    return value


Bytes = Annotated[int, BeforeValidator(parse_bytes, json_schema_input_type=int | str)]


class Keys(BaseModel):
    """Base of all parts of a recipe: unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(Keys):
    """A source column that is carried along under a name and type of its own."""

    column: str = Field(description="name in the source")
    type: Literal["string", "int64", "float64", "bool"] = Field(
        "string", description="type in the output; other values become null"
    )


class Input(Keys):
    """Files, folders or globs of one source."""

    path: str | tuple[str, ...] = Field(
        description="file, folder or glob, relative to where the command is started; or a list of them"
    )
    source: str | None = Field(None, description="name in the column `source`; default: the name of the file or folder")
    format: Literal["auto", "parquet", "jsonl", "text", "html", "warc"] = Field(
        "auto", description="auto goes by the file's ending; warc reads WARC, WET and ARC"
    )
    columns: dict[str, str | Column] = Field(
        {}, description="our column: the source's; `text: content`, or `score: {column: quality, type: float64}`"
    )
    other_columns: Literal["extra", "drop", "error"] = Field(
        "extra", description="columns not mapped: into `extra` as JSON, left out, or an error (in JSONL a quarantined document)"
    )
    text_documents: Literal["file", "line"] = Field(
        "file", description="plain text: a document is a file, or a line that is not blank"
    )

    statuses: tuple[int, ...] = Field((200,), description="web archives: HTTP statuses of responses that are pages")
    mimes: tuple[str, ...] = Field(
        ("text/html", "application/xhtml+xml", "text/plain"), description="web archives: media types that are pages"
    )

    @field_validator("path", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    def paths(self) -> tuple[str, ...]:
        """The paths as a tuple."""
        return (self.path,) if isinstance(self.path, str) else self.path


class Output(Keys):
    """How the training set is written."""

    order: Literal["seeded", "source", "curriculum"] = Field(
        "seeded", description="shuffled by hash of (seed, source, id), as the sources have it, or by the score in `by`"
    )
    by: str | None = Field(None, description="with order: curriculum, the column with the score, the lowest first")
    descending: bool = Field(False, description="with order: curriculum, the highest first")
    shard_bytes: Bytes = Field(
        256_000_000, ge=1, description="text of one file of data/, UTF-8, about", json_schema_extra={"unit": "bytes"}
    )
    shard_rows: int | None = Field(
        None, ge=1, description="documents of one file of data/, about", json_schema_extra={"unit": "documents"}
    )
    row_group_bytes: Bytes = Field(
        32_000_000,
        ge=1,
        description="text of one row group, about; what a streaming reader holds",
        json_schema_extra={"unit": "bytes"},
    )
    compression_level: int = Field(3, ge=1, le=22, description="zstd level")

    @model_validator(mode="after")
    def _score_is_named(self) -> Self:
        if (self.order == "curriculum") != (self.by is not None):
            raise ValueError("order: curriculum and by: COLUMN go together")
        return self


class Failures(Keys):
    """What happens to a document on which a stage raises, hangs or kills its process."""

    on_error: Literal["quarantine", "stop"] = Field(
        "quarantine", description="set the document aside with its error, or end the run"
    )
    max_fraction: float = Field(0.01, ge=0, le=1, description="share of failed documents above which the run fails")
    min_count: int = Field(
        20, ge=0, description="so many failed documents are always allowed", json_schema_extra={"unit": "documents"}
    )
    document_cpu_seconds: float = Field(
        60,
        gt=0,
        description="a document that needs more CPU time than this in one batch of its own is quarantined",
        json_schema_extra={"unit": "s"},
    )
    batch_cpu_seconds: float = Field(
        300,
        gt=0,
        description="a batch that needs more CPU time is searched for the document that hangs",
        json_schema_extra={"unit": "s"},
    )
    worker_memory_bytes: Bytes = Field(
        4_000_000_000,
        ge=1,
        description="memory for one batch while such a document is searched for",
        json_schema_extra={"unit": "bytes"},
    )
    batch_wall_seconds: float = Field(
        1800,
        gt=0,
        description="the same by the clock, for stages that wait for ever without working",
        json_schema_extra={"unit": "s"},
    )


class Resources(Keys):
    """Sizes of the pieces in which work is done. They never change a decision."""

    batch_bytes: Bytes = Field(
        4_000_000,
        ge=1,
        description="text that is in memory at a time, for each worker, about",
        json_schema_extra={"unit": "bytes"},
    )
    part_bytes: Bytes | None = Field(
        None,
        ge=1,
        description="text of one unit of work; default from the input's size, 16 MB to 128 MB",
        json_schema_extra={"unit": "bytes"},
    )
    object_store_bytes: Bytes = Field(
        256_000_000,
        ge=80_000_000,
        description="size of Ray's object store where Sluice starts Ray itself; no text passes through it",
        json_schema_extra={"unit": "bytes"},
    )
    stall_seconds: float = Field(
        45,
        gt=0,
        description="on Ray, a run of which nothing has begun after so long, because something else holds every CPU, ends",
        json_schema_extra={"unit": "s"},
    )
    ray_folder: str | None = Field(
        None, description="folder for Ray's session and spilled objects, where Sluice starts Ray; default Ray's"
    )
    max_document_bytes: Bytes = Field(
        1_000_000_000,
        ge=1,
        le=2_000_000_000,
        description="a longer document is quarantined",
        json_schema_extra={"unit": "bytes"},
    )


class ReportOptions(Keys):
    """When the report warns."""

    source_loss: float = Field(0.95, ge=0, le=1, description="warn if a source loses more than this share of its documents")
    undetermined_share: float = Field(0.2, ge=0, le=1, description="warn if more than this share has the language `und`")


class RecipeKeys(Keys):
    """A recipe: where text comes from, what is done to it, and how the result is written."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$", description="name of the run's folder")
    description: str = Field("", description="a sentence for the report")
    input: tuple[Input, ...] = Field((), description="sources; `--input` on the command line replaces them")
    stages: tuple[Any, ...] = Field((), description="stages in order: a name, or a name with its parameters")
    output: Output = Output()
    seed: int = Field(0, ge=0, lt=2**63, description="for everything that is random: sampling and the order of the output")
    tokenizer: str | None = Field(
        None, description="path of a tokenizer.json that counts tokens; without it they are estimated from bytes"
    )
    failures: Failures = Failures()
    resources: Resources = Resources()
    report: ReportOptions = ReportOptions()

    @field_validator("input", "stages", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        if isinstance(value, dict | str):
            value = [value]
        return tuple(value) if isinstance(value, list) else value

    @field_validator("input", mode="before")
    @classmethod
    def _plain_paths(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            value = [value]
        return tuple({"path": entry} if isinstance(entry, str) else entry for entry in value)

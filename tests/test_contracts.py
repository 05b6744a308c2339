"""Every stage keeps the contracts; and each contract is found broken where a stage breaks it."""

import ctypes
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from pydantic import Field

from pipeline import contracts, registry
from pipeline.function import Function
from pipeline.specimens import HUGE, TEXTS, documents, example
from schemas.columns import VERDICT
from schemas.rule import Limit, at_least
from stages.core.stage import Expand, Filter, Global, Map
from stages.core.tuned import TunedFilter


@pytest.mark.parametrize("name", registry.names())
def test_every_stage_keeps_the_contracts(name: str) -> None:
    assert broken(example(registry.find(name))) == {}


class ByteLength(Filter):
    """Keep documents of enough bytes."""

    unit = "char"

    min_bytes: Limit | None = Field(3, description="bytes")

    def measures(self) -> dict[str, pa.DataType]:
        return {"bytes": pa.int64()}

    def measure(self, docs: Any) -> dict[str, np.ndarray]:
        return {"bytes": np.diff(docs.text().offsets)}

    def rules(self) -> Any:
        return (at_least("bytes", self.min_bytes, "min_bytes"),)


class Upper(Map):
    """Text in capitals."""

    suffix: str = Field("", description="put after it")

    def columns_written(self) -> dict[str, pa.DataType]:
        return {"text": pa.large_string()}

    def apply(self, table: pa.Table) -> pa.Table:
        texts = [(text or "").upper() + self.suffix for text in table.column("text").to_pylist()]
        at = table.schema.get_field_index("text")
        return table.set_column(at, table.schema.field("text"), pa.array(texts, pa.large_string()))


class Lines(Expand):
    """One document for each line."""

    def columns_written(self) -> dict[str, pa.DataType]:
        return {"text": pa.large_string()}

    def apply(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
        parents = [row for row, text in enumerate(table["text"].to_pylist()) for _ in (text or "").split("\n")]
        lines = [line for text in table["text"].to_pylist() for line in (text or "").split("\n")]
        at = table.schema.get_field_index("text")
        # the long texts must not be repeated for each of their lines
        children = table.set_column(at, "text", pa.nulls(len(table), pa.large_string())).take(pa.array(parents, pa.int64()))
        lines_column = pa.array(lines, pa.large_string())
        return children.set_column(at, table.schema.field("text"), lines_column), np.array(parents, np.int64)


class Scored(ByteLength):
    """Reads a score and a language."""

    def columns_read(self) -> tuple[str, ...]:
        return "text", "quality_score", "language"

    def measure(self, docs: Any) -> dict[str, np.ndarray]:
        assert docs.numbers("quality_score").dtype == np.float64
        assert set(docs.table["language"].to_pylist()) <= {"en", "de", "zh", "und", "th"}
        return super().measure(docs)


class SameLengthDedup(Global):
    """Keep one document of each length."""

    def sketch_schema(self) -> pa.Schema:
        return pa.schema([pa.field("bytes", pa.int64(), nullable=False)])

    def sketch(self, docs: Any) -> pa.Table:
        return pa.table({"bytes": np.diff(docs.text().offsets)}, self.sketch_schema())

    def order(self, part: int, row: dict[str, Any]) -> Any:
        return row["source"], row["id"]

    def solve(self, sketches: Any, verdicts: Any) -> dict[str, Any]:
        rows = [
            (row["bytes"], self.order(part, row), part, row)
            for part in sketches.parts()
            for row in sketches.read(part, ["bytes", "row", "source", "id"]).to_pylist()
        ]
        first: dict[int, dict[str, Any]] = {}
        drops: dict[int, list[dict[str, Any]]] = {}
        for size, _, part, row in sorted(rows, key=lambda entry: entry[:2]):
            kept = first.setdefault(size, row)
            if kept is not row:
                told = {"survivor_source": kept["source"], "survivor_id": kept["id"]}
                drops.setdefault(part, []).append(
                    {**dict.fromkeys(VERDICT.names), "row": row["row"], "rule": "same_length", "similarity": 1.0, **told}
                )
        for part, dropped in drops.items():
            verdicts.write(part, pa.Table.from_pylist(sorted(dropped, key=lambda drop: drop["row"]), VERDICT))
        return {"lengths": len(first)}


class UpperThenLength(Map):
    """A set of two nodes."""

    def nodes(self) -> Any:
        return Upper(suffix="!"), ByteLength()


def broken(stage: Any) -> dict[str, str]:
    return {found.name: found.why for found in contracts.check(stage) if not found.passed}


@pytest.mark.parametrize("kind", [ByteLength, Upper, Lines, SameLengthDedup, UpperThenLength])
def test_a_stage_that_keeps_its_contracts_passes_all_checks(kind: Any) -> None:
    assert broken(kind()) == {}


def test_a_stage_without_docstring_or_description_is_not_documented() -> None:
    class Bare(ByteLength):
        pass

    class Vague(ByteLength):
        """Documented."""

        limit: int = 1

    assert "no docstring" in broken(Bare())["documented"]
    assert "'limit'" in broken(Vague())["documented"]


def test_a_stage_that_looks_at_the_batch_is_found() -> None:
    class Shares(ByteLength):
        """Bytes, as a share of the batch."""

        def measure(self, docs: Any) -> dict[str, np.ndarray]:
            return {"bytes": np.diff(docs.text().offsets) + len(docs)}

    assert "'bytes' differs at row 0" in broken(Shares())["same answer for any batches"]


def test_a_column_whose_type_depends_on_the_batch_is_found() -> None:
    class Guesses(Upper):
        """Adds a column of whatever type its values have."""

        def columns_written(self) -> dict[str, pa.DataType]:
            return {**super().columns_written(), "day": pa.string()}

        def apply(self, table: pa.Table) -> pa.Table:
            return super().apply(table).append_column("day", pa.array(table["date"].to_pylist()))

    found = broken(Guesses())
    assert "day: null instead of id: string" in found["same answer for any batches"]
    assert "day: null" in found["empty batch"]
    assert "writes what it declares" not in found


def test_a_stage_that_ignores_the_offset_of_a_slice_is_found() -> None:
    class Careless(ByteLength):
        """Reads the buffer from its start."""

        def measure(self, docs: Any) -> dict[str, np.ndarray]:
            chunks = docs.table.column("text").chunks
            offsets = np.frombuffer(chunks[0].buffers()[1], np.int64) if len(docs) else np.zeros(1, np.int64)
            return {"bytes": np.diff(offsets[: len(docs) + 1])}

    assert "same answer for any batches" in broken(Careless())


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.zeros(1, np.int32), "is int32, expected int64"),
        (np.array([np.nan]), "is nan for document 0"),
        ([1], "expected a NumPy array"),
        (np.zeros(2, np.int64), "expected a NumPy array of 1 numbers"),
    ],
)
def test_measures_of_another_form_are_refused(values: Any, why: str) -> None:
    class Odd(ByteLength):
        """Odd."""

        def measures(self) -> dict[str, pa.DataType]:
            return {"bytes": pa.float64() if getattr(values, "dtype", None) == np.float64 else pa.int64()}

        def measure(self, docs: Any) -> dict[str, np.ndarray]:
            return {"bytes": values}

    with pytest.raises(contracts.Broken, match=why):
        contracts.apply(Odd(), documents(("one",)))


def test_a_measure_that_is_missing_is_named() -> None:
    class Silent(ByteLength):
        """Silent."""

        def measure(self, docs: Any) -> dict[str, np.ndarray]:
            return {}

    assert "measure gave [], expected ['bytes']" in broken(Silent())["empty batch"]


def test_a_rule_must_judge_a_measure_and_bear_the_name_of_a_parameter() -> None:
    class Unmeasured(ByteLength):
        """Judges what it does not measure."""

        def rules(self) -> Any:
            return (at_least("words", 1, "min_bytes"),)

    class Unnamed(ByteLength):
        """A rule with a name of its own."""

        def rules(self) -> Any:
            return (at_least("bytes", 1, "min_length"),)

    name = "rules fit measures and parameters"
    assert "judges 'words'" in broken(Unmeasured())[name]
    assert "'min_length' must bear the name of one parameter" in broken(Unnamed())[name]


def test_a_filter_must_say_what_its_limits_count_and_for_which_languages_they_hold() -> None:
    class Unitless(ByteLength):
        """Counts something."""

        unit = None

    class Unknown(ByteLength):
        """Holds for a language that lid.176 does not know."""

        def validated_for(self) -> frozenset[str]:
            return frozenset({"en", "deu"})

    assert "write `unit = ...`, one of char, word, line, document" in broken(Unitless())["declares its unit"]
    assert "validated_for names ['deu']" in broken(Unknown())["declares its unit"]


def test_a_preset_that_rules_leave_as_it_is_is_found() -> None:
    class Preset(TunedFilter):
        """Forgets to make tables of presets."""

        unit = "char"
        min_bytes: Limit | None = Field("fineweb2", description="bytes")

        def measures(self) -> dict[str, pa.DataType]:
            return {"bytes": pa.int64()}

        def measure(self, docs: Any) -> dict[str, np.ndarray]:
            return {"bytes": np.diff(docs.text().offsets)}

        def rules(self) -> Any:
            return (at_least("bytes", self.min_bytes, "min_bytes"),)

    assert "must end with self.for_languages" in broken(Preset())["rules fit measures and parameters"]


def test_a_column_that_is_read_but_not_declared_is_named() -> None:
    class Sneaky(ByteLength):
        """Reads url."""

        def measure(self, docs: Any) -> dict[str, np.ndarray]:
            docs.table.column("url")
            return super().measure(docs)

    assert "url" in broken(Sneaky())["reads what it declares"]


def test_columns_beyond_the_core_are_made_up_for_a_stage_that_declares_them() -> None:
    assert broken(Scored()) == {}


def test_a_map_that_writes_what_it_does_not_declare_is_found() -> None:
    class Adds(Upper):
        """Adds a column."""

        def apply(self, table: pa.Table) -> pa.Table:
            return super().apply(table).append_column("new", pa.array([1] * len(table), pa.int64()))

    class Edits(Upper):
        """Says that it writes nothing."""

        def columns_written(self) -> dict[str, pa.DataType]:
            return {}

    assert "'new' is int64, expected not there" in broken(Adds())["writes what it declares"]
    assert "column 'text' differs" in broken(Edits())["writes what it declares"]


def test_a_map_that_loses_or_reorders_documents_is_found() -> None:
    class Loses(Upper):
        """Loses empty texts."""

        def apply(self, table: pa.Table) -> pa.Table:
            return table.filter(pa.array([bool(text) for text in table["text"].to_pylist()], pa.bool_()))

    class Reorders(Upper):
        """Turns the batch round."""

        def apply(self, table: pa.Table) -> pa.Table:
            return table.take(pa.array(range(len(table))[::-1], pa.int64()))

    assert f"got {len(TEXTS)} documents and gave {len(TEXTS) - 1}" in broken(Loses())["writes what it declares"]
    assert "column 'id' differs" in broken(Reorders())["writes what it declares"]


def test_an_expand_that_loses_a_parent_is_found() -> None:
    class Forgets(Lines):
        """Forgets the first document."""

        def apply(self, table: pa.Table) -> tuple[pa.Table, np.ndarray]:
            children, parents = super().apply(table)
            return children.filter(pa.array(parents > 0)), parents[parents > 0]

    assert "parents of an Expand" in broken(Forgets())["writes what it declares"]


def test_a_stage_that_writes_into_its_input_is_found() -> None:
    class Scribbles(ByteLength):
        """Blanks the first byte of the batch."""

        def measure(self, docs: Any) -> dict[str, np.ndarray]:
            for chunk in docs.table.column("text").chunks:
                ctypes.memset(chunk.buffers()[2].address, ord("#"), 1)
            return super().measure(docs)

    assert "changed the batch" in broken(Scribbles())["leaves its input alone"]


def test_a_stage_that_cannot_be_pickled_is_found() -> None:
    class Local(ByteLength):
        """Defined inside a function."""

    assert "cannot be pickled" in broken(Local())["survives pickling"]


def test_a_stage_that_fails_on_a_huge_or_empty_text_is_found_with_its_error() -> None:
    class Fragile(ByteLength):
        """Fails."""

        def measure(self, docs: Any) -> dict[str, np.ndarray]:
            if max(np.diff(docs.text().offsets), default=0) > 500_000:
                raise OverflowError("too long")
            return super().measure(docs)

    assert broken(Fragile())["huge text"].startswith("it raised OverflowError: too long (")
    assert all(len(text.encode()) >= 900_000 for text in HUGE)


def test_a_null_text_must_count_as_empty() -> None:
    class Nulls(ByteLength):
        """Gives null texts a length."""

        def measure(self, docs: Any) -> dict[str, np.ndarray]:
            return {"bytes": np.array([9 if text is None else len(text) for text in docs.table["text"].to_pylist()], np.int64)}

    assert "null text beside an empty one" in broken(Nulls())["null text"]


def test_a_default_that_yaml_cannot_hold_is_found() -> None:
    class Forgetful(ByteLength):
        """Loses a parameter on the way."""

        secret: str = Field("", description="left out", exclude=True)

    assert broken(Forgetful(secret="x"))["parameters survive YAML"]


def test_a_solve_that_depends_on_parts_is_found() -> None:
    class ByAddress(SameLengthDedup):
        """Keeps the first by address."""

        def order(self, part: int, row: dict[str, Any]) -> Any:
            return part, row["row"]

    assert "the verdict on" in broken(ByAddress())["verdicts do not depend on parts"]


def test_verdicts_of_another_schema_or_order_are_refused() -> None:
    verdicts = contracts.MemoryVerdicts([2])
    with pytest.raises(contracts.Broken, match="expected VERDICT"):
        verdicts.write(0, pa.table({"row": [0]}))
    rows = [{**dict.fromkeys(VERDICT.names), "row": row, "rule": "copy"} for row in (1, 0)]
    with pytest.raises(contracts.Broken, match="ascending"):
        verdicts.write(0, pa.Table.from_pylist(rows, VERDICT))
    verdicts.write(0, pa.Table.from_pylist(rows[:1], VERDICT))
    with pytest.raises(contracts.Broken, match="twice"):
        verdicts.write(0, pa.Table.from_pylist(rows[:1], VERDICT))
    with pytest.raises(contracts.Broken, match="does not exist"):
        verdicts.write(1, pa.Table.from_pylist(rows[:1], VERDICT))


def test_a_sketch_of_another_schema_is_refused() -> None:
    class Loose(SameLengthDedup):
        """Forgets that its column is never null."""

        def sketch(self, docs: Any) -> pa.Table:
            return pa.table({"bytes": np.diff(docs.text().offsets)})

    assert "the sketch has bytes: int64, expected bytes: int64 not null" in broken(Loose())["empty batch"]


def test_a_required_parameter_comes_from_the_example_of_the_class() -> None:
    class Needs(ByteLength):
        """Needs a word."""

        example: ClassVar[dict[str, Any]] = {"word": "river"}
        word: str = Field(description="a word")

    assert example(Needs) == Needs(word="river")


def test_a_function_is_checked_like_a_stage(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "contract_rules.py").write_text(
        "def shorten(document):\n    return {**document, 'text': document['text'][:9]} if document['text'] else None\n"
        "calls = []\n"
        "def alternate(document):\n    calls.append(1)\n    return document if len(calls) % 3 else None\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert broken(Function(function="contract_rules:shorten")) == {}
    assert "same answer for any batches" in broken(Function(function="contract_rules:alternate"))


def test_a_missing_extra_is_told_before_anything_is_checked() -> None:
    class Heavy(ByteLength):
        """Needs a package."""

        def requirements(self) -> tuple[tuple[str, str], ...]:
            return (("no_such_module_here", "parity"),)

    with pytest.raises(contracts.MissingExtra, match=r"pip install 'sluice\[parity\]'"):
        contracts.check(Heavy())

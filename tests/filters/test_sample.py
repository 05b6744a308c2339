import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.sample import Sample
from pipeline.judge import judge
from schemas.rule import Table
from stages.core.docs import Docs
from stages.kernels.hashing import hash_unit, order_keys

DOCUMENTS = pa.table(
    {"source": ["web"] * 5000, "id": [f"d{i}" for i in range(5000)], "language": ["en", "th"] * 2500},
    schema=pa.schema([("source", pa.string()), ("id", pa.string()), ("language", pa.string())]),
)


def kept(stage: Sample, table: pa.Table = DOCUMENTS) -> set[str]:
    broken = judge("s", stage.rules(), stage.measure(Docs(table)), table)
    ids = table["id"].to_pylist()
    return set(ids) - {ids[row] for one in broken for row in one.rows}


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
def test_about_the_fraction_is_kept(fraction: float) -> None:
    assert len(kept(Sample(fraction=fraction, seed=7))) == pytest.approx(5000 * fraction, abs=120)


def test_zero_keeps_nothing_and_one_keeps_all() -> None:
    assert kept(Sample(fraction=0, seed=1)) == set()
    assert len(kept(Sample(fraction=1, seed=1))) == 5000


def test_the_position_at_the_fraction_is_kept() -> None:
    one = DOCUMENTS.slice(3, 1)
    position = float(hash_unit(order_keys(7, "sample", one["source"], one["id"]))[0])
    assert kept(Sample(fraction=position, seed=7), one) == {"d3"}
    assert kept(Sample(fraction=float(np.nextafter(position, 0)), seed=7), one) == set()


def test_a_smaller_fraction_is_part_of_a_larger() -> None:
    assert kept(Sample(fraction=0.2, seed=7)) < kept(Sample(fraction=0.4, seed=7))


def test_another_seed_or_source_chooses_others() -> None:
    elsewhere = DOCUMENTS.set_column(0, "source", pa.array(["books"] * 5000))
    first = kept(Sample(fraction=0.5, seed=7))
    assert 1000 < len(first & kept(Sample(fraction=0.5, seed=8))) < 1500
    assert 1000 < len(first & kept(Sample(fraction=0.5, seed=7), elsewhere)) < 1500


def test_a_document_s_fate_does_not_depend_on_its_batch() -> None:
    stage = Sample(fraction=0.3, seed=7)
    pieces = [kept(stage, DOCUMENTS.slice(start, 700)) for start in range(0, 5000, 700)]
    assert set().union(*pieces) == kept(stage)


def test_each_value_of_a_column_may_have_its_fraction() -> None:
    stage = Sample(fraction=Table(values={"th": 1.0}, default=0.0), seed=7)
    assert stage.columns_read() == ("source", "id", "language")
    assert kept(stage) == {f"d{i}" for i in range(1, 5000, 2)}


@pytest.mark.parametrize("fraction", [-0.1, 1.5])
def test_a_fraction_outside_0_to_1_is_refused(fraction: float) -> None:
    with pytest.raises(ValidationError, match=r"expected from 0\.0 to 1\.0"):
        Sample(fraction=fraction)


def test_it_ends_a_group() -> None:
    assert Sample(fraction=0.5).gate

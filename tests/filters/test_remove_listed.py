"""What is on a removal list goes, by id, address or domain, and nothing else does."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.remove_listed import RemoveListed
from schemas.errors import InputError
from stages.core.docs import Docs

URLS = [
    "https://www.example.org/a/?q=1#top",
    "http://example.org/A",
    "https://blog.example.com/post",
    "https://example.company/",
    None,
    "no address",
]


def listed(folder: Path, **lists: str) -> RemoveListed:
    paths = {}
    for name, text in lists.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        paths[name] = (str(folder / f"{name}.txt"),)
    return RemoveListed(**paths)


def measured(stage: RemoveListed, **columns: Any) -> dict[str, list[int]]:
    return {name: values.tolist() for name, values in stage.measure(Docs(pa.table(columns))).items()}


def test_an_id_is_compared_letter_by_letter_with_or_without_its_source(tmp_path: Path) -> None:
    stage = listed(tmp_path, ids="# by mail\n\n a/1#2 \nb:x\nDOC\n")
    found = measured(stage, id=["a/1#2", "x", "x", "doc", "# by mail", "DOC"], source=["a", "a", "b", "a", "a", "c"])
    assert found == {"listed_id": [1, 0, 1, 0, 0, 1], "listed_url": [0] * 6, "listed_domain": [0] * 6}
    assert stage.columns_read() == ("id", "source")


def test_an_address_goes_however_it_is_written_and_a_domain_with_all_below_it(tmp_path: Path) -> None:
    stage = listed(tmp_path, urls="http://example.org/a  # as asked\n", domains="Example.com\n")
    found = measured(stage, url=URLS)
    assert found["listed_url"] == [0, 1, 0, 0, 0, 0]
    assert found["listed_domain"] == [0, 0, 1, 0, 0, 0]
    assert stage.columns_read() == ("url",)
    assert measured(listed(tmp_path, urls="example.org/a/?q=1\n"), url=URLS)["listed_url"] == [1, 0, 0, 0, 0, 0]


def test_each_list_has_a_rule_which_the_ledger_names(tmp_path: Path) -> None:
    stage = listed(tmp_path, ids="a\n", domains="b.org\n")
    assert [(rule.name, rule.measure) for rule in stage.rules() if rule.limit is not None] == [
        ("ids", "listed_id"),
        ("domains", "listed_domain"),
    ]
    assert [Path(path).name for path in stage.files()] == ["ids.txt", "domains.txt"]
    assert stage.gate


def test_no_list_and_one_that_cannot_be_read_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no list"):
        RemoveListed()
    for name in ("ids", "urls", "domains"):
        with pytest.raises(InputError, match=r"remove_listed: the list .*none\.txt cannot be read"):
            RemoveListed(**{name: (str(tmp_path / "none.txt"),)}).open()

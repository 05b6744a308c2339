"""Items of evaluation sets are found whatever their case and punctuation, and nothing else is."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from schemas.errors import InputError
from stages.core.contamination import ContaminationIndex
from stages.core.evaluation_sets import EvaluationSet, Item, read_items
from stages.decontaminate import Decontaminate
from stages.kernels.text import text_of

QUESTION = (
    "A farmer has twelve red hens and nine brown ones, and every hen lays two eggs on each day of the week, Sundays too. "
    "How many eggs does the farmer collect in the month of April, if three hens are ill?"
)
ANSWER = "There are eighteen hens that lay, so the farmer collects one thousand and eighty eggs in the thirty days of April."
SHORT = "Which river flows through the old town of Bern?"  # 9 words
HOST = "It was late. The market was closing, and nobody had sold anything worth mentioning since the morning bell. "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"q": QUESTION, "a": ANSWER}, {"q": SHORT, "a": "The Aare."}, {"q": "Too short?", "a": "Yes."}]
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def stage(folder: Path, **keys: Any) -> Decontaminate:
    one = {"name": "eval", "path": str(folder / "set.jsonl"), "question": "q", "answer": "a"}
    return Decontaminate(**{"sets": [one], **keys})


def marked(made: Decontaminate, *texts: str) -> dict[str, list[Any]]:
    table = made.nodes()[0].open()(pa.table({"text": pa.array(texts, pa.large_string())})).table  # type: ignore[attr-defined]
    found: dict[str, list[Any]] = table.to_pydict()
    return found


@pytest.mark.parametrize(
    "inserted",
    [
        f"{QUESTION} {ANSWER}",
        QUESTION,
        QUESTION.upper(),
        QUESTION.replace(" ", "\n  ").replace(",", " ;").replace("?", "!!"),
        QUESTION[:116],
        ANSWER,
    ],
)
def test_an_item_is_found_in_a_document(folder: Path, inserted: str) -> None:
    found = marked(stage(folder), HOST + inserted + " " + HOST, HOST)
    assert found["contaminated_by"] == ["eval:0", None]
    assert found["contamination"][0] > 0.1
    assert found["contamination"][1] == 0.0
    assert found["contaminated_span"][1] is None


def test_the_share_is_that_of_the_question_or_of_question_and_answer(folder: Path) -> None:
    grams = len(QUESTION.split()) - 12
    words = QUESTION.split()
    found = marked(stage(folder), QUESTION, " ".join(words[:13]), " ".join(words[:14]), " ".join(words[:12]))
    assert found["contamination"] == [1.0, 1 / grams, 2 / grams, 0.0]


def test_an_overlap_at_the_limit_is_allowed(folder: Path) -> None:
    words = QUESTION.split()
    share = 3 / (len(words) - 12)
    text = " ".join(words[:15])
    assert marked(stage(folder, max_overlap=share), text)["contaminated_by"] == [None]
    assert marked(stage(folder, max_overlap=share - 1e-9), text)["contaminated_by"] == ["eval:0"]


def test_a_short_item_is_found_whole_only(folder: Path) -> None:
    found = marked(stage(folder), f"so {SHORT.lower()} yes", SHORT.replace("old ", ""), "Too short? Yes.")
    assert found["contaminated_by"] == ["eval:1", None, None]
    assert marked(stage(folder, min_words=10), SHORT)["contaminated_by"] == [None]


def test_what_matches_is_shown(folder: Path) -> None:
    found = marked(stage(folder), f"«Question»: {SHORT} — and more")
    assert found["contaminated_span"] == [SHORT[:-1]]


def test_n_grams_of_many_items_are_instructions(tmp_path: Path) -> None:
    instruction = "answer the following question with one letter and explain in a few words why you chose it"
    rows = [{"q": f"{instruction}: {name} is what kind of animal and where does a {name} live?"} for name in "abcdefghijk"]
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    one = [{"name": "e", "path": str(tmp_path / "set.jsonl"), "question": "q"}]
    assert marked(stage(tmp_path, sets=one), instruction)["contamination"] == [0.0]
    assert marked(stage(tmp_path, sets=one, max_items=11), instruction)["contamination"][0] > 0
    assert marked(stage(tmp_path, sets=one), rows[3]["q"])["contaminated_by"] == ["e:3"]


def test_cut_takes_out_the_words_that_match_and_tells(folder: Path) -> None:
    text = f"é {HOST}[{SHORT}] {HOST}"
    made = stage(folder, action="cut").nodes()[0]
    edited = made.open()(pa.table({"text": pa.array([HOST, text], pa.large_string())}))  # type: ignore[attr-defined]
    assert edited.table["text"].to_pylist() == [HOST, f"é {HOST}[?] {HOST}"]
    assert (edited.row.tolist(), list(edited.type)) == ([1], ["eval:1"])
    assert (edited.offset.tolist(), edited.length.tolist()) == ([text.index("Which")], [len(SHORT) - 1])


def test_n_grams_of_generic_texts_do_not_count(folder: Path) -> None:
    words = QUESTION.split()
    generic = folder / "generic.txt"
    generic.write_text(f"unrelated\n\n> {' '.join(words[:15])}!\n")
    text = " ".join(words[:15])
    assert marked(stage(folder), text)["contamination"] == [3 / (len(words) - 12)]
    assert marked(stage(folder, generic=[str(generic)]), text)["contamination"] == [0.0]
    assert marked(stage(folder, generic=[str(generic)]), QUESTION)["contamination"] == [1.0]
    assert stage(folder, generic=[str(generic)]).nodes()[0].files() == (str(folder / "set.jsonl"), str(generic))


def test_a_generic_text_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "binary").write_bytes(b"a\xff")
    with pytest.raises(InputError, match=r"nowhere\.txt cannot be read"):
        marked(stage(folder, generic=[str(folder / "nowhere.txt")]), "")
    with pytest.raises(InputError, match="not UTF-8 at byte 1"):
        marked(stage(folder, generic=[str(folder / "binary")]), "")


@pytest.mark.parametrize(("keys", "why"), [({"min_words": 100}, "fewer than min_words"), ({"max_items": 1}, "say nothing")])
def test_a_set_of_which_nothing_can_be_found_is_an_error(tmp_path: Path, keys: dict[str, int], why: str) -> None:
    (tmp_path / "set.jsonl").write_text((json.dumps({"q": QUESTION, "a": ANSWER}) + "\n") * 2)
    with pytest.raises(InputError, match=f"none of the 2 items of eval can be found.*{why}"):
        marked(stage(tmp_path, **keys), "")


def test_document_and_item_are_shown_side_by_side(folder: Path) -> None:
    upper = f"é {QUESTION.upper()} - {SHORT}"
    table = pa.table({"id": ["a", "b"], "text": pa.array([HOST, upper], pa.large_string())})
    made = stage(folder).nodes()[0]
    assert (
        made.side_by_side(table).to_pylist()
        == [  # type: ignore[attr-defined]
            {"row": 1, "id": "b", "set": "eval", "item": number, "overlap": 1.0, "document": document, "matches": item}
            for number, document, item in ((0, QUESTION.upper()[:-1], QUESTION[:-1]), (1, SHORT[:-1], SHORT[:-1]))
        ]
    )
    assert made.side_by_side(table.slice(0, 1)).num_rows == 0  # type: ignore[attr-defined]
    assert "id" not in made.side_by_side(table.select(["text"])).column_names  # type: ignore[attr-defined]


def test_the_item_is_shown_as_it_stands_there(folder: Path) -> None:
    middle = " ".join(QUESTION.split()[10:30])
    found = marked(stage(folder), f"{HOST}{middle.upper().replace(' ', '_ ').replace('_', ' --')}", HOST)
    assert found["contaminated_item"] == [middle.rstrip(","), None]


def test_an_excerpt_is_not_longer_than_200_characters(tmp_path: Path) -> None:
    question = "ж" + QUESTION * 3
    (tmp_path / "set.jsonl").write_text(json.dumps({"q": question, "a": ""}))
    found = marked(stage(tmp_path), question)
    assert found["contaminated_span"] == found["contaminated_item"] == [question[:200]]


def test_hashes_that_are_equal_find_nothing_that_is_not_there() -> None:
    words = [f"w{number}" for number in range(40)]
    items = [Item("s", number, " ".join(words[number:] + words[:number]), "") for number in range(0, 40, 4)]
    other = " ".join(reversed(words))
    documents = text_of(pa.array([items[3].question, other * 50], pa.large_string()))
    for bits in (64, 2):
        found = ContaminationIndex(items, 13, 8, 10, bits=bits).find(documents)
        assert {document: matches[0].item.number for document, matches in found.items()} == {0: 12}
        assert found[0][0].overlap == 1.0


def test_drop_is_a_rule_with_the_share_as_its_value(folder: Path) -> None:
    marks, limit = stage(folder, action="drop").nodes()
    assert (marks.action, limit.max_overlap) == ("tag", 0.1)  # type: ignore[attr-defined]
    (rule,) = limit.rules()  # type: ignore[attr-defined]
    assert (rule.name, rule.measure, rule.op, rule.limit) == ("max_overlap", "contamination", "at_most", 0.1)


def test_sets_may_be_parquet_csv_and_compressed_lines(folder: Path) -> None:
    rows = [{"q": QUESTION, "turns": [SHORT, {"content": "deep"}]}]
    pq.write_table(pa.table({"q": [QUESTION]}), folder / "a.parquet")
    (folder / "b.csv").write_text(f'q,x\n"{QUESTION}",1\n')
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(json.dumps(rows[0]).encode()))
    (folder / "d.jsonl.zst").write_bytes(pa.compress(json.dumps(rows[0]).encode(), "zstd", asbytes=True))
    for name in ("a.parquet", "b.csv", "c.jsonl.gz"):
        (item,) = read_items(EvaluationSet(name="s", path=str(folder / name), question="q"))
        assert (item.question, item.answer, item.label) == (QUESTION, "", "s:0")
    (item,) = read_items(EvaluationSet(name="s", path=str(folder / "c.jsonl.gz"), question="turns"))
    assert item.question == f"{SHORT}\ndeep"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has 0 items and no question"),
        ('{"q": " ", "a": ""}\n', "has 1 items and no question"),
        ('{"question": "x", "z": 1}\n', r"item 0 of eval has no field 'q'; it has question, z"),
        ('{"q": "x"}\n', r"no field 'a'"),
        ("[1]\n", "line 1: expected an object, got list"),
        ("{\n", "line 1: no JSON"),
    ],
)
def test_a_set_without_items_or_fields_is_an_error_before_anything_runs(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "set.jsonl").write_text(content)
    with pytest.raises(ValidationError, match=message):
        stage(tmp_path)


def test_other_files_and_two_sets_of_one_name_are_refused(folder: Path) -> None:
    (folder / "set.txt").write_text("x")
    with pytest.raises(InputError, match=r"expected a file that ends with \.parquet"):
        read_items(EvaluationSet(name="s", path=str(folder / "set.txt"), question="q"))
    one = {"name": "s", "path": str(folder / "set.jsonl"), "question": "q"}
    with pytest.raises(ValidationError, match="same name"):
        Decontaminate(sets=[one, one])

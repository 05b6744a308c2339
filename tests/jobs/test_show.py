import importlib.util
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.cells import cell_len
from rich.console import Console

from jobs.show import print_dropped, print_funnel, print_inspect, print_rules, print_story
from pipeline.results import Run
from schemas.errors import InputError

_path = Path(__file__).parents[1] / "pipeline" / "made_run.py"
_spec = importlib.util.spec_from_file_location("made_run", _path)
assert _spec is not None
made_run = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made_run)  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(made_run.make_run(tmp_path_factory.mktemp("runs")))


def shown(show, *args, width=120, color=False):
    console = Console(file=io.StringIO(), width=width, force_terminal=color, color_system="truecolor" if color else None)
    show(*args, console)
    return console.file.getvalue()


def test_the_funnel_holds_the_numbers_of_each_step(run):
    lines = shown(print_funnel, run).splitlines()
    assert lines[0] == "demo 0123456789ab complete"
    assert lines[1].startswith("395 of 640 documents kept (61.7 %), ")
    [words] = [line.split() for line in lines if line.startswith("word_count ")]
    assert words[2:7] == ["482", "75.3", "%", "-107", "18.2"]
    assert "! Source web: 1 id occurs more than once." in lines


@pytest.mark.parametrize("width", [50, 72, 100, 160])
def test_no_line_is_wider_than_the_screen_and_no_number_is_cut(run, width):
    for text in (shown(print_funnel, run, width=width), shown(print_rules, run, width=width)):
        assert all(cell_len(line) <= width for line in text.splitlines())
    assert "-107" in shown(print_funnel, run, width=width)
    assert "65.5 %" in shown(print_rules, run, width=width)


def test_a_failed_run_is_told_before_its_numbers(tmp_path):
    text = shown(print_funnel, Run(made_run.make_run(tmp_path, state="failed")))
    assert text.splitlines()[1].startswith("This run failed: StageError: minhash_dedup raised")


def test_a_story_shows_both_texts_of_a_duplicate(run):
    row = run.dropped("near_duplicate", 1).row(0, named=True)
    [story] = run.why(row["id"])
    text = shown(print_story, story)
    assert text.startswith(f"{row['id']} of web: dropped\n")
    assert "minhash_dedup (dropped)" in text
    assert "(similarity 0.9531), kept in data/part-" in text
    assert "<script>alert('text')</script>" in text


def test_a_story_lists_every_rule_that_is_broken(run):
    row = run.dropped("max_repeat_char_fraction", 20).row(-1, named=True)
    [story] = run.why(row["id"], row["source"])
    lines = [line.strip() for line in shown(print_story, story).splitlines()]
    for rule in story.broken:
        assert any(line.startswith(f"{rule.step}.{rule.rule}: {rule.measure} is ") for line in lines)


@pytest.mark.parametrize("color", [False, True])
def test_nothing_of_a_document_commands_the_terminal(run, color):
    [story] = run.why(made_run.NASTY_ID)
    text = shown(print_story, story, color=color) + shown(print_dropped, run.dropped(n=60), color=color)
    text += shown(print_inspect, run.path, color=color)
    assert "␛[31mred␛[0m" in text
    assert "\\u202e" in text
    assert "\u202e" not in text
    assert "\x1b[31mred" not in text
    assert "[bold]not" in text
    assert color or "\x1b" not in text


def test_dropped_shows_value_limit_and_text(run):
    text = shown(print_dropped, run.dropped("min_words", 1))
    first, second = text.splitlines()[:2]
    assert first.startswith("word_count.min_words 29 (limit 30)  web ")
    assert second.startswith("  ")
    assert shown(print_dropped, run.dropped("max_words", 3)) == ""


def test_inspect_of_a_run_shows_funnel_and_output(run):
    text = shown(print_inspect, run.path)
    assert "395 of 640 documents kept" in text
    assert "395 rows, " in text
    assert "data/part-00002-of-00003.parquet" in text
    assert text == shown(print_inspect, run.path)


def test_inspect_as_json_is_one_object_on_stdout(run, capsys):
    print_inspect(run.path, Console(file=io.StringIO()), json=True)
    facts = json.loads(capsys.readouterr().out)
    assert facts["rows"] == 395
    assert facts["run"]["state"] == "complete"
    assert facts["row_groups"]["count"] == 8
    assert {column["name"]: column["null_fraction"] for column in facts["schema"]}["url"] == 1.0
    assert sum(row["rows"] for row in facts["groups"]["language"]) == 395
    assert (
        sum(row["tokens"] for row in facts["groups"]["source"])
        == pq.read_table(run.path / "data")["token_count"].to_numpy().sum()
    )
    assert len(facts["sample"]) == 5


def test_inspect_reads_parquet_that_is_not_ours(tmp_path):
    one = {"text": ["a", None], "lang": ["en", "th"], "n_tokens": [3, 4], "vector": [[1.0], [2.0]], "raw": [b"\x00", None]}
    two = {"text": ["\x1b[2Jc"], "lang": ["en"], "meta": [{"a": {"b": 1}}]}
    pq.write_table(pa.table(one), tmp_path / "one.parquet")
    (tmp_path / "deep").mkdir()
    pq.write_table(pa.table(two), tmp_path / "deep" / "two.parquet")
    text = shown(print_inspect, tmp_path)
    assert "3 rows, " in text
    assert "in 1 of 2 files" in text
    assert "33.3 %" in text
    assert "\x1b" not in text
    facts = io.StringIO(text)
    [english] = [line.split() for line in facts if line.startswith("en ")]
    assert english == ["en", "2", "66.7", "%", "3"]


def test_inspect_reads_a_single_file_and_an_empty_one(tmp_path):
    path = tmp_path / "empty.parquet"
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
    assert shown(print_inspect, path).startswith("0 rows, ")


def test_inspect_says_what_it_expected(tmp_path):
    with pytest.raises(InputError, match=r"nowhere does not exist: expected a run folder, a Parquet file or a folder"):
        print_inspect(tmp_path / "nowhere", Console(file=io.StringIO()))
    with pytest.raises(InputError, match="holds no Parquet file"):
        print_inspect(tmp_path, Console(file=io.StringIO()))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match=r"bad\.parquet cannot be read as Parquet"):
        print_inspect(tmp_path, Console(file=io.StringIO()))

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline import results_ledger
from pipeline.results import Run, UnknownDocument
from schemas.errors import InputError

_spec = importlib.util.spec_from_file_location("made_run", Path(__file__).with_name("made_run.py"))
assert _spec is not None
made_run = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made_run)  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made_run.make_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def run(folder):
    return Run(folder)


@pytest.fixture(scope="module")
def drops(folder):
    return pl.read_parquet(folder / "ledger/drops/*.parquet")


def test_the_made_run_is_consistent(run, drops):
    for step in run.steps:
        count = {side: step[side]["documents"] for side in ("in", "out", "dropped", "quarantined")}
        assert count["in"] == count["out"] + count["dropped"] + count["quarantined"]
        assert drops.filter((pl.col("step") == step["step"]) & (pl.col("rank") == 0)).height == count["dropped"]
    assert sum(pq.read_metadata(path).num_rows for path in run.shards) == run.manifest["counts"]["out"]["documents"]


def test_the_funnel_has_a_row_for_each_step(run):
    funnel = run.funnel()
    assert funnel["step"].to_list() == [
        "language_is",
        "trim_lines",
        "word_count",
        "line_repetition",
        "exact_dedup",
        "minhash_dedup",
    ]
    first = funnel.row(0, named=True)
    assert (first["documents_in"], first["documents_out"], first["dropped"]) == (640, 592, 48)
    assert first["kept_fraction"] == first["cumulative_fraction"] == 592 / 640
    last = funnel.row(-1, named=True)
    assert (last["documents_out"], last["cumulative_fraction"]) == (395, 395 / 640)
    assert funnel["quarantined"].to_list() == [0, 3, 0, 0, 0, 0]


def test_a_rule_is_judged_on_all_that_entered_its_group(run):
    rules = {row["rule"]: row for row in run.rules().to_dicts()}
    # line_repetition is the second of its group: 482 were left before it, 589 were measured
    assert rules["max_repeat_fraction"]["judged"] == 589
    assert rules["max_repeat_fraction"]["broken"] == 72
    assert rules["max_repeat_fraction"]["retention_alone"] == (589 - 72) / 589
    # 640 - 48 by language - 3 quarantined - 107 by words - 63 by this rule
    assert rules["max_repeat_fraction"]["retention_cumulative"] == 419 / 640
    assert rules["near_duplicate"]["retention_cumulative"] == 395 / 640
    assert rules["min_words"]["limit"] == "ar 30 · en 50 · others 40"


def test_documents_that_break_a_step_are_counted_once(run, drops):
    slow = drops.group_by("step").agg(pl.struct("source", "id", "part", "row").n_unique().alias("n"))
    assert results_ledger.broken_by_step(run.ledger / "drops") == dict(slow.iter_rows())


def test_every_document_has_a_story(run, drops):
    documents = pl.concat(
        [pl.read_parquet(path, columns=["source", "id"]) for path in results_ledger.files(run.ledger / "measures")]
    )
    quarantined = set(pl.read_parquet(run.ledger / "quarantined/*.parquet").select("source", "id").iter_rows())
    fallen = set(drops.select("source", "id").iter_rows())
    kept = set(run.table(["source", "id"]).collect().iter_rows())
    for source, id in documents.unique().sample(150, seed=1).iter_rows():
        stories = [(story.outcome, story.source) for story in run.why(id, source)]
        expected = [
            (name, source)
            for name, ids in (("kept", kept), ("dropped", fallen), ("quarantined", quarantined))
            if (source, id) in ids
        ]
        assert sorted(set(stories)) == sorted(expected)


def test_a_dropped_document_shows_all_broken_rules_in_order(run, drops):
    both = drops.filter((pl.col("rule") == "max_repeat_char_fraction") & (pl.col("rank") == 2)).row(0, named=True)
    [story] = run.why(both["id"], both["source"])
    assert story.outcome == "dropped"
    assert [rule.rule for rule in story.broken] == ["min_words", "max_repeat_fraction", "max_repeat_char_fraction"]
    assert story.broken[0].op == "at_least"
    assert story.broken[0].value < story.broken[0].limit
    marks = {item.rule: item.kept for item in story.measures}
    assert marks == {
        "languages": True,
        "min_words": False,
        "max_words": True,
        "max_repeat_fraction": False,
        "max_repeat_char_fraction": False,
    }
    assert dict(story.path)["line_repetition"] == "measured"
    assert dict(story.path)["exact_dedup"] == "not reached"


def test_a_gate_leaves_no_later_measures(run, drops):
    german = drops.filter(pl.col("step") == "language_is").row(0, named=True)
    [story] = run.why(german["id"], german["source"])
    assert [item.measure for item in story.measures] == ["allowed"]


def test_a_kept_document_is_found_in_its_row(run):
    row = run.table().collect().row(170, named=True)
    [story] = run.why(row["id"], row["source"])
    assert (story.outcome, story.shard, story.row) == ("kept", "data/part-00001-of-00003.parquet", 20)
    assert story.excerpt == row["text"][:400]
    limits = {item.rule: item.limit for item in story.measures}
    assert limits["min_words"] == {"en": 50, "ar": 30, "zh": 40}[row["language"]]
    assert all(item.kept for item in story.measures)


def test_a_duplicate_stands_beside_its_survivor(run, drops):
    near = drops.filter(pl.col("step") == "minhash_dedup").row(0, named=True)
    [story] = run.why(near["id"], near["source"])
    assert story.survivor.id == made_run.NASTY_ID
    assert story.survivor.similarity == 0.953125
    assert story.survivor.fate.startswith("kept in data/part-")
    assert story.survivor.excerpt.startswith("<script>")


def test_an_id_of_two_sources_gives_two_stories(run):
    both = run.table(["id", "source"]).collect()
    ids = pl.concat([pl.read_parquet(p, columns=["source", "id"]) for p in results_ledger.files(run.ledger / "measures")])
    shared = ids.group_by("id").agg(pl.col("source").n_unique().alias("n")).filter(pl.col("n") == 2)["id"].to_list()
    assert len(shared) == 1
    assert [story.source for story in run.why(shared[0])] == ["books", "web"]
    assert [story.source for story in run.why(shared[0], "web")] == ["web"]
    assert both.height == 395


def test_a_quarantined_document_tells_its_error(run):
    row = pl.read_parquet(run.ledger / "quarantined/*.parquet").row(0, named=True)
    [story] = run.why(row["id"], row["source"])
    assert story.outcome == "quarantined"
    assert story.reason.startswith("Failed in trim_lines: UnicodeError: lone surrogate")


def test_an_unknown_id_is_helped(run):
    with pytest.raises(UnknownDocument, match=r"no-such.*books, web.*Ids here look like '[0-9a-f]{16}'.*hashes") as caught:
        run.why("no-such")
    assert caught.value.exit_code == 1


def test_a_lookup_reads_one_row_group_of_each_file_at_most(run, drops, monkeypatch):
    ids_read, groups_read = [], []
    read_row_group, iter_batches = pq.ParquetFile.read_row_group, pq.ParquetFile.iter_batches

    def counted(self, group, columns=None, **more):
        ids_read.append(tuple(columns))
        return read_row_group(self, group, columns=columns, **more)

    def counted_batches(self, batch_size, row_groups=None, **more):
        groups_read.append(row_groups)
        return iter_batches(self, batch_size, row_groups=row_groups, **more)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted_batches)
    paths = results_ledger.files(run.ledger / "measures")
    groups = sum(pq.read_metadata(path).num_row_groups for path in paths)
    row = drops.row(3, named=True)
    assert len(list(results_ledger.rows_of(paths, row["id"], row["source"]))) == 1
    assert set(ids_read) == {("id",)}
    assert len(ids_read) <= len(paths) < groups
    assert [len(row_groups) for row_groups in groups_read] == [1]


def test_a_survivor_that_fell_later_is_told(tmp_path):
    folder = made_run.make_run(tmp_path)
    path = next(iter((folder / "data").glob("part-00001*")))
    table = pq.read_table(path)
    pq.write_table(table.filter(pl.from_arrow(table)["id"].ne(made_run.NASTY_ID).to_arrow()), path)
    near = pl.read_parquet(folder / "ledger/drops/*.parquet").filter(pl.col("step") == "minhash_dedup").row(0, named=True)
    [story] = Run(folder).why(near["id"])
    assert story.survivor.fate == "not among what was kept"
    assert story.survivor.excerpt is None


def test_a_repeated_id_that_fell_in_two_segments_at_one_address_has_two_stories(tmp_path):
    folder = made_run.make_run(tmp_path)
    path = folder / "ledger/drops/0-part-00000.parquet"
    row = pq.read_table(path).filter(pc.field("rank") == 0).slice(0, 1)
    again = row.set_column(row.schema.get_field_index("step"), row.schema.field("step"), pa.array(["exact_dedup"]))
    pq.write_table(again, folder / "ledger/drops/1-part-00009.parquet")
    stories = Run(folder).why(row["id"][0].as_py(), row["source"][0].as_py())
    assert [story.broken[0].step for story in stories] == [row["step"][0].as_py(), "exact_dedup"]


def test_dropped_gives_examples_of_a_rule(run):
    rows = run.dropped("line_repetition.max_repeat_fraction", 4)
    assert set(rows["rule"]) == {"max_repeat_fraction"}
    assert rows.height == 4
    assert (rows["value"] > rows["limit"]).all()
    assert rows["excerpt"].null_count() == 0
    assert run.dropped("near_duplicate", 3)["survivor_id"].to_list() == [made_run.NASTY_ID] * 3
    assert run.dropped(n=7).height == 7
    with pytest.raises(InputError, match=r"called 'max_wrods'; its rules are .*word_count\.max_words"):
        run.dropped("max_wrods")


def test_duplicates_are_clusters_by_size(run):
    clusters = run.duplicates(5).to_dicts()
    assert [(c["step"], c["size"]) for c in clusters] == [("exact_dedup", 14), ("minhash_dedup", 7)]
    assert clusters[1]["survivor_id"] == made_run.NASTY_ID
    assert clusters[1]["min_similarity"] == 0.953125


def test_the_table_is_lazy_and_complete(run):
    assert isinstance(run.table(), pl.LazyFrame)
    assert run.table(["id", "language"]).collect().columns == ["id", "language"]
    assert run.to_arrow(["id"]).num_rows == 395


def test_what_is_no_run_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere does not exist: expected a folder with manifest\.json"):
        Run(tmp_path / "nowhere")
    made_run.make_run(tmp_path)
    with pytest.raises(InputError, match=r"is not a run folder: .*; runs below it: demo-0123456789ab"):
        Run(tmp_path)


def test_a_manifest_that_is_cut_off_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text('{"format": 1, "na')
    with pytest.raises(InputError, match=r"manifest\.json is not valid JSON"):
        Run(tmp_path)


def test_a_failed_run_opens_and_says_so(tmp_path):
    run = Run(made_run.make_run(tmp_path, state="failed"))
    assert run.state == "failed"
    assert run.note == "This run failed: StageError: minhash_dedup raised on part 2. The numbers are those up to then."


def test_a_running_run_opens_from_its_progress(tmp_path):
    (tmp_path / "progress.json").write_text(json.dumps({"format": 1, "name": "demo", "state": "running"}))
    run = Run(tmp_path)
    assert run.state == "running"
    assert run.funnel().height == run.rules().height == run.dropped().height == run.duplicates().height == 0
    with pytest.raises(InputError, match="not finished"):
        run.table()
    with pytest.raises(UnknownDocument, match="not finished"):
        run.why("a")


def test_html_of_stories_and_runs_is_inert(run):
    [story] = run.why(made_run.NASTY_ID)
    for shown in (story._repr_html_(), run._repr_html_()):
        assert "<script" not in shown
        assert "<img" not in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert "&lt;script&gt;" in story._repr_html_()
    assert "\x1b" not in str(story)
    assert "\u202e" not in str(story)


def test_opening_results_loads_neither_polars_nor_pyarrow():
    code = "import sys, pipeline.results; print(sorted({'polars', 'pyarrow', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"

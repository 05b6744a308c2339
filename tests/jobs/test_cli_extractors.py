"""`sluice extractors` shows what each extractor keeps."""

import json
import subprocess
import sys
from pathlib import Path

from pipeline.compare_extractors import compare, write_page

SENTENCE = "This sentence is long enough to be taken for the main content of a page by every extractor there is. "
TABLE = "<table><tr><th>Name</th><th>Size</th></tr><tr><td>a</td><td>1</td></tr></table>"
CODE = "<pre><code>def f(x):\n    return x\n</code></pre>"


def page(body: str) -> str:
    return f"<html><body><main><article><h1>Heading</h1><p>{SENTENCE * 3}</p>{body}</article></main></body></html>"


def pages(folder: Path) -> Path:
    rows = [
        {"id": "1", "url": "https://example.org/1", "text": page(TABLE + CODE + f"<p>{SENTENCE}</p>")},
        {
            "id": "2",
            "url": "https://example.org/2",
            "text": page(f"<p>Costs $5 or $6. <math alttext='x_1'></math> {SENTENCE}</p>"),
        },
        {"id": "3", "url": "https://example.org/<3>", "text": "<div>" * 5000},
    ]
    path = folder / "pages.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def sluice(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "jobs.cli", *arguments], capture_output=True, text=True)


def test_tables_code_and_formulas_are_counted(tmp_path):
    found = compare([str(pages(tmp_path))], ["fast", "precise"], limit=10, format="markdown")
    rows = dict(found.pages)
    for name in ("fast", "precise"):
        first, second, third = (rows[f"https://example.org/{key}"][name] for key in ("1", "2", "<3>"))
        assert (first.table_rows, first.code_blocks, first.formulas) == (2, 1, 0)
        assert (second.table_rows, second.code_blocks, second.formulas) == (0, 0, 1)
        assert third.error.startswith("PageTooLarge: a page with 5000 elements in one another")
    assert found.summary()["fast"]["failed"] == 1


def test_gold_text_gives_a_score_and_an_order(tmp_path):
    gold = tmp_path / "gold.jsonl"
    gold.write_text(json.dumps({"url": "https://example.org/2", "gold_text": "nothing of the page"}) + "\n")
    found = compare([str(pages(tmp_path))], ["fast", "precise"], limit=10, gold=gold)
    assert found.summary()["precise"]["pages_with_gold"] == 1
    assert 0 < found.summary()["precise"]["f1"] < 0.5


def test_the_page_shows_texts_as_text(tmp_path):
    found = compare([str(pages(tmp_path))], ["fast", "precise"], limit=10)
    write_page(found, tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text()
    assert "https://example.org/&lt;3&gt;" in html
    assert html.count("<section") == 6
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".page")] == []


def test_the_command_prints_a_table_or_json(tmp_path):
    path = pages(tmp_path)
    done = sluice("extractors", "--input", str(path), "--limit", "2", "--output", str(tmp_path / "page.html"))
    assert done.returncode == 0, done.stderr
    assert "side by side" in done.stdout
    done = sluice("extractors", "--input", str(path), "--extractors", "fast", "--json")
    assert json.loads(done.stdout)["extractors"]["fast"]["pages"] == 3


def test_mistakes_are_told(tmp_path):
    assert "no extractor 'fats'" in sluice("extractors", "--input", "x", "--extractors", "fats").stderr
    assert "no such file" in sluice("extractors", "--input", str(tmp_path / "gone.html")).stderr
    gold = tmp_path / "gold.jsonl"
    gold.write_text("[1]\n")
    done = sluice("extractors", "--input", str(pages(tmp_path)), "--gold", str(gold))
    assert "gold.jsonl:1: expected a JSON object" in done.stderr

import html.parser
import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.report import page, write_report
from pipeline.results import Run

_spec = importlib.util.spec_from_file_location("made_run", Path(__file__).with_name("made_run.py"))
assert _spec is not None
made_run = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made_run)  # type: ignore[union-attr]

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-features=NetworkTimeServiceQuerying",
    "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return made_run.make_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def report(made):
    write_report(Run(made), made / "report.html")
    return made / "report.html"


@pytest.fixture(scope="module")
def text(report):
    return report.read_text(encoding="utf-8")


def chromium(page: Path, folder: Path) -> tuple[str, list[str], list[str]]:
    """The DOM after loading, what the console said, and every address that was asked for."""
    binary = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
    if binary is None:
        pytest.fail("Chromium is missing: apt-get update && apt-get install -y chromium")
    log = folder / "net.json"
    command = [
        binary,
        *FLAGS,
        f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={log}",
        "--dump-dom",
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    events = [event.get("params") or {} for event in json.loads(log.read_bytes())["events"]]
    # what the browser asks for on its own account (its clock, its updates) has no origin, and no host to find either
    asked = [event["url"] for event in events if event.get("initiator", "not an origin") != "not an origin"]
    return done.stdout, console, [url for url in asked if not url.startswith(("file:", "data:"))]


class Elements(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def elements(text: str) -> Elements:
    parser = Elements()
    parser.feed(text)
    return parser


def test_a_browser_shows_the_page_and_asks_for_nothing(report, tmp_path):
    dom, console, asked = chromium(report, tmp_path)
    assert console == []
    assert asked == []
    assert len(elements(dom).seen) == len(elements(report.read_text(encoding="utf-8")).seen)
    for said in ("395", "61.7 % of 640", "line_repetition", "max_repeat_char_fraction ≤ 0.2", "UnicodeError", "web", "zh"):
        assert said in dom
    for section in ("funnel", "rules", "measures", "duplicates", "groups", "quarantined", "files", "recipe"):
        assert f'id="{section}"' in dom


def test_the_browser_of_the_test_does_see_errors_and_requests(tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text("<script>console.error('seen')</script><img src='http://127.0.0.1:9/x.png'>")
    _, console, asked = chromium(bad, tmp_path)
    assert any("seen" in line for line in console)
    assert asked == ["http://127.0.0.1:9/x.png"]


def test_what_documents_say_is_inert(text):
    found = elements(text)
    assert [tag for tag, _ in found.seen].count("script") == 1
    assert not {"img", "iframe", "object", "link-x"} & {tag for tag, _ in found.seen}
    assert not [key for _, attributes in found.seen for key in attributes if key.startswith("on")]
    assert "\x1b" not in text
    assert "\u202e" not in text
    # and it is there to be read
    assert any("<script>alert('text')</script>" in said for said in found.text)
    assert any("␛[31mred" in said for said in found.text)


def test_a_hostile_manifest_is_inert(made, tmp_path):
    folder = shutil.copytree(made, tmp_path / "run")
    manifest = json.loads((folder / "manifest.json").read_text())
    nasty = "</title></style></script><script>alert(1)</script><svg onload=alert(1)>"

    def soil(value):
        if isinstance(value, dict):
            return {key if key in structure else key + nasty: soil(item) for key, item in value.items()}
        if isinstance(value, list):
            return [soil(item) for item in value]
        return value + nasty if isinstance(value, str) else value

    structure = set(re.findall(r'"(\w+)":', (folder / "manifest.json").read_text())) - {"web", "books", "en", "sluice"}
    soiled = soil(manifest) | {"format": 1, "state": "complete"}
    for clean, dirty in zip(manifest["steps"], soiled["steps"], strict=True):
        dirty["kind"] = clean["kind"]
    (folder / "manifest.json").write_text(json.dumps(soiled))
    text = page(Run(folder))
    found = elements(text)
    assert "onload=alert" in text
    assert [tag for tag, _ in found.seen].count("script") == 1
    assert not [key for _, attributes in found.seen for key in attributes if key.startswith("on")]
    path = tmp_path / "hostile.html"
    path.write_text(text, encoding="utf-8")
    _, console, asked = chromium(path, tmp_path)
    assert (console, asked) == ([], [])


def test_the_page_needs_nothing_from_outside(text):
    found = elements(text)
    links = [attributes[key] for _, attributes in found.seen for key in ("src", "href") if key in attributes]
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "url(" not in text
    assert "@import" not in text


def test_a_narrow_screen_scrolls_boxes_and_not_the_page(text, tmp_path):
    frame = tmp_path / "frame.html"
    # 400 pixels are less than a headless window may have, so the page stands in a frame
    script = "f.onload=()=>{const d=f.contentDocument.documentElement;document.title=d.scrollWidth+' of '+d.clientWidth}"
    source = json.dumps(text.replace("<details>", "<details open>")).replace("</", "<\\/")
    body = f"<body><iframe id=f style='width:400px;height:900px;border:0'></iframe><script>{script};f.srcdoc={source}</script>"
    frame.write_text(f"<!doctype html><meta charset=utf-8>{body}", encoding="utf-8")
    dom, _, _ = chromium(frame, tmp_path)
    width = re.search(r"<title>(\d+) of (\d+)</title>", dom)
    assert width is not None
    assert width[1] == width[2]


def test_charts_have_words_and_tables_have_heads(text):
    found = elements(text)
    drawn = [attributes for tag, attributes in found.seen if tag == "svg"]
    assert all(attributes.get("aria-hidden") == "true" or attributes.get("aria-label") for attributes in drawn)
    labels = [attributes["aria-label"] for attributes in drawn if attributes.get("role") == "img"]
    assert labels[1].startswith("Histogram of words: median ")
    assert "107 documents break min_words" in labels[1]
    heads = [attributes for tag, attributes in found.seen if tag == "th"]
    assert all("scope" in attributes for attributes in heads)
    assert [tag for tag, _ in found.seen].count("h1") == 1


def test_text_reads_in_its_own_direction(text):
    quotes = [attributes for tag, attributes in elements(text).seen if tag == "blockquote"]
    assert quotes
    assert all(attributes == {"dir": "auto"} for attributes in quotes)


def test_the_numbers_of_the_page_are_those_of_the_run(text, made):
    plain = re.sub(r"\s+", " ", " ".join(elements(text).text))
    run = Run(made)
    for row in run.funnel().iter_rows(named=True):
        assert f"{row['step']}  {row['documents_out']}" in plain.replace("  ", " ").replace(
            row["step"] + " ", row["step"] + "  "
        )
    # line_repetition measured 589 documents, of which 78 break one of its rules: 86.8 % alone
    assert re.search(r"line_repetition 589 78 86\.8 % 64\.7 %", plain)
    assert re.search(r"max_repeat_fraction ≤ 0\.3 72 2 63 87\.8 % 65\.5 %", plain)


def test_the_examples_shown_are_the_nearest_of_all_parts(tmp_path):
    folder = made_run.make_run(tmp_path)
    one = pq.read_table(next((folder / "ledger/examples").iterdir())).slice(0, 1).to_pylist()[0]
    for part in range(90):
        row = one | {
            "step": "word_count",
            "rule": "min_words",
            "side": "dropped",
            "why": "near",
            "limit": 200.0,
            "source": "web",
        }
        rows = [row | {"value": 100.0 + part, "id": f"part{part}", "excerpt": f"text of part {part}"}]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"ledger/examples/part-{part}.parquet")
    text = page(Run(folder))
    shown = set(re.findall(r"text of part \d+", text))
    # nearer ones of the made run have a distance of 1; of the parts none is nearer than 11
    assert shown == set()
    for path in (folder / "ledger/examples").glob("examples.parquet"):
        path.unlink()
    assert set(re.findall(r"text of part \d+", page(Run(folder)))) == {f"text of part {part}" for part in (89, 88, 87)}


def test_languages_that_were_counted_at_the_end_only_have_no_column_of_what_came_in(text):
    heads = re.findall(r"<thead>.*?</thead>", text, re.S)
    [source] = [head for head in heads if '>Source</th><th class="l" scope="col">Documents kept' in head]
    [language] = [head for head in heads if ">Language</th>" in head]
    assert "Documents in" in source
    assert "Documents in" not in language


def test_clusters_of_a_long_ledger_are_those_of_the_solver(made, monkeypatch):
    monkeypatch.setattr("pipeline.report.CLUSTER_ROWS", 10)
    plain = re.sub(r"\s+", " ", " ".join(elements(page(Run(made))).text))
    assert "7 minhash_dedup web" in plain
    assert "14 exact_dedup" not in plain


def test_a_run_that_failed_says_so(tmp_path):
    text = page(Run(made_run.make_run(tmp_path, state="failed")))
    assert "This run failed: StageError: minhash_dedup raised on part 2." in text


def test_a_run_that_has_just_begun_has_a_page(tmp_path):
    (tmp_path / "progress.json").write_text(json.dumps({"format": 1, "name": "demo", "state": "running"}))
    text = page(Run(tmp_path))
    assert "This run is not finished" in text
    assert "No step has finished yet." in text


def test_the_page_appears_complete_or_not_at_all(made, tmp_path):
    target = tmp_path / "report.html"
    target.write_text("old")
    write_report(Run(made), target)
    assert target.read_text(encoding="utf-8").endswith("</html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]

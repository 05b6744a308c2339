"""Pages become their text, with lists, tables, code and formulas, and what they say of themselves."""

import time
from typing import Any

import pyarrow as pa
import pytest

from stages.core.formulas import with_formulas
from stages.core.markdown import markdown_of
from stages.core.time_limit import OutOfTime, time_limit
from stages.core.token_f1 import token_f1
from stages.extract_html import FACTS, ExtractHtml, PageTooLarge

SENTENCE = "This sentence is long enough to be taken for the main content of a page by every extractor there is. "
MENU = "<nav><ul><li><a href='/'>Home</a></li><li><a href='/about'>About us</a></li></ul></nav>"
FOOTER = "<footer><p>Copyright nobody. All rights reserved.</p></footer>"


def page(body: str, head: str = "") -> str:
    return (
        f"<!doctype html><html lang='en-GB'><head><title> A  title </title>{head}</head><body>{MENU}<main><article>"
        f"<h1>Heading</h1><p>{SENTENCE * 3}</p>{body}<p>{SENTENCE * 2}</p></article></main>{FOOTER}</body></html>"
    )


def extracted(html: str, **keys: Any) -> dict[str, Any]:
    table = pa.table({"text": pa.array([html], pa.large_string())})
    (row,) = ExtractHtml(**keys).open()(table).to_pylist()
    return row


def _between(html: str, keys: dict[str, Any]) -> str:
    text = extracted(page(html), **keys)["text"]
    first, last = (SENTENCE * 3).strip(), (SENTENCE * 2).strip()
    assert first in text
    return text.split(first, 1)[1].rsplit(last, 1)[0].strip()


@pytest.mark.parametrize("extractor", ["fast", "precise"])
@pytest.mark.parametrize("format_", ["text", "markdown"])
def test_menus_and_footers_go_and_the_heading_stays(extractor: str, format_: str) -> None:
    text = extracted(page(""), extractor=extractor, format=format_)["text"]
    assert text.startswith("# Heading" if format_ == "markdown" else "Heading")
    assert "About us" not in text
    assert "Copyright" not in text


TABLE = "<table><tr><th>Name</th><th>Size</th></tr><tr><td>a</td><td>1</td></tr><tr><td>b</td><td>2</td></tr></table>"
CODE = "<pre><code>def f(x):\n    if x &lt; 1:\n        return 2\n</code></pre>"
LIST = "<ol><li>first of them, which is a longer item</li><li>second of them, which is a longer item</li></ol>"


@pytest.mark.parametrize(
    ("extractor", "format_", "html", "expected"),
    [
        ("fast", "text", TABLE, "Name\t\tSize\na\t\t1\nb\t\t2"),
        ("fast", "markdown", TABLE, "| Name | Size |\n|---|---|\n| a | 1 |\n| b | 2 |"),
        ("precise", "text", TABLE, "| Name | Size | \n|---|---|\n| a | 1 | \n| b | 2 |"),
        ("precise", "markdown", TABLE, "| Name | Size | \n|---|---|\n| a | 1 | \n| b | 2 |"),
        ("fast", "text", CODE, "def f(x):\n    if x < 1:\n        return 2"),
        ("fast", "markdown", CODE, "```\ndef f(x):\n    if x < 1:\n        return 2\n```"),
        ("precise", "text", CODE, "def f(x):\n    if x < 1:\n        return 2"),
        ("precise", "markdown", CODE, "```\ndef f(x):\n    if x < 1:\n        return 2\n```"),
        (
            "fast",
            "markdown",
            LIST,
            "1. first of them, which is a longer item\n2. second of them, which is a longer item",
        ),
        (
            "precise",
            "markdown",
            LIST,
            "1. first of them, which is a longer item\n2. second of them, which is a longer item",
        ),
    ],
)
def test_tables_code_and_lists_are_kept(extractor: str, format_: str, html: str, expected: str) -> None:
    assert _between(html, {"extractor": extractor, "format": format_}) == expected


@pytest.mark.parametrize("extractor", ["fast", "precise"])
def test_tables_can_be_left_out(extractor: str) -> None:
    assert "Size" not in extracted(page(TABLE), extractor=extractor, tables=False)["text"]


@pytest.mark.parametrize("extractor", ["fast", "precise"])
def test_links_keep_their_addresses_if_asked_for(extractor: str) -> None:
    html = page(f"<p>{SENTENCE}<a href='https://example.org/x'>a link</a> in the text.</p>")
    assert "[a link](https://example.org/x)" in extracted(html, extractor=extractor, format="markdown", links=True)["text"]
    assert "example.org" not in extracted(html, extractor=extractor, format="markdown")["text"]


FORMULAS = [
    ("<p>Let <math alttext='x^2'><msup><mi>x</mi><mn>2</mn></msup></math> be.</p>", "Let $x^2$ be."),
    (
        "<p>So <span class='katex'><span class='katex-mathml'><math><semantics><mi>a</mi>"
        "<annotation encoding='application/x-tex'>\\alpha</annotation></semantics></math></span>"
        "<span class='katex-html' aria-hidden='true'><span>α</span></span></span> it is.</p>",
        "So $\\alpha$ it is.",
    ),
    (
        "<p>Then <span class='MathJax'>drawn</span><script type='math/tex'>E = m c^2</script> holds.</p>",
        "Then $E = m c^2$ holds.",
    ),
    ("<p>Alone: <script type='math/tex; mode=display'>\\sum_i i</script></p>", "Alone: $$\\sum_i i$$"),
]


@pytest.mark.parametrize("extractor", ["fast", "precise"])
@pytest.mark.parametrize(("html", "expected"), FORMULAS)
def test_formulas_become_their_tex(extractor: str, html: str, expected: str) -> None:
    assert _between(html, {"extractor": extractor}) == expected


def test_a_page_whose_scripts_compare_with_math_functions_is_not_written_anew() -> None:
    html = page("<script>for(var i=0;i<Math.max(1,2);i++);</script>")
    assert with_formulas(html) is html
    assert "$x$" in with_formulas(page("<p><MATH alttext='x'><mi>x</mi></MATH></p>"))


HEAD = """
<meta name="robots" content="noai"><meta NAME='robots' content='noindex'>
<meta property="article:published_time" content="2024-05-01T10:00:00Z"><meta name="date" content="2020-01-01">
<link rel="canonical" href="https://example.org/a?b=1&amp;c=2"><link rel="license" href="https://example.org/licence">
"""


@pytest.mark.parametrize("extractor", ["fast", "precise"])
def test_a_page_tells_of_itself(extractor: str) -> None:
    found = extracted(page("", HEAD), extractor=extractor)
    assert {name: found[name] for name in FACTS} == {
        "title": "A title",
        "html_language": "en-GB",
        "page_date": "2024-05-01T10:00:00Z",
        "canonical_url": "https://example.org/a?b=1&c=2",
        "license_url": "https://example.org/licence",
        "robots_meta": "noai, noindex",
    }


@pytest.mark.parametrize("extractor", ["fast", "precise"])
@pytest.mark.parametrize(
    ("html", "name", "value"),
    [
        ("<p>Under <a rel='license nofollow' href='https://x.org/l'>this</a></p>", "license_url", "https://x.org/l"),
        ("<p>See https://creativecommons.org/licenses/by-sa/4.0/ for more.</p>", "license_url", None),
        ('<script type="application/ld+json">{"datePublished": "2021-02-03"}</script>', "page_date", "2021-02-03"),
        ("<time datetime='2022-03-04'>then</time>", "page_date", "2022-03-04"),
    ],
)
def test_licences_and_dates_may_stand_in_the_body(extractor: str, html: str, name: str, value: str | None) -> None:
    found = extracted(page(html), extractor=extractor)[name]
    assert found == (value or "https://creativecommons.org/licenses/by-sa/4.0/")


@pytest.mark.parametrize("extractor", ["fast", "precise"])
def test_pages_beyond_those_that_are_decoded_together_keep_their_own_facts(extractor: str) -> None:
    html = [page("", f"<meta name=date content=2020-01-{day:02}>") for day in range(1, 21)]
    chunks = pa.chunked_array([html[:3], html[3:]], pa.string())
    after = ExtractHtml(extractor=extractor).open()(pa.table({"text": chunks}))  # type: ignore[arg-type]
    assert after["page_date"].to_pylist() == [f"2020-01-{day:02}" for day in range(1, 21)]


@pytest.mark.parametrize("extractor", ["fast", "precise"])
@pytest.mark.parametrize("text", ["", "plain text\nof a page", '{"json": "1 < 2"}', "a <b and c> d", "\0"])
def test_what_is_no_html_stays_as_it_is(extractor: str, text: str) -> None:
    found = extracted(text, extractor=extractor)
    assert found["text"] == text
    assert [found[name] for name in FACTS] == [None] * len(FACTS)


@pytest.mark.parametrize("extractor", ["fast", "precise"])
@pytest.mark.parametrize(
    "html", ["<p>", "<html></html>", "<body>\0</body>", "<div" * 50, "<p>\ud7ff</p>" * 3, "<!doctype html>"]
)
def test_odd_pages_give_some_text_or_none(extractor: str, html: str) -> None:
    assert isinstance(extracted(html, extractor=extractor)["text"], str)


@pytest.mark.parametrize("extractor", ["fast", "precise"])
def test_a_page_that_is_too_large_or_has_too_many_tags_fails(extractor: str) -> None:
    assert extracted("<p>" + "a" * 97, extractor=extractor, max_page_bytes=100) is not None
    with pytest.raises(PageTooLarge, match="101 characters, more than max_page_bytes 100"):
        extracted("<p>" + "a" * 98, extractor=extractor, max_page_bytes=100)
    assert extracted("<p>" * 5, extractor=extractor, max_tags=5) is not None
    with pytest.raises(PageTooLarge, match="6 tags, more than max_tags 5"):
        extracted("<p>" * 6, extractor=extractor, max_tags=5)


@pytest.mark.parametrize("extractor", ["fast", "precise"])
def test_a_page_nested_without_end_fails_before_it_is_parsed(extractor: str) -> None:
    assert extracted("<div>" * 50 + SENTENCE, extractor=extractor, max_depth=50) is not None
    assert extracted("<div></div>" * 99 + SENTENCE, extractor=extractor, max_depth=50) is not None
    with pytest.raises(PageTooLarge, match="51 elements in one another, more than max_depth 50"):
        extracted("<div>" * 51 + SENTENCE, extractor=extractor, max_depth=50)
    with pytest.raises(PageTooLarge, match="100000 elements in one another"):
        extracted("<div>" * 100_000 + SENTENCE, extractor=extractor)


def test_a_slow_page_fails_once_and_then_at_once() -> None:
    html = page(f"<p>{SENTENCE} <b>bold</b> <a href='/'>link</a></p>" * 3000)
    stage = ExtractHtml(max_seconds=0.05).open()
    table = pa.table({"text": pa.array([html], pa.large_string())})
    with pytest.raises(OutOfTime, match=r"more than 0\.05 s of CPU time") as first:
        stage(table)
    with pytest.raises(OutOfTime) as second:
        stage(table)
    assert first.value is second.value


def test_the_limit_counts_the_thread_s_own_time_and_ends_with_the_block() -> None:
    with pytest.raises(OutOfTime, match=r"counting took more than 0\.1 s"), time_limit(0.1, "counting"):
        sum(1 for _ in iter(int, 1))
    with time_limit(0.1, "nothing"):
        pass
    total = sum(range(3_000_000))  # takes longer than the limits that are over
    assert total == 4_499_998_500_000


class Swallows:
    """Python drops what is raised while an object is finalized."""

    def __del__(self) -> None:
        end = time.thread_time() + 0.3
        while time.thread_time() < end:
            pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_limit_that_is_told_where_nothing_can_be_raised_is_told_again() -> None:
    def finalizes_and_goes_on() -> None:
        Swallows()
        end = time.thread_time() + 5
        while time.thread_time() < end:
            pass

    with pytest.raises(OutOfTime), time_limit(0.1, "a finalizer"):
        finalizes_and_goes_on()
    assert sum(range(3_000_000)) == 4_499_998_500_000


def test_markdown_of_nested_lists_and_code() -> None:
    lists = "<ul>\n  <li>a</li>\n  <ol>\n    <li>b</li>\n    <li>c &amp; d</li>\n  </ol>\n</ul>"
    html = f"<h2>Two</h2>\n{lists}\n<pre>x &lt; y\n\n\n\nz</pre>"
    assert markdown_of(html) == "## Two\n\n- a\n  1. b\n  2. c & d\n\n```\nx < y\n\n\n\nz\n```"


def test_f1_is_by_shared_tokens() -> None:
    assert token_f1("a b c d", "A b x") == pytest.approx(2 * 2 / 7)
    assert (token_f1("", ""), token_f1("a", ""), token_f1("same text", "text, same")) == (1.0, 0.0, 1.0)

"""A URL is found on a list as the list means it."""

import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.url_blocklist import UrlBlocklist
from schemas.errors import InputError
from stages.core.docs import Docs


def measured(url, **lists):
    found = UrlBlocklist(**lists).measure(Docs(pa.table({"url": pa.array([url], pa.string())})))
    return {name: int(values[0]) for name, values in found.items() if values[0]}


@pytest.fixture
def listed(tmp_path):
    def write(*lines):
        path = tmp_path / "list.txt"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return (str(path),)

    return write


def test_a_domain_means_all_hosts_below_it(listed):
    domains = listed("# a comment", "", "Bad.example  # why", "other.example")
    assert measured("https://a.b.bad.example/x", domains=domains) == {"listed_domain": 1}
    assert measured("https://BAD.example", domains=domains) == {"listed_domain": 1}
    assert measured("https://notbad.example", domains=domains) == {}
    assert measured("https://example/bad.example", domains=domains) == {}


def test_a_host_means_itself_alone(listed):
    hosts = listed("bad.example")
    assert measured("https://bad.example:8080/x", hosts=hosts) == {"listed_host": 1}
    assert measured("https://a.bad.example/x", hosts=hosts) == {}


def test_an_address_is_known_with_or_without_scheme_www_and_slash(listed):
    urls = listed("https://www.example.com/Bad/", "example.org/page?id=1")
    for url in ("http://example.com/bad", "https://www.example.com/BAD/#part", "https://user@example.com/bad"):
        assert measured(url, urls=urls) == {"listed_url": 1}
    assert measured("http://example.org/page?id=1", urls=urls) == {"listed_url": 1}
    assert measured("http://example.org/page?id=2", urls=urls) == {}
    assert measured("http://example.com/bad/more", urls=urls) == {}


def test_words_count_whole_and_once(listed):
    words = listed("casino", "poker")
    assert measured("https://a.example/best-casino_casino/Poker.html", words=words) == {"words": 2}
    assert measured("https://mycasinos.example/", words=words) == {}
    assert measured("https://a.example/casino", words=[], soft_words=words) == {"soft_words": 1}


def test_the_shipped_words_are_used_unless_switched_off(listed):
    assert measured("https://xxx.example.com/") == {"words": 1}
    assert measured("https://essex.example.com/sextant/analysis") == {}
    assert measured("https://xxx.example.com/", words=[], hosts=listed("x.example")) == {}


def test_one_word_drops_and_two_soft_words_do(listed):
    limits = {rule.measure: rule.limit for rule in UrlBlocklist(soft_words=listed("a")).rules()}
    assert (limits["words"], limits["soft_words"], limits["listed_domain"]) == (0, 1, None)
    assert {rule.measure: rule.limit for rule in UrlBlocklist(domains=listed("a")).rules()}["listed_domain"] == 0


@pytest.mark.parametrize("url", [None, "", "no url", "mailto:a@casino.example"])
def test_what_is_no_url_is_on_no_list(url, listed):
    assert measured(url, words=listed("casino"), domains=listed("casino")) == {}


def test_no_list_at_all_is_an_error():
    with pytest.raises(ValidationError, match="at least one file"):
        UrlBlocklist(words=[])


def test_a_list_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"nowhere\.txt cannot be read"):
        measured("https://example.com", domains=("nowhere.txt",))


def test_a_list_that_is_not_text_is_named(tmp_path):
    (tmp_path / "binary").write_bytes(b"a\xff")
    with pytest.raises(InputError, match="not UTF-8 at byte 1"):
        measured("https://example.com", hosts=(str(tmp_path / "binary"),))

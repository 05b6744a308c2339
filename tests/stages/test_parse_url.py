"""URLs of one page have one key; domains are what was registered."""

import pyarrow as pa
import pytest

from stages.parse_url import ParseUrl, domain_of, parent_domains


def key(url, **changes):
    return ParseUrl(**changes).parse(url)[2]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://User:pw@Example.COM:80", "https://example.com/"),
        ("https://www.example.com/", "https://example.com/"),
        ("//example.com/a", "https://example.com/a"),
        ("https://example.com:8443/a/", "https://example.com:8443/a"),
        ("https://example.com/a/../b/./c/..", "https://example.com/b"),
        ("https://example.com/%7euser/%e4%b8%ad/中", "https://example.com/~user/%E4%B8%AD/%E4%B8%AD"),
        ("https://example.com/a%2Fb", "https://example.com/a%2Fb"),
        ("https://example.com/a?b=2&a=1&utm_source=x&FBCLID=3#part", "https://example.com/a?a=1&b=2"),
        ("https://example.com/a;jsessionid=1F?phpsessid=2&q=", "https://example.com/a?q="),
        ("https://example.com./a b", "https://example.com/a%20b"),
        ("http://[2001:DB8::1]:8080/", "https://[2001:db8::1]:8080/"),
        ("http://münchen.de/straße", "https://xn--mnchen-3ya.de/stra%C3%9Fe"),
        ("ftp://example.com/a", "ftp://example.com/a"),
        ("http://www.de/", "https://www.de/"),
    ],
)
def test_a_page_has_one_key(url, expected):
    assert key(url) == expected


def test_what_makes_pages_the_same_can_be_chosen():
    url = "http://www.example.com/a/?ref=1&utm_id=2"
    strict = {"same_scheme": False, "strip_www": False, "strip_final_slash": False, "drop_parameters": ("ref",)}
    assert key(url, **strict) == "http://www.example.com/a/?utm_id=2"


@pytest.mark.parametrize(
    "url", [None, "", "nonsense", "mailto:a@example.com", "http://", "http://example.com:99999/", "http://[::1/", "/path/only"]
)
def test_what_has_no_host_gives_nulls(url):
    assert ParseUrl().parse(url) == (None, None, None)


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("news.bbc.co.uk", "bbc.co.uk"),
        ("a.alice.github.io", "alice.github.io"),
        ("example.com", "example.com"),
        ("co.uk", "co.uk"),
        ("192.168.1.1", "192.168.1.1"),
        ("::1", "::1"),
        ("localhost", "localhost"),
        ("www.xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("host.internal-name", "host.internal-name"),
    ],
)
def test_the_registered_domain_is_one_label_below_the_suffix(host, domain):
    assert domain_of(host) == domain


def test_parents_come_longest_first():
    assert list(parent_domains("a.b.example.com")) == ["a.b.example.com", "b.example.com", "example.com", "com"]


def test_columns_are_written_and_the_url_stays():
    table = pa.table({"url": ["http://www.example.com/a/", None]})
    assert ParseUrl().apply(table).to_pylist() == [
        {
            "url": "http://www.example.com/a/",
            "url_host": "www.example.com",
            "url_domain": "example.com",
            "url_key": "https://example.com/a",
        },
        {"url": None, "url_host": None, "url_domain": None, "url_key": None},
    ]

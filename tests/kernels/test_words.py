"""The default mode's words, against literal cases and a definition on strings."""

import random

import numpy as np
import pyarrow as pa
import pytest
from definitions.words import slow_facts, slow_words

from stages.core.docs import Docs
from stages.kernels.text import text_of
from stages.kernels.words import Words, hash_of, words, words_of


def cut(texts: list[str]) -> list[list[str]]:
    text = text_of(pa.array(texts, pa.large_string()))
    found = words_of(text)
    data = text.data.tobytes()
    spans = zip(found.starts.tolist(), found.sizes.tolist(), strict=True)
    all_words = [data[start : start + size].decode() for start, size in spans]
    return [all_words[low:high] for low, high in zip(found.doc_offsets, found.doc_offsets[1:], strict=False)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\r\n\x85\u2028\u3000", []),
        ("One two,\nthree.", ["One", "two", ",", "three", "."]),
        ("漢字かな abc漢", ["漢", "字", "か", "な", "abc", "漢"]),
        ("漢(字)。f(x)漢、b", ["漢", "(", "字", ")", "。", "f(x", ")", "漢", "、", "b"]),
        ("ไปไหน ๓๔", ["ไ", "ป", "ไ", "ห", "น", "๓๔"]),
        ("กิน ខ្មែរ", ["กิ", "น", "ខ្", "មែ", "រ"]),
        ("한국어 हिन्दी العربية", ["한국어", "हिन्दी", "العربية"]),
        ("e\u0301te\u0301 \u0301x (\u0301x)", ["e\u0301te\u0301", "\u0301x", "(\u0301", "x", ")"]),
        ("a\u200bb c\u200dd \ufeffe f\x00g", ["a", "b", "c\u200dd", "e", "f", "g"]),
        ("👍🏽 ❤️!", ["👍", "🏽", "❤️", "!"]),
        ("a\u0085b\u2028c\r\nd", ["a", "b", "c", "d"]),
    ],
)
def test_words_of_the_default_mode(text: str, expected: list[str]) -> None:
    assert cut([text]) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f(x) f(x)[1]; f() (f(x)", "f(x ) f(x)[1 ] ; f ( ) ( f(x )"),
        ("$a->{b}; (@x.y) {z}=1", "$ a->{b } ; ( @x.y ) { z}=1"),
        ("+1 C++ a@ @b a| ~b c^ \\d e/ f- .g h.", "+1 C++ a@ @b a| ~b c^ \\d e/ f- .g h."),
        ("!a! #b# %c% &d& *e* _f_ `g` $h$ =i= ?j? ]k[", "! a ! # b # % c % & d & * e * _ f _ ` g ` $ h $ = i = ? j ? ] k ["),
        ("|| -> // ).( |). .) ab.:", "|| - > // ) . ( | ) . . ) ab . :"),
        ("--flag -1 /etc/x //x x-/y\u3000-é -漢 - /", "--flag -1 /etc / x //x x-/y -é - 漢 - /"),
        ("a_b __init__ me@x.org", "a_b _ _ init _ _ me@x.org"),
        ("wait... --- !!! == — ——", "wait ... --- ! ! ! = = — ——"),
        ("Chapter....12 ../x ...(a)... b.)..", "Chapter .... 12 .. /x ... ( a ) ... b. ) .."),
        ("“a(b)” c—d(e)–f € 5€ (x’yes)", "“ a(b ) ” c — d(e ) – f € 5 € ( x’yes )"),
    ],
)
def test_marks_are_words_at_the_ends_of_a_piece(text: str, expected: str) -> None:
    assert " ".join(*cut([text])) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("well-known a--b and/or x=y a<b>c 2/b", "well - known a -- b and / or x = y a < b > c 2 / b"),
        ("2-year GPL-2 3-4 a-- --a a-=b 2<3", "2 - year GPL-2 3 - 4 a-- --a a-=b 2<3"),
        ("3.14 1,000 10:30 1/2 a/2 a:b A::B", "3.14 1,000 10:30 1/2 a/2 a : b A::B"),
        ("a,b a,2 1,b", "a , b a,2 1,b"),
        ("example.com end.Next end.next END.NEXT 5.Next", "example.com end . Next end.next END.NEXT 5.Next"),
        ("don't it’s we'll they'RE 80's (it's)", "don 't it ’s we 'll they 'RE 80 's ( it 's )"),
        ("o'clock O'Brien l'homme it'll've", "o'clock O'Brien l'homme it'll 've"),
        ("'quoted' rock'n'roll dogs' 'tis", "' quoted ' rock'n'roll dogs ' ' tis"),
    ],
)
def test_some_marks_part_words_inside_a_piece(text: str, expected: str) -> None:
    assert " ".join(*cut([text])) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("U.S. J. B. e.g., ab. 5. a... x.y.z", "U.S. J. B. e.g. , ab . 5 . a ... x.y.z"),
        ("(J.). a-b. f(x. it's.", "( J. ) . a - b. f(x . it 's ."),
        ("U.S.'s é. 漢.", "U.S. 's é. 漢 ."),
    ],
)
def test_a_full_stop_belongs_to_a_letter_by_itself(text: str, expected: str) -> None:
    assert " ".join(*cut([text])) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(https://a.b/c-d?e=1).", "( https://a.b/c-d?e=1 ) ."),
        ("[a](https://b.c/d) git+ssh://e", "[ a ] ( https://b.c/d ) git+ ssh://e"),
        ("see http:// or <ftp://x/>", "see http:// or < ftp://x/ >"),
    ],
)
def test_an_address_is_a_word(text: str, expected: str) -> None:
    assert " ".join(*cut([text])) == expected


@pytest.mark.parametrize("gap", range(58, 68))
def test_marks_at_the_end_of_a_piece_are_found_across_blocks_of_64_bytes(gap: int) -> None:
    begin, marks = "x" * gap, "()" * 40
    assert cut([f"{begin}{marks} b", f"{begin}{marks}b", f"{begin}{marks}", f"{begin}{marks}."]) == [
        [begin, *marks, "b"],
        [f"{begin}{marks}b"],
        [begin, *marks],
        [begin, *marks, "."],
    ]


PIECES = [
    *"aBéßÀ5٣.,;:/-_@'’()#*…–—=\"<>",
    *" \n\t\r\x85\u2028\u00a0\x00\x1f\x7f",
    *"漢か๓ไิកျ한ب",
    "\u0301",
    "\u200d",
    "\u200b",
    "\ufeff",
    "️",
]
PIECES += [
    "...",
    "--",
    "://",
    "http://",
    "it's",
    "we’ll",
    "🙂",
    "👍🏽",
    "\U0010ffff",
    "\U000e0001",
    "3.14",
    "e.g.",
    "\r\n",
    "word ",
    "ǅ",
]


def test_random_texts_are_cut_as_the_definition_says() -> None:
    pick = random.Random(1)
    texts = ["".join(pick.choices(PIECES, k=pick.randrange(14))) for _ in range(6000)]
    for text, ours in zip(texts, cut(texts), strict=True):
        assert ours == slow_words(text), repr(text)


def test_each_word_comes_with_bytes_code_points_hash_and_flags() -> None:
    text = "Größe １ １2 。 … 漢 -- 🙂 x1 5 ¿ don't । a\u0301"
    found = words_of(text_of(pa.array([text])))
    expected = [slow_facts(word) for word in slow_words(text)]
    assert [*zip(found.sizes.tolist(), found.lengths.tolist(), found.flags.tolist(), strict=True)] == expected
    assert found.hashes.tolist() == [hash_of(word.encode()) for word in slow_words(text)]
    assert [field.dtype for field in found] == [np.int64, np.int64, np.int32, np.int32, np.uint64, np.uint8]


def test_hashes_are_the_same_in_every_version() -> None:
    assert [hash_of(word) for word in (b"", b"the", "漢".encode())] == [
        9745341302797703403,
        10584156098323583618,
        3562878209970845409,
    ]


def test_different_short_words_have_different_hashes() -> None:
    letters = [bytes([first, second]) for first in range(256) for second in range(256)] + [bytes([only]) for only in range(256)]
    hashes = {hash_of(word) for word in letters}
    assert len(hashes) == len(letters)
    assert len({value & 0xFFFF for value in hashes}) > 0.6 * 65536  # as many as random numbers would fill


def test_a_slice_of_a_batch_has_the_words_of_its_rows() -> None:
    column = pa.array(["first one", None, "", "third's 漢字", "end"], pa.large_string())
    text = text_of(column.slice(1, 3))
    found = words_of(text)
    assert found.doc_offsets.tolist() == [0, 0, 0, 4]
    assert [text.data[at : at + size].tobytes().decode() for at, size in zip(found.starts, found.sizes, strict=True)] == [
        "third", "'s", "漢", "字",
    ]  # fmt: skip


def test_no_document_and_words_of_one_byte_fit() -> None:
    assert words_of(text_of(pa.array([], pa.large_string()))).doc_offsets.tolist() == [0]
    texts = ["." * 3 + "(" * 1000, "", "a " * 3000 + "!", "(" * 5000]
    assert [len(found) for found in cut(texts)] == [1001, 0, 3001, 5000]


def test_words_are_made_once_for_a_batch_and_mode() -> None:
    docs = Docs(pa.table({"text": pa.array(["a b"], pa.large_string())}))
    assert words(docs) is words(docs, "sluice")
    assert isinstance(words(docs), Words)


def test_an_unknown_mode_is_named() -> None:
    with pytest.raises(ValueError, match="word mode 'nltk', expected 'sluice' or 'datatrove'"):
        words_of(text_of(pa.array(["a"])), "nltk")

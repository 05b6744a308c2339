"""datatrove mode against spaCy on the whole text."""

import gzip
import json
import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import spacy
from definitions import datatrove

from schemas.errors import MissingExtra
from stages.kernels import spacy_rules, spacy_words
from stages.kernels.text import text_of
from stages.kernels.words import hash_of, words_of

TOKENIZER = spacy.blank("en").tokenizer
ROOT = Path(__file__).parents[2]


def cut(texts: list[str]) -> list[list[str]]:
    text = text_of(pa.array(texts, pa.large_string()))
    found = words_of(text, "datatrove")
    data = text.data.tobytes()
    all_words = [data[at : at + size].decode() for at, size in zip(found.starts.tolist(), found.sizes.tolist(), strict=True)]
    assert found.lengths.tolist() == [len(word) for word in all_words]
    assert found.hashes.tolist() == [hash_of(word.encode()) for word in all_words]
    assert spacy_words.spacy_word_counts(text).tolist() == np.diff(found.doc_offsets).tolist()
    return [all_words[low:high] for low, high in zip(found.doc_offsets, found.doc_offsets[1:], strict=False)]


def check(texts: list[str]) -> None:
    for text, ours in zip(texts, cut(texts), strict=True):
        assert ours == datatrove.spacy_words(text), repr(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t\u2028 ", []),
        (
            "I don't (e.g. at 3.14) well-known...",
            ["I", "do", "n't", "(", "e.g.", "at", "3.14", ")", "well", "-", "known", "..."],
        ),
        ("I cannot, you dont.", ["I", "can", "not", ",", "you", "do", "nt", "."]),
        ("Mr. Im. U.S. iPhoneX. end.", ["Mr.", "I", "m.", "U.S.", "iPhoneX.", "end", "."]),
        ("10km, 5% 9a.m. US$5 5US$", ["10", "km", ",", "5", "%", "9", "a.m.", "US$", "5", "5", "US$"]),
        ("a:)", ["a", ":)"]),
        ("a:) )", ["a", ":", ")", ")"]),
        ("a:)\n)", ["a", ":)", ")"]),
        ("(see 8): (a): non-St.", ["(", "see", "8)", ":", "(", "a", "):", "non", "-", "St."]),
        ("漢字。 x\u00a0y\x85z", ["漢字", "。", "x", "y", "z"]),
        ("\x00a b\x1fc", ["\x00a", "b", "c"]),
        ("www.a-b.org/x, me@x.org. 8.8.8.8", ["www.a-b.org/x", ",", "me@x.org", ".", "8.8.8.8"]),
    ],
)
def test_words_are_spacys(text: str, expected: list[str]) -> None:
    assert cut([text]) == [expected]
    assert datatrove.spacy_words(text) == expected


HARD = """
a.b a.B A.b A.B a..b a...B ..a a.. ... .. . .a a. A. AB. aB. aBC. é. É. ÉÉ. 1. 1.. %. ². -. +. ). ”. °C. 5°C. °c. x°F.
20°K. 1-2 1--2 1-a a-1 a-b a--b a---b a----b a–b a—b a——b a~b a-–b 1+2 1*2 1^2 1+-2 1/2 a/b a/1 a:b a:1 a<b a=b a>b 1:b
1=b a,b a,1 1,b +1 +a a+ 1+ ++ C++ + -1 $ $5 5$ US$ US$5 5US$ C$5 A$ 5A$ AU$5 USD5 £5 5£ €5.50 5€. 10km 10km. 10km²
10km² 5m/s 5km/h. 10kms km 10 10g. 5% 5%. 5MB/s 10тбكم ٥كم 5كم 5м/с x5km 5.5km '5km 5"km 10in. 10ft 10t' dog's dogs'
dog’s DOG'S 's 'S ’s ’’ '' ''s o'clock y'all 'cause 'tis ma'am don't' "don't" (don't) don't, don't. don't... cannot!
(cannot) Im, I'm. I'ma they'd've couldn't've : :) :)) :))) :)))) a:)b (: (:) ): (a): [a]: {a}: a): 8) (8) 18) 8). <3 <33
</3 >:( :-( :'-( ^_^ (^_^) a^_^ ¯\\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*> o.O O.o 0.0 and/or w/o a/or and/or. w/o, (and/or) x-Mr.
x-Mr x/Mr. Mr.. Mr., (Mr. Mr.) etc. etc.) e.g. e.g., (e.g. E.G. i.e.: Ph.D. PhD. a.m. 9a.m. 9am. 13a.m. 9.a.m. p.m.)
U.S. U.S.A. u.s. N.Y. N.Y.-based vs. v.s. No. no. St. St.-X Inc., Co. co. Jan. jan. http://a.bc https://x.org/y?z=1#q
ftp://u:p@h.org:21/ http://x http:// a://b.cd aa://b.cd a@b.cd a@b @b.cd a@@b.cd a@b.c@d.ef x.y.zz x.org, x.org. (x.org)
"x.org" x.Org x.ORG X.org 1.org x-.org -x.org x_y.org x..org x.o x.oo:1 x.oo:12 x.oo:12345 x.oo:123456 x.oo:12/ x.oo/
x.oo? x.oo# x.oo! x.oo:٣٤ é.fr x.éé x.漢字 x.1a file.txt file.txt: end.Next a.next,b main.cpp foo.bar() foo.bar.baz[0]
8.8.8.8 10.0.0.1 127.0.0.1 192.168.1.1 172.15.0.1 172.16.0.1 172.31.9.9 172.32.0.1 169.254.0.1 224.0.0.1 223.255.255.254
1.2.3.255 1.2.3.0 1.2.3 1.2.3.4.5 8.8.8.8:80 8.8.8.8/x 8.8.8.8. 08.8.8.8 8.08.8.8 8.8.8.08 256.1.1.1 1.256.1.1 1.1.1.٣
1.٣.1.1 ٣.1.1.1 “a” ‘a’ „a“ «a» `a` ``a'' ´a´ ¿a? ¡a! a… …a a…b a…… ……a ……… a。 。a a，b 漢字，漢字 「漢字」 （x） 【x】
〈x〉 ⟦x⟧ a·b a、b a；b ☃ a☃ ☃a a☃b ☃☃ 🙂 a🙂 🙂🙂 a🙂b © ©2020 a®b 5° 5°C ™ a™ → a→b ← ■ █ a♥b ﷼5 5﷼ § §5 a§b % %5 = =a
a= a=1 # #a a# & a&b @ @a * *a a*b _ __ _a_ a_b __init__ __init__(self): \\n \\t <space> <br> <br/> </a> x<y> {x} [1]
[[x]] ((a)) (a)(b) a(b) a(b)c f(x): "a". "a.", 'a', 'a don”t don’t isn’t it’s ’Twas ’s’ x’s. x”. x.” x.’ x.) x.] x.} 1.)
1) (1) [1]. 1], 1; 1: 1! 1? 1!? !!! ??? ?! !? ;; ,, ,a a,, --a -- --- — – дом. Дом. ДОМ. дом-дом дом.Дом дом,дом λ. Λ.
ΛΛ. ß. İ. ǅ. ª. ﬁ. שלום. שלום,שלום עברית.עברית हिन्दी। हिन्दी.हिन्दी مرحبا، مرحبا.مرحبا ไทย. ไทย.ไทย 한글. 한글.한글
e\u0301. a\u0301-b a\u200b. a\u200b-b \ufeffa a\ufeff. a\u00adb \ue000. a\ufffdb a\x00. \x00. \x7f. a\x7fb ١٢٣ ١٢٣. 1٢km
²km a²-b ½km ⅷ. 𝐚.𝐁 𠀀.𠀁 😀.😀
"""


AROUND = [
    ("(", ")"),
    ('"', '."'),
    ("", ","),
    ("x-", "."),
    ("5", "'s"),
    ("", "/x"),
    ("", ":80/x"),
    ("a@", "?x-y"),
    ("://", "#a/b"),
]


def test_hard_chunks_are_cut_as_spacy_cuts_them() -> None:
    chunks = HARD.split() + sorted(special for special in TOKENIZER.rules if special.strip())
    check(chunks)
    check([f"{front}{chunk}{back}" for chunk in chunks for front, back in AROUND])


def test_the_sample_and_the_texts_of_the_parity_tests_are_cut_as_spacy_cuts_them() -> None:
    check(pq.read_table(ROOT / "jobs/sample/manuals-00.parquet")["text"].to_pylist())
    with gzip.open(ROOT / "jobs/sample/snippets-00.jsonl.gz", "rt") as lines:
        check([json.loads(line)["content"] for line in lines])
    cases = [json.loads(line) for line in (ROOT / "tests/parity/datatrove_filters.jsonl").read_text().split("\n") if line]
    check([case["text"] for case in cases if "text" in case])


MARKS = [*"'\"`´‘’“”„«»()[]{}<>,.;:!?¿¡…·-–—~_#*&%§=+^/\\|@$£€°²©☃。，、「」।،"]
LETTERS = [
    "a",
    "b",
    "s",
    "S",
    "Z",
    "km",
    "word",
    "Word",
    "USA",
    "é",
    "É",
    "ß",
    "д",
    "Д",
    "漢",
    "ع",
    "क",
    "한",
    "🙂",
    "\u0301",
    "\x00",
    "𠀀",
]
CLITICS = ["'s", "’s", "n't", "'ll", "'d", "'", "’", "..", "...", "……", "--", "---"]
NUMBERS = ["0", "1", "8", "10", "3.14", "1,000", "٣", "192.168", "½"]
AFFIXES = ["US$", "C$", "%", "km", "km²", "m/s", "GB", "°C", "°F.", "kg", "in", "м", "كم"]
HOSTS = ["www.", ".com", ".org/", "http://", "mailto:", "@", ":80", "?q=1", "a.b", "x.yz", "10.2.3.4"]
SPACES = [" ", " ", " ", "  ", "\n", "\t", "\u00a0", "\u2028", "\x85", "\u3000", "\x1c"]
KINDS = [MARKS, MARKS, LETTERS, LETTERS, CLITICS, NUMBERS, AFFIXES, HOSTS, sorted(s for s in TOKENIZER.rules if s.strip())]


def random_texts(seed: int, count: int, spaces: float) -> list[str]:
    pick = random.Random(seed)

    def piece() -> str:
        return pick.choice(SPACES if pick.random() < spaces else pick.choice(KINDS))

    return ["".join(piece() for _ in range(pick.choice((1, 2, 3, 4, 6, 9, 40)))) for _ in range(count)]


def test_random_chunks_are_cut_as_spacy_cuts_them() -> None:
    check(random_texts(1, 8000, 0))


def test_random_texts_full_of_special_cases_are_cut_as_spacy_cuts_the_whole() -> None:
    check(random_texts(2, 3000, 0.3))


def test_random_rows_of_special_cases_hide_each_other_as_in_spacy() -> None:
    pick = random.Random(3)
    check(["".join(pick.choice("::)))((('-=8Ds. \n") for _ in range(pick.randrange(1, 60))) for _ in range(3000)])


@pytest.mark.parametrize("size", [62, 63, 64, 65, 127, 128, 129, 1000])
def test_long_chunks_and_words_at_the_ends_of_blocks_are_cut_as_spacy_cuts_them(size: int) -> None:
    check([make(size) for make in LONG])


LONG: list[Callable[[int], str]] = [
    lambda size: "a" * size,
    lambda size: "a" * size + ".",
    lambda size: "a" * size + "1",
    lambda size: "1" * size + "km",
    lambda size: " " * size + "don't",
    lambda size: "x" * size + " cannot.",
    lambda size: "x" * size + "-" + "y" * size,
    lambda size: ":)" * size,
    lambda size: ") : " * size + "a:)",
    lambda size: "a" * size + ".org/x",
    lambda size: "a." + "o" * size + "/x",
    lambda size: "." * size,
    lambda size: "(" * size + "Mr." + ")" * size,
    lambda size: "漢" * size + "。",
]


def test_a_document_ends_a_word_and_a_row_of_words() -> None:
    texts = ["can", "not", "a:)", ")", "a:)", " )", "Mr", ".", "x-Mr.", ".", "", "", "a:) ", ")"]
    assert cut(texts) == [datatrove.spacy_words(text) for text in texts]


def test_a_slice_of_a_batch_has_the_words_of_its_rows() -> None:
    column = pa.array(["not me:) )", "don't", None, "a:) )"], pa.large_string()).slice(1, 3)
    found = words_of(text_of(column), "datatrove")
    assert np.diff(found.doc_offsets).tolist() == [2, 0, 4]


def test_threads_cut_as_one_does() -> None:
    batches = [random_texts(seed, 60, 0.3) for seed in range(4, 12)]
    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(cut, batches)] == [[datatrove.spacy_words(text) for text in batch] for batch in batches]


def test_without_spacy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(MissingExtra, match=r"pip install 'sluice\[parity\]'"):
        spacy_rules.spacy_rules.__wrapped__()


def test_other_expressions_than_those_of_english_are_refused() -> None:
    with pytest.raises(MissingExtra, match="another prefix expression"):
        spacy_rules._check_expressions(spacy.blank("de").tokenizer)

"""DCLM's form of Gopher's repetition rules."""

from collections.abc import Sequence

import pyarrow as pa

from filters.gopher_quality import ratio
from schemas.rule import Limit, Rule, at_least, at_most, count, share
from stages.core.docs import Docs
from stages.core.stage import Measures
from stages.core.tuned import ENGLISH, TunedFilter
from stages.kernels.copies import TOP_SIZES, UNION_SIZES, gram_copies, segment_copies

_PARTS = (
    "duplicate_line_fraction",
    "duplicate_paragraph_fraction",
    "duplicate_line_char_fraction",
    "duplicate_paragraph_char_fraction",
)
_TOPS = tuple(f"top_{n}_gram_fraction" for n in TOP_SIZES)
_DUPLICATES = tuple(f"duplicate_{n}_gram_fraction" for n in UNION_SIZES)


class DclmRepetition(TunedFilter):
    r"""Keep documents with few repeated lines, paragraphs and word n-grams, all copies counted, the first too.

    lines                                                            lines that are not empty
    duplicate_line_fraction, duplicate_paragraph_fraction            those that occur more than once / all
    duplicate_line_char_fraction, duplicate_paragraph_char_fraction  code points in those / code points in all
    top_n_gram_fraction        code points of the most frequent n-gram (of these the longest) times its count / code points in
                               words; 0 if no n-gram occurs twice, above 1 where copies overlap
    duplicate_n_gram_fraction  code points in words that are part of an n-gram which occurs more than once / in words

    Where toolkits differ:
    lines               parted by "\n", paragraphs by "\n\n"; both stripped, empty ones left out
    duplicates          the first copy counts, too
    denominator         code points of the lines, of the paragraphs, or of the words
    word                that of Unicode (see below) with a letter or numeral; n-grams go over the punctuation between them
    top n-gram          the longest of the most frequent; one that occurs once is none
    duplicate n-gram    all copies, the words of copies that overlap once
    empty text          has no line and breaks `min_lines`; a share of nothing is 0

    Li et al. 2024 (DCLM); order, limits and counting of mlfoundations/dclm, massive_web_repetition_filters. It takes its words
    from uniseg (Unicode Standard Annex 29), and so do we, with ASCII's marks, the curly apostrophe and the middle dot as what
    may stand inside a word; but there a run of katakana is one word, and here each letter is.
    """

    unit = "word"
    tuned = dict.fromkeys((f"max_{name}" for name in (*_PARTS, *_TOPS, *_DUPLICATES)), ENGLISH)

    min_lines: Limit | None = count(1, "fewest lines that are not empty", "lines")
    max_duplicate_line_fraction: Limit | None = share(0.30, "lines that occur more than once")
    max_duplicate_paragraph_fraction: Limit | None = share(0.30, "paragraphs that occur more than once")
    max_duplicate_line_char_fraction: Limit | None = share(0.20, "characters in lines that occur more than once")
    max_duplicate_paragraph_char_fraction: Limit | None = share(0.20, "characters in paragraphs that occur more than once")
    max_top_2_gram_fraction: Limit | None = share(0.20, "characters in the most frequent 2-gram")
    max_top_3_gram_fraction: Limit | None = share(0.18, "characters in the most frequent 3-gram")
    max_top_4_gram_fraction: Limit | None = share(0.16, "characters in the most frequent 4-gram")
    max_duplicate_5_gram_fraction: Limit | None = share(0.15, "characters in words of repeated 5-grams")
    max_duplicate_6_gram_fraction: Limit | None = share(0.14, "characters in words of repeated 6-grams")
    max_duplicate_7_gram_fraction: Limit | None = share(0.13, "characters in words of repeated 7-grams")
    max_duplicate_8_gram_fraction: Limit | None = share(0.12, "characters in words of repeated 8-grams")
    max_duplicate_9_gram_fraction: Limit | None = share(0.11, "characters in words of repeated 9-grams")
    max_duplicate_10_gram_fraction: Limit | None = share(0.10, "characters in words of repeated 10-grams")

    def measures(self) -> dict[str, pa.DataType]:
        """A count and shares."""
        return {"lines": pa.int64(), **dict.fromkeys((*_PARTS, *_TOPS, *_DUPLICATES), pa.float64())}

    def measure(self, docs: Docs) -> Measures:
        """The measures of the class's docstring."""
        text = docs.text()
        lines, paragraphs = segment_copies(text, 1), segment_copies(text, 2)
        grams = gram_copies(text)
        shares = (
            (lines.copies, lines.segments),
            (paragraphs.copies, paragraphs.segments),
            (lines.copy_chars, lines.chars),
            (paragraphs.copy_chars, paragraphs.chars),
            *((chars, grams.chars) for chars in grams.top),
            *((chars, grams.chars) for chars in grams.union),
        )
        names = (*_PARTS, *_TOPS, *_DUPLICATES)
        return {
            "lines": lines.segments,
            **{name: ratio(part, whole) for name, (part, whole) in zip(names, shares, strict=True)},
        }

    def rules(self) -> Sequence[Rule]:
        """DCLM's order, after the empty documents that it drops."""
        names = (*_PARTS, *_TOPS, *_DUPLICATES)
        limits = [at_most(name, getattr(self, f"max_{name}"), f"max_{name}") for name in names]
        return self.for_languages([at_least("lines", self.min_lines, "min_lines"), *limits])

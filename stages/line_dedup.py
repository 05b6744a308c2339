"""Cut out lines that stand in the corpus more than once."""

from typing import ClassVar

from stages.core.repeated_pieces import RepeatedPieces


class LineDedup(RepeatedPieces):
    r"""Cut out lines that stand in the corpus `min_count` times or more; the first one, in the order of the input, may stay.

    A line is what stands between "\n", without white space around it. Occurrences in one document count, too. Lines shorter
    than `min_chars` characters are never compared: closing brackets and headings repeat everywhere. A document of which no
    line would be left is dropped by the rule `nothing_left`. Edits in the ledger are of type `repeated_line`.

    CCNet (Wenzek et al. 2020, section 3.1) drops every paragraph whose hash, of lower case without digits and punctuation, was
    seen before in its shards; DCLM and Dolma ask a Bloom filter, which also cuts lines that were never seen. Here all of the
    corpus is compared, by 128 bits (two XXH64), exactly.

    Sketch: 16 bytes for each line that is compared. A task of `solve` holds the hashes of 256 parts, or 8 million of one range.
    """

    paragraphs: ClassVar[bool] = False

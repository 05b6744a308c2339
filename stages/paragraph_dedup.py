"""Cut out paragraphs that stand in the corpus more than once."""

from typing import ClassVar

from stages.core.repeated_pieces import RepeatedPieces


class ParagraphDedup(RepeatedPieces):
    """Cut out paragraphs that stand in the corpus `min_count` times or more; the first one, in the input's order, may stay.

    A paragraph is a run of lines without an empty line between them. All else is as in line_dedup; edits in the ledger are of
    type `repeated_paragraph`.
    """

    paragraphs: ClassVar[bool] = True

"""Share of lines that repeat an earlier one."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from schemas.rule import Limit, Rule, at_most, share
from stages.core.docs import Docs
from stages.core.stage import Measures
from stages.core.tuned import ENGLISH, TunedFilter
from stages.kernels.lines import filled_line_repeats


class LineRepetition(TunedFilter):
    r"""Keep documents with few repeated lines. A line equal to an earlier one is a repeat.

    repeat_fraction       repeats / lines
    repeat_char_fraction  code points in repeats / code points in lines

    Where toolkits differ:
    duplicate lines   the first copy is not a repeat, as in datatrove; in Dolma and DCLM it is, so the same limits make a
                      stricter filter there
    denominator       code points in the lines, not in the whole text as in datatrove
    lines             end at "\n" or "\r\n"; empty ones do not count
    empty text        scores 0 on both and is kept

    Limits: Rae et al. 2021 (Gopher), table A1.
    """

    unit = "line"
    tuned = dict.fromkeys(("max_repeat_fraction", "max_repeat_char_fraction"), ENGLISH)

    max_repeat_fraction: Limit | None = share(0.30, "lines equal to an earlier one")
    max_repeat_char_fraction: Limit | None = share(0.20, "characters in lines equal to an earlier one")

    def measures(self) -> dict[str, pa.DataType]:
        """Both shares."""
        return {"repeat_fraction": pa.float64(), "repeat_char_fraction": pa.float64()}

    def measure(self, docs: Docs) -> Measures:
        """Shares per document; 0 without lines."""
        found = filled_line_repeats(docs.text())
        return {
            "repeat_fraction": found.repeats / np.maximum(found.segments, 1),
            "repeat_char_fraction": found.repeat_chars / np.maximum(found.segment_chars, 1),
        }

    def rules(self) -> Sequence[Rule]:
        """Repeated lines first, then their characters."""
        rules = (
            at_most("repeat_fraction", self.max_repeat_fraction, "max_repeat_fraction"),
            at_most("repeat_char_fraction", self.max_repeat_char_fraction, "max_repeat_char_fraction"),
        )
        return self.for_languages(rules)

"""Refusals, words of the chat around an answer, and marks of templates that should not be in it."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from schemas.rule import Limit, Rule, at_most, count
from stages.core.docs import Docs
from stages.core.generated import KIND, PARENT_TEXT, synthetic
from stages.core.leaks import FAMILIES
from stages.core.stage import Measures
from stages.core.tuned import ENGLISH, TunedFilter


class Refusal(TunedFilter):
    """Keep answers that are the text that was asked for, without a word of the chat or of its template.

    refusals         "I'm sorry, but I can't help with that", "Please provide the passage": in the first 400 code points
    self_references  "As an AI language model", "my training data": anywhere
    openers          "Sure, here is a rephrased version:", "Rewritten text:": at the beginning
    closers          "I hope this helps!", "Let me know if ...": in the last 300 code points
    template_tokens  <|im_start|>, [INST], </s>, "### Instruction:", <think>, a line that begins with ASSISTANT: anywhere
    placeholders     {text}, {{ document }}, [Your Name], [insert source here]: anywhere

    Each counts the patterns of its family that are found in the text and nowhere in its source (`_parent_text`, if there is
    one), so a paraphrase of an article about chat models is kept. The patterns are those of `stages/core/leaks.py`; their
    words are English, the marks of templates are not.

    Only documents whose `kind` is `synthetic` are judged; others measure 0.
    """

    unit = "document"
    tuned = dict.fromkeys(("max_refusals", "max_self_references", "max_openers", "max_closers"), ENGLISH)

    max_refusals: Limit | None = count(0, "ways of refusing", "patterns")
    max_self_references: Limit | None = count(0, "ways of speaking of oneself as a model", "patterns")
    max_openers: Limit | None = count(0, "words of the chat before the text", "patterns")
    max_closers: Limit | None = count(0, "words of the chat behind the text", "patterns")
    max_template_tokens: Limit | None = count(0, "marks of a chat template", "patterns")
    max_placeholders: Limit | None = count(0, "names of a template's blanks", "patterns")

    def columns_read(self) -> tuple[str, ...]:
        """The answer, its source, and whether it is one."""
        return ("text", PARENT_TEXT, KIND)

    def measures(self) -> dict[str, pa.DataType]:
        """A count for each family."""
        return dict.fromkeys(FAMILIES, pa.int8())

    def measure(self, docs: Docs) -> Measures:
        """The measures of the class's docstring."""
        found = np.zeros((len(docs), len(FAMILIES)), np.int8)
        for row, text, source in synthetic(docs.table):
            found[row] = [family.found(text, source or "") for family in FAMILIES.values()]
        return {name: found[:, at] for at, name in enumerate(FAMILIES)}

    def rules(self) -> Sequence[Rule]:
        """A limit for each family."""
        limits = (
            self.max_refusals,
            self.max_self_references,
            self.max_openers,
            self.max_closers,
            self.max_template_tokens,
            self.max_placeholders,
        )
        return self.for_languages([at_most(name, limit, f"max_{name}") for name, limit in zip(FAMILIES, limits, strict=True)])

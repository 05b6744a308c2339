"""C4's rules: lines are edited first, then documents are judged by what was seen in their lines."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from schemas.rule import Limit, Rule, Table, at_least, at_most, count
from stages.core.docs import Docs
from stages.core.stage import Map, Measures, Stage
from stages.core.tuned import ENGLISH, Policy, TunedFilter, is_in, language_policy
from stages.kernels.c4_lines import NO_LIMIT, LineRules, edit_lines
from stages.kernels.sentences import sentences_of
from stages.kernels.text import column_of, text_of
from stages.kernels.words import Mode

_SEEN = ("lines", "lines_removed", "lorem_ipsum", "curly_bracket", "sentences")
_COLUMNS = {name: f"_c4_{name}" for name in _SEEN}


class C4Lines(Map):
    r"""Drops and edits lines as C4 does, and writes what it saw into columns.

    text            the kept lines with "\n" between, stripped; the original where lorem_ipsum or curly_bracket is 1
    _c4_lines, _c4_lines_removed          lines before, and those taken away
    _c4_lorem_ipsum, _c4_curly_bracket    1 if a line with it was met, where reading stops; so at most one of them is 1
    _c4_sentences                         sentences in the lines of the text that is left

    For each line of `str.splitlines`, stripped, in this order: a word above `max_word_length` removes it; citations are
    cut out; no terminal punctuation, or "..." at the end, removes it; so do too few words (counted before citations were
    cut out); then lorem ipsum, javascript, "{" and the phrases of policies are looked for.

    Where toolkits differ:
    word        what white space parts; for the fewest words of a line, in our own mode, every letter of a script without spaces
    numbers     3 words in a line, 5 sentences in the text; in DCLM 5 and 3
    end marks   . ? ! " ' but not "..."; in our own mode also the sentence ends of other scripts, and 」 and 』. What ends
                without any, as Thai does, goes; mC4 left the rule out for that (Xue et al. 2021, section 3.1):
                `terminal_punctuation: false`, or `other_languages: pass`
    empty text  has no line and no sentence

    Raffel et al. 2020, section 2.2; order and details of datatrove 0.10. `mode` chooses how sentences are counted,
    too, see `sentences_of`: there the marks of all scripts end a sentence.
    """

    mode: Mode = Field(
        "sluice", description="whose sentences and marks: ours, for all scripts, or those of datatrove (spaCy's sentencizer)"
    )
    terminal_punctuation: bool = Field(True, description="remove lines that do not end with . ? ! \" or ', or end with ...")
    min_words_per_line: int | None = Field(
        3, ge=0, description="words a line must have to stay", json_schema_extra={"unit": "words"}
    )
    max_word_length: int | None = Field(
        1000, ge=0, description="remove lines with a longer word", json_schema_extra={"unit": "code points"}
    )
    lorem_ipsum: bool = Field(True, description='drop documents with "lorem ipsum"')
    javascript: bool = Field(True, description='remove lines with "javascript"')
    curly_bracket: bool = Field(True, description='drop documents with "{"')
    policy: bool = Field(True, description="remove lines about terms of use, privacy policy or cookies")
    citations: bool = Field(True, description="cut out [1], [], [edit] and [citation needed]")
    other_languages: Policy = language_policy("edited and judged")

    def columns_read(self) -> tuple[str, ...]:
        """The text; the language too, if it decides whether lines are edited."""
        return ("text",) if self.other_languages == "judge" else ("text", "language")

    def columns_written(self) -> dict[str, pa.DataType]:
        """The text, and what was seen."""
        return {"text": pa.large_string()} | dict.fromkeys(_COLUMNS.values(), pa.int32())

    def requirements(self) -> tuple[tuple[str, str], ...]:
        """spaCy, where its sentences are asked for."""
        return (("spacy", "parity"),) if self.mode == "datatrove" else ()

    def apply(self, table: pa.Table) -> pa.Table:
        """Edited text and the columns of what was seen."""
        found = edit_lines(
            text_of(table.column("text")),
            LineRules(
                max_word_length=NO_LIMIT if self.max_word_length is None else self.max_word_length,
                citations=self.citations,
                terminal_punctuation=self.terminal_punctuation,
                min_words_per_line=NO_LIMIT if self.min_words_per_line is None else self.min_words_per_line,
                lorem_ipsum=self.lorem_ipsum,
                javascript=self.javascript,
                curly_bracket=self.curly_bracket,
                policy=self.policy,
                scripts=self.mode == "sluice",
            ),
        )
        text, seen = column_of(found.text), [found.lines_removed, found.lorem_ipsum, found.curly_bracket]
        if self.other_languages == "pass":
            edited = is_in(table, ENGLISH)
            original = pc.fill_null(table.column("text").cast(pa.large_string()), "").combine_chunks()
            text, seen = pc.if_else(pa.array(edited), text, original), [numbers * edited for numbers in seen]
        columns: dict[str, pa.Array] = {"text": text}
        for column, numbers in zip(
            _COLUMNS.values(), (found.lines, *seen, sentences_of(text_of(text), self.mode)), strict=True
        ):
            columns[column] = pa.array(numbers.astype(np.int32))
        for name, values in columns.items():
            place = table.schema.get_field_index(name)
            table = table.append_column(name, values) if place < 0 else table.set_column(place, name, values)
        return table


class C4Document(TunedFilter):
    """Keep documents without lorem ipsum and curly brackets and with enough sentences, judged by the columns of C4Lines.

    lorem_ipsum, curly_bracket   1 if a line that reached the test had it
    sentences                    sentences in the lines that were left
    lines, lines_removed         of the document before it was edited; no rule, for the ledger
    """

    unit = "line"
    tuned = dict.fromkeys(("lorem_ipsum", "curly_bracket", "min_sentences"), ENGLISH)

    lorem_ipsum: bool = Field(True, description='drop documents with "lorem ipsum"')
    curly_bracket: bool = Field(True, description='drop documents with "{"')
    min_sentences: Limit | None = count(5, "sentences that must be left", "sentences")

    def columns_read(self) -> tuple[str, ...]:
        """What C4Lines wrote."""
        return tuple(_COLUMNS.values())

    def measures(self) -> dict[str, pa.DataType]:
        """What was seen, all integers."""
        return dict.fromkeys(_SEEN, pa.int32())

    def measure(self, docs: Docs) -> Measures:
        """The columns as they are."""
        return {name: docs.numbers(column) for name, column in _COLUMNS.items()}

    def rules(self) -> Sequence[Rule]:
        """In datatrove's order."""
        rules = (
            at_most("lorem_ipsum", 0 if self.lorem_ipsum else None, "lorem_ipsum"),
            at_most("curly_bracket", 0 if self.curly_bracket else None, "curly_bracket"),
            at_least("sentences", self.min_sentences, "min_sentences"),
        )
        return self.for_languages(rules)

    def languages_of(self, rule: Rule) -> frozenset[str] | None:
        """Lines are edited by the rules of English, whatever is looked for in what they leave."""
        own = rule.measure != "sentences" and rule.limit is not None and not isinstance(rule.limit, Table)
        return ENGLISH if own else super().languages_of(rule)


class C4Quality(C4Lines):
    """C4's line and document rules: a Map that edits lines (C4Lines) and a Filter that judges (C4Document).

    Every removed line and citation is gone from the text that later stages see. FineWeb uses
    `terminal_punctuation: false`. C4's list of bad words is a filter of its own.
    """

    min_sentences: Limit | None = count(5, "sentences that must be left", "sentences")

    def nodes(self) -> Sequence[Stage]:
        """The Map, then the Filter."""
        return (self._lines(), self._document())

    def _lines(self) -> C4Lines:
        return C4Lines(**{name: getattr(self, name) for name in C4Lines.model_fields})

    def _document(self) -> C4Document:
        return C4Document(**{name: getattr(self, name) for name in C4Document.model_fields if name != "gate"})

"""The other side of text_filters.py: passes of a peer's filters over documents, in the peer's own environment.

    .envs/datatrove/bin/python text_filters_peers.py datatrove documents.jsonl
    .envs/nemo_curator/bin/python text_filters_peers.py nemo_curator documents.jsonl

Documents and filters are made before the clock starts; each pass runs in a fork, with documents of its own. A pass is
`every` (each filter on every document) or `exit` (a document ends at the first filter that drops it). A document on which
a filter raises is counted and counts as dropped by it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness import Result, forked, serve

WARM = "The words of this text are of no matter. They make the filters load what they need, and that is not timed."


def datatrove(texts: list[str]) -> Callable[[str], Result]:
    """The four filters, called as `BaseFilter.run` calls them. FineWeb's sees the text that C4's has edited."""
    from datatrove.data import Document
    from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter

    filters = [
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
    ]
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]

    def drops(filter_: Any, document: Any) -> int:
        try:
            return filter_.filter(document) is not True
        except (ValueError, ZeroDivisionError):
            return 2

    def run(how: str) -> Result:
        dropped = raised = 0
        for document in documents:
            first = 0
            for filter_ in filters:
                found = drops(filter_, document)
                first = first or found
                if found and how == "exit":
                    break
            dropped += first > 0
            raised += first == 2
        return {"dropped": dropped, "raised": raised}

    for filter_ in filters:
        filter_.filter(Document(text=WARM, id="warm"))
    return run


def nemo_curator(texts: list[str]) -> Callable[[str], Result]:
    """The filters and limits of its config/text/heuristic_filter_english_pipeline.yaml, in that order.

    `exit` is its own way: a ScoreFilter stage for each, on a pandas DataFrame, without its scheduler. `every` calls what that
    stage calls, `score_document` and `keep_document`, on every document: a stage cannot go on after a text on which it raises.
    """
    import pandas
    from loguru import logger
    from nemo_curator.stages.text.filters import ScoreFilter
    from nemo_curator.stages.text.filters.heuristic import repetition, string
    from nemo_curator.tasks import DocumentBatch

    logger.remove()
    filters = [
        string.NonAlphaNumericFilter(max_non_alpha_numeric_to_text_ratio=0.25),
        string.SymbolsToWordsFilter(max_symbol_to_word_ratio=0.1),
        string.NumbersFilter(max_number_to_text_ratio=0.15),
        string.UrlsFilter(max_url_to_text_ratio=0.2),
        string.WhiteSpaceFilter(max_white_space_ratio=0.25),
        string.ParenthesesFilter(max_parentheses_ratio=0.1),
        string.BoilerPlateStringFilter(remove_if_at_top_or_bottom=True, max_boilerplate_string_ratio=0.4),
        repetition.RepeatedLinesFilter(max_repeated_line_fraction=0.7),
        repetition.RepeatedParagraphsFilter(max_repeated_paragraphs_ratio=0.7),
        repetition.RepeatedLinesByCharFilter(max_repeated_lines_char_ratio=0.8),
        repetition.RepeatedParagraphsByCharFilter(max_repeated_paragraphs_char_ratio=0.8),
        string.WordCountFilter(min_words=50, max_words=100000),
        string.PunctuationFilter(max_num_sentences_without_endmark_ratio=0.85),
        string.WordsWithoutAlphabetsFilter(min_words_with_alphabets=0.8),
        string.CommonEnglishWordsFilter(min_num_common_words=2, stop_at_false=True),
        string.MeanWordLengthFilter(max_mean_word_length=10, min_mean_word_length=3),
        string.LongWordFilter(max_word_length=1000),
        string.EllipsisFilter(max_num_lines_ending_with_ellipsis_ratio=0.3),
    ]
    for n, limit in [(2, 0.2), (3, 0.18), (4, 0.16)]:
        filters.append(repetition.RepeatingTopNGramsFilter(n=n, max_repeating_ngram_ratio=limit))
    for n, limit in [(5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10)]:
        filters.append(repetition.RepeatingDuplicateNGramsFilter(n=n, max_repeating_duplicate_ngram_ratio=limit))
    filters.append(string.BulletsFilter(max_bullet_lines_ratio=0.9))
    stages = [ScoreFilter(filter_obj=filter_, text_field="text") for filter_ in filters]
    frame = pandas.DataFrame({"text": texts})

    def drops(filter_: Any, text: str) -> int:
        try:
            return not filter_.keep_document(filter_.score_document(text))
        except (ValueError, ZeroDivisionError, IndexError):
            return 2

    def every() -> Result:
        dropped = raised = 0
        for text in texts:
            found = [drops(filter_, text) for filter_ in filters]
            dropped += any(found)
            raised += 2 in found
        return {"dropped": dropped, "raised": raised}

    def early() -> Result:
        batch = DocumentBatch(dataset_name="benchmark", data=frame)
        for stage in stages:
            batch = stage.process(batch)
        return {"dropped": len(texts) - len(batch.to_pandas()), "raised": 0}

    for filter_ in filters:
        drops(filter_, WARM)
    return lambda how: every() if how == "every" else early()


def main() -> int:
    tool, path = sys.argv[1], Path(sys.argv[2])
    texts = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").split("\n") if line]
    run = {"datatrove": datatrove, "nemo_curator": nemo_curator}[tool](texts)
    distributions = {"datatrove": ["datatrove", "spacy"], "nemo_curator": ["nemo-curator", "pandas"]}[tool]

    def answer(request: str) -> Result:
        if request == "versions":
            return {name: version(name) for name in distributions}
        return forked(lambda: run(request))

    serve(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())

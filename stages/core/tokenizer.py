"""Tokenizers in the files of Hugging Face's `tokenizers`."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from schemas.errors import InputError, MissingExtra
from stages.core.splitting import Count

BYTES_PER_TOKEN = 3
"""of a text whose tokenizer is not known: fewer than most tokenizers have, so that a limit in tokens is kept"""


def read_tokenizer(path: Path) -> bytes:
    """The content of a tokenizer.json. Raises `InputError` if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"the tokenizer {path} cannot be read: {error.strerror}") from error


def load_tokenizer(path: Path) -> Any:
    """The tokenizer, without truncation and padding. Raises `InputError` if the file is none."""
    content = read_tokenizer(path)
    # the worker's threads are the parallelism; the library's own would take every core once for each of them
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtra("a tokenizer.json needs tokenizers. Run `pip install 'sluice[tokenizers]'`") from error
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except Exception as error:  # the library raises no narrower class
        raise InputError(f"{path} is no tokenizer.json: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@lru_cache(maxsize=4)
def token_counter(path: str | None) -> Count:
    """How many tokens a text has: by a tokenizer.json, or, without one, no fewer than most tokenizers count."""
    if path is None:
        return lambda text: -(-len(text.encode()) // BYTES_PER_TOKEN)
    tokenizer = load_tokenizer(Path(path).expanduser())
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))

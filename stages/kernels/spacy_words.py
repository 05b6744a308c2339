"""Words exactly as datatrove 0.10 has them for English: spaCy 3.8's blank "en" tokenizer, white space tokens removed.

spaCy cuts every chunk between white space on its own, so a chunk is given to spaCy once in a process and its tokens are kept
in flat arrays; from then on a kernel looks it up. One rule of spaCy looks beyond a chunk: a special case such as ":))" is also
sought in tokens with white space between them; it is then not applied, but hides shorter ones that it touches ("a:) )" is
a : ) )). A chunk that such special cases changed is therefore cut again wherever it occurs, with its neighbours.

Where we differ: datatrove raises for a text above 1,000,000 code points (spaCy's `max_length`), we cut it like any other.
Chunks are told apart by a 64-bit hash; among ten million different ones, two share theirs with a chance of 3 in a million.
"""

import threading
from typing import Any

import numpy as np

from schemas.errors import MissingExtra
from stages.kernels.compile import leaf
from stages.kernels.hashing import hash_bytes
from stages.kernels.text import Text
from stages.kernels.unicode import SPACE, classes, decode
from stages.kernels.words import Words, describe, longer

MAX_CHUNKS = 2_000_000
"""Different chunks remembered before the memory is emptied: about 200 MB."""
_CALL_BYTES = 400_000
_NEIGHBOURS = 16  # chunks on each side; the longest special case has 12 tokens
_lock = threading.Lock()


def spacy_words_of(text: Text) -> Words:
    """Words of every document. Raises `MissingExtra` without spaCy."""
    doc_offsets, starts, sizes, hashes = _chunks_of(text)
    with _lock:
        return _memory.words(text, doc_offsets, starts, sizes, hashes)


def _chunks_of(text: Text) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    count, table = len(text.offsets) - 1, classes()
    doc_offsets = np.zeros(count + 1, np.int64)
    room = int(text.offsets[-1] - text.offsets[0]) // 5 + 64
    starts, sizes, hashes = np.empty(room, np.int64), np.empty(room, np.int32), np.empty(room, np.uint64)
    document = 0
    while (document := split_chunks(text.offsets, text.data, table, document, doc_offsets, starts, sizes, hashes)) < count:
        room, filled = 2 * room, int(doc_offsets[document])
        starts, sizes, hashes = (longer(field, room, filled) for field in (starts, sizes, hashes))
    total = doc_offsets[-1]
    return doc_offsets, starts[:total], sizes[:total], hashes[:total]


class _Memory:
    """The tokens of every chunk seen, and spaCy for the others. Call under the lock."""

    def __init__(self) -> None:
        self.empty()

    def empty(self) -> None:
        """Forget everything, spaCy's own store of strings included, which it never shortens."""
        self.tokenizer: Any = None
        self.plain: Any = None
        self.rewritten = np.zeros(0, np.uint64)
        self.keys, self.entries = np.zeros(1 << 16, np.uint64), np.full(1 << 16, -1, np.int64)
        self.known = 0
        self.first = np.zeros(1, np.int64)  # of each entry in the arrays of tokens
        self.contextual = np.zeros(0, np.bool_)  # entries that neighbours may change
        # of each token: bytes from the chunk's start, bytes, code points, hash, flags
        self.tokens = tuple(np.zeros(0, kind) for kind in (np.int32, np.int32, np.int32, np.uint64, np.uint8))

    def words(self, text: Text, doc_offsets: np.ndarray, starts: np.ndarray, sizes: np.ndarray, hashes: np.ndarray) -> Words:
        entry = np.empty(len(hashes), np.int64)
        find(self.keys, self.entries, hashes, entry)
        unknown = _first_of_each(hashes, entry < 0)
        if len(unknown):
            if self.known + len(unknown) > MAX_CHUNKS and self.known:
                self.empty()
                unknown = _first_of_each(hashes, np.ones(len(hashes), np.bool_))
            self._learn(text, starts[unknown], sizes[unknown], hashes[unknown])
            find(self.keys, self.entries, hashes, entry)
        added = len(self.first) - 1
        again = np.flatnonzero(self.contextual[entry])
        if len(again):
            self._cut_with_neighbours(text, doc_offsets, starts, sizes, entry, again)
        words = self._assemble(doc_offsets, starts, entry)
        if len(again):  # entries without a key: of this batch only
            self.first = self.first[: added + 1]
            self.contextual = self.contextual[:added]
            self.tokens = tuple(field[: self.first[-1]] for field in self.tokens)
        return words

    def _assemble(self, doc_offsets: np.ndarray, starts: np.ndarray, entry: np.ndarray) -> Words:
        counts = self.first[entry + 1] - self.first[entry]
        before = np.zeros(len(entry) + 1, np.int64)
        np.cumsum(counts, out=before[1:])
        total = int(before[-1])
        fields = tuple(np.empty(total, kind) for kind in (np.int64, np.int32, np.int32, np.uint64, np.uint8))
        fill(starts, entry, self.first, *self.tokens, *fields)
        return Words(before[doc_offsets], *fields)

    def _learn(self, text: Text, starts: np.ndarray, sizes: np.ndarray, hashes: np.ndarray) -> None:
        ends = np.cumsum(sizes, dtype=np.int64)
        begin = 0
        while begin < len(starts):
            done = ends[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, done + _CALL_BYTES, side="right")))
            self._append(*self._cut(text, starts[begin:end], sizes[begin:end]))
            begin = end
        entries = np.arange(len(self.first) - 1 - len(hashes), len(self.first) - 1)
        self.known += len(hashes)
        if 2 * self.known > len(self.keys):
            used = self.entries >= 0
            hashes, entries = np.concatenate([self.keys[used], hashes]), np.concatenate([self.entries[used], entries])
            room = 1 << (4 * self.known).bit_length()
            self.keys, self.entries = np.zeros(room, np.uint64), np.full(room, -1, np.int64)
        insert(self.keys, self.entries, hashes, entries)

    def _append(self, counts: np.ndarray, contextual: np.ndarray, tokens: tuple[np.ndarray, ...]) -> None:
        self.first = np.concatenate([self.first, self.first[-1] + np.cumsum(counts)])
        self.contextual = np.concatenate([self.contextual, contextual])
        self.tokens = tuple(np.concatenate(pair) for pair in zip(self.tokens, tokens, strict=True))

    def _cut(self, text: Text, starts: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
        """Tokens of chunks, each by itself: number of tokens, whether neighbours matter, and the fields of the tokens."""
        # A newline is a token of no special case, so nothing is sought across it.
        joined = b"\n".join(text.data[start : start + size].tobytes() for start, size in zip(starts, sizes, strict=True))
        begins, ends, orths = self._spacy(joined)
        chunk_begins = np.zeros(len(starts), np.int64)
        np.cumsum(sizes[:-1] + 1, out=chunk_begins[1:])
        chunk = np.searchsorted(chunk_begins, begins, side="right") - 1
        counts = np.bincount(chunk, minlength=len(starts))
        contextual = np.zeros(len(starts), np.bool_)
        contextual[chunk[np.isin(orths, self.rewritten)]] = True
        contextual &= counts > 1  # a chunk that is a special case is found before anything is cut
        candidates = np.flatnonzero(contextual)
        if len(candidates):
            parts = [
                joined[begin : begin + size] for begin, size in zip(chunk_begins[candidates], sizes[candidates], strict=True)
            ]
            plain_begins, _, _ = self._spacy(b"\n".join(parts), plain=True)
            shift = np.zeros(len(candidates), np.int64)
            np.cumsum(sizes[candidates][:-1] + 1, out=shift[1:])
            same = _same_cuts(begins - chunk_begins[chunk], chunk, candidates, plain_begins, shift)
            contextual[candidates[same]] = False
        return counts, contextual, self._fields(joined, begins, ends, begins - chunk_begins[chunk])

    def _cut_with_neighbours(
        self, text: Text, doc_offsets: np.ndarray, starts: np.ndarray, sizes: np.ndarray, entry: np.ndarray, again: np.ndarray
    ) -> None:
        documents = np.searchsorted(doc_offsets, again, side="right") - 1
        low = np.maximum(doc_offsets[documents], again - _NEIGHBOURS)
        high = np.minimum(doc_offsets[documents + 1], again + _NEIGHBOURS + 1) - 1
        origins, stops = starts[low], starts[high] + sizes[high]
        windows = [text.data[origin:stop].tobytes() for origin, stop in zip(origins, stops, strict=True)]
        joined = b"\n".join(windows)
        begins, ends, _ = self._spacy(joined)
        shift = np.zeros(len(again), np.int64)
        np.cumsum((stops - origins)[:-1] + 1, out=shift[1:])
        here = starts[again] - origins + shift
        first, last = np.searchsorted(begins, here), np.searchsorted(begins, here + sizes[again])
        counts = last - first
        tokens = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        entry[again] = len(self.first) - 1 + np.arange(len(again))
        offsets = begins[tokens] - np.repeat(here, counts)
        self._append(counts, np.zeros(len(again), np.bool_), self._fields(joined, begins[tokens], ends[tokens], offsets))

    def _fields(self, joined: bytes, begins: np.ndarray, ends: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, ...]:
        count = len(begins)
        lengths, hashes, flags = np.empty(count, np.int32), np.empty(count, np.uint64), np.empty(count, np.uint8)
        data = np.frombuffer(joined, np.uint8)
        describe_all(data, begins, ends, classes(), lengths, hashes, flags)
        return offsets.astype(np.int32), (ends - begins).astype(np.int32), lengths, hashes, flags

    def _spacy(self, joined: bytes, plain: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Begin and end in bytes and spaCy's identity of every token that is not white space."""
        if self.tokenizer is None:
            self.tokenizer, self.plain, self.rewritten = _tokenizers()
        document = (self.plain if plain else self.tokenizer)(joined.decode())
        array = document.to_array(["IDX", "LENGTH", "ORTH", "IS_SPACE"])
        array = array[array[:, 3] == 0]
        data = np.frombuffer(joined, np.uint8)
        code_points = np.append(np.flatnonzero(data & 0xC0 != 0x80), len(data))
        begins = array[:, 0].astype(np.int64)
        return code_points[begins], code_points[begins + array[:, 1].astype(np.int64)], array[:, 2]


def _tokenizers() -> tuple[Any, Any, np.ndarray]:
    """spaCy's tokenizer, the same without special cases, and first tokens of special cases that change what affix rules cut."""
    try:
        import spacy
    except ImportError as error:
        raise MissingExtra("mode 'datatrove' cuts words with spaCy: pip install 'sluice[parity]'") from error
    from spacy.tokenizer import Tokenizer

    tokenizer: Any = spacy.blank("en").tokenizer
    plain = Tokenizer(
        tokenizer.vocab,
        prefix_search=tokenizer.prefix_search,
        suffix_search=tokenizer.suffix_search,
        infix_finditer=tokenizer.infix_finditer,
        token_match=tokenizer.token_match,
        url_match=tokenizer.url_match,
    )
    affixes = (tokenizer.find_prefix, tokenizer.find_infix, tokenizer.find_suffix)
    firsts = set()
    for special in tokenizer.rules:
        # Only special cases that affix rules would cut are sought across tokens (spaCy's `faster_heuristics`).
        if special.isspace() or not any(rule(special) for rule in affixes):
            continue
        tokens = [token.orth for token in tokenizer(special)]
        if tokens != [token.orth for token in plain(special)]:
            firsts.add(tokens[0])
    return tokenizer, plain, np.array(sorted(firsts), np.uint64)


def _same_cuts(
    offsets: np.ndarray, chunk: np.ndarray, candidates: np.ndarray, plain_begins: np.ndarray, shift: np.ndarray
) -> np.ndarray:
    """Whether the special cases changed nothing in a candidate: its tokens begin where those of the plain tokenizer do."""
    plain_chunk = np.searchsorted(shift, plain_begins, side="right") - 1
    wanted = np.isin(chunk, candidates)
    ours = {*zip(np.searchsorted(candidates, chunk[wanted]).tolist(), offsets[wanted].tolist(), strict=True)}
    plain = {*zip(plain_chunk.tolist(), (plain_begins - shift[plain_chunk]).tolist(), strict=True)}
    same = np.ones(len(candidates), np.bool_)
    same[[index for index, _ in ours ^ plain]] = False
    return same


def _first_of_each(hashes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Position of the first of each different hash among the wanted."""
    positions = np.flatnonzero(wanted)
    _, first = np.unique(hashes[positions], return_index=True)
    return np.sort(positions[first])


_memory = _Memory()


@leaf
def split_chunks(
    offsets: Any, data: Any, table: Any, document: Any, doc_offsets: Any, starts: Any, sizes: Any, hashes: Any
) -> Any:
    """Fill in the chunks between white space from `document` on; return the first document that had no room."""
    count = len(offsets) - 1
    while document < count:
        total = doc_offsets[document]
        position, end = offsets[document], offsets[document + 1]
        while position < end:
            code, size = decode(data, position, end)
            if table[code] & SPACE:
                position += size
                continue
            if total == len(starts):
                return document
            stop = position + size
            while stop < end:
                code, size = decode(data, stop, end)
                if table[code] & SPACE:
                    break
                stop += size
            starts[total] = position
            sizes[total] = stop - position
            hashes[total] = hash_bytes(data, position, stop)
            total += 1
            position = stop
        document += 1
        doc_offsets[document] = total
    return document


@leaf
def find(keys: Any, entries: Any, hashes: Any, found: Any) -> None:
    """The entry of each hash, -1 where there is none. The table's size is a power of two, and it is never full."""
    last = np.uint64(len(keys) - 1)
    for index in range(len(hashes)):
        slot = hashes[index] & last
        while entries[slot] >= 0 and keys[slot] != hashes[index]:
            slot = (slot + np.uint64(1)) & last
        found[index] = entries[slot]


@leaf
def insert(keys: Any, entries: Any, hashes: Any, values: Any) -> None:
    """Put in hashes that are not yet there."""
    last = np.uint64(len(keys) - 1)
    for index in range(len(hashes)):
        slot = hashes[index] & last
        while entries[slot] >= 0:
            slot = (slot + np.uint64(1)) & last
        keys[slot] = hashes[index]
        entries[slot] = values[index]


@leaf
def describe_all(data: Any, begins: Any, ends: Any, table: Any, lengths: Any, hashes: Any, flags: Any) -> None:
    """`describe` for many words."""
    for index in range(len(begins)):
        lengths[index], hashes[index], flags[index] = describe(data, begins[index], ends[index], table)


@leaf
def fill(
    starts: Any,
    entry: Any,
    first: Any,
    from_offsets: Any,
    from_sizes: Any,
    from_lengths: Any,
    from_hashes: Any,
    from_flags: Any,
    to_starts: Any,
    to_sizes: Any,
    to_lengths: Any,
    to_hashes: Any,
    to_flags: Any,
) -> None:
    """Write the tokens of each chunk's entry one after another."""
    total = 0
    for chunk in range(len(entry)):
        for token in range(first[entry[chunk]], first[entry[chunk] + 1]):
            to_starts[total] = starts[chunk] + from_offsets[token]
            to_sizes[total] = from_sizes[token]
            to_lengths[total] = from_lengths[token]
            to_hashes[total] = from_hashes[token]
            to_flags[total] = from_flags[token]
            total += 1

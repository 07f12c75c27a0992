"""Chunker: documents cut into passages of so many word pieces, along their headings unless asked otherwise."""

from __future__ import annotations

import hashlib
import re
import threading
from bisect import bisect_left
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ragtune_ui.domain.documents import PAGE_BREAK, Document
from ragtune_ui.domain.errors import ModelError, PassageError
from ragtune_ui.domain.passages import Chunk, ChunkSettings
from ragtune_ui.engine.splitters import Span, fixed, sentences

SMALLEST = 32  # word pieces a passage must be allowed to hold
TINY = 24  # word pieces; a smaller section joins its neighbour where both fit
SCANT = 20  # characters of words without headings; less is no passage
PAGES = 256  # pages whose word pieces are remembered, so that a preview counts them once


@dataclass(frozen=True)
class _Section:
    """A heading with what follows it up to the next one, on one page; offsets in the document."""

    start: int
    end: int
    path: tuple[str, ...]
    body: bool  # holds words besides headings


class PassageChunker:
    """Cuts documents (``ports.Chunker``): along headings, then paragraphs, sentences and words; or every so
    many word pieces; or into whole sentences.

    ``tokenizer_file`` is the embedder's ``tokenizer.json``: sizes are counted in its word pieces, or
    in words and punctuation marks where it has none.
    Passages never cross a page, so that the page a citation names is the page it stands on.
    """

    def __init__(self, tokenizer_file: Path | None) -> None:
        self._tokenizer_file = tokenizer_file
        self._tokenizer: Any = None
        self._others: dict[Path, Any] = {}
        self._splitters: dict[tuple[int, int], Any] = {}
        self._known: OrderedDict[str, list[Span]] = OrderedDict()
        self._lock = threading.RLock()

    def cut(self, document: Document, text: str, settings: ChunkSettings, most: int = 0) -> list[Chunk]:
        """Passages in reading order, the first ``most`` if given; each one's text is ``text[start:end]``.

        Raises:
            PassageError: the settings leave no room for a passage.
        """
        _check(settings)
        with self._lock:
            found = (span for page in self._pages(document, text) for span in self._page(text, page, settings))
            spans = list(islice(found, most or None))
        kept = [s for s in spans if _words(text[s[0] : s[1]]) >= SCANT] or [s for s in spans if text[s[0] : s[1]]]
        seen: Counter[str] = Counter()
        return [_chunk(document, text, *span, seen) for span in kept]

    def count(self, texts: Sequence[str], model: Path | None = None) -> list[int]:
        """Word pieces of each text, by the search model's tokenizer, or by that of a model's folder.

        Raises:
            ModelError: the folder has no ``tokenizer.json``, or a damaged one.
        """
        with self._lock:
            if model is None:
                self._load()
                tokenizer = self._tokenizer
            else:
                tokenizer = self._others.get(model) or _tokenizer_of(model)
                self._others[model] = tokenizer
            return [len(found.ids) for found in tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def _pages(self, document: Document, text: str) -> Iterator[list[_Section]]:
        """The sections of each page; headings carry over to the pages after theirs."""
        stack: list[tuple[int, str]] = []
        starts = [s for s in (document.page_starts or (0,)) if s < len(text)] or [0]
        for start, following in zip(starts, [*starts[1:], len(text) + len(PAGE_BREAK)], strict=True):
            yield _sections(text, start, max(start, following - len(PAGE_BREAK)), stack)

    def _page(
        self, text: str, sections: list[_Section], settings: ChunkSettings
    ) -> Iterator[tuple[int, int, tuple[str, ...], int]]:
        """(start, end, heading path, word pieces) of the passages of one page."""
        if not sections:
            return
        first, last = sections[0].start, sections[-1].end
        pieces = self._pieces(text[first:last])
        starts = [start for start, _ in pieces]

        def count(start: int, end: int) -> int:
            return bisect_left(starts, end - first) - bisect_left(starts, start - first)

        if settings.splitter != "headings":
            cut = fixed if settings.splitter == "fixed" else sentences
            for start, end in cut(text[first:last], pieces, settings.size, settings.overlap):
                start, end = first + start, first + end
                yield start, end, _path_at(sections, start), count(start, end)
            return
        for section in _joined(sections, count, settings.size):
            size = count(section.start, section.end)
            if size <= settings.size:
                spans = [(section.start, section.end)]
            else:
                spans = _rejoined(text, self._split(text, section, size, settings), count, settings.size)
            for start, end in spans:
                start, end = _stripped(text, start, end)
                if start < end:
                    yield start, end, section.path, count(start, end)

    def _split(self, text: str, section: _Section, size: int, settings: ChunkSettings) -> list[tuple[int, int]]:
        """Even pieces of a section that is too long: 170 word pieces become 2 x 85, not 160 + 10."""
        parts = -(-(size - settings.overlap) // (settings.size - settings.overlap))
        room = min(settings.size, 8 * (-(-size // parts) // 8 + 2) + settings.overlap)
        pieces = self._splitter(room, settings.overlap).chunk_indices(text[section.start : section.end])
        return [(section.start + at, section.start + at + len(piece)) for at, piece in pieces]

    def _pieces(self, text: str) -> list[Span]:
        """Where each word piece of ``text`` stands."""
        self._load()
        found = self._known.get(text)
        if found is None:
            found = self._tokenizer.encode(text, add_special_tokens=False).offsets
            self._known[text] = found
            if len(self._known) > PAGES:
                self._known.popitem(last=False)
        return found

    def _splitter(self, size: int, overlap: int) -> Any:
        from semantic_text_splitter import MarkdownSplitter

        self._load()
        key = (size, overlap)
        if key not in self._splitters:
            self._splitters[key] = MarkdownSplitter.from_huggingface_tokenizer(self._tokenizer, size, overlap=overlap)
        return self._splitters[key]

    def _load(self) -> None:
        if self._tokenizer is None:
            from tokenizers import Tokenizer, models, pre_tokenizers

            if self._tokenizer_file is None:
                self._tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
                self._tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
            else:
                self._tokenizer = Tokenizer.from_file(str(self._tokenizer_file))
            # Long texts would be counted short.
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()


def _tokenizer_of(model: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    except Exception:  # the library raises bare exceptions
        raise ModelError(
            f"The word pieces of {model.name} cannot be counted: it has no readable tokenizer.json.",
            "Nothing else depends on it.",
        ) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _path_at(sections: list[_Section], at: int) -> tuple[str, ...]:
    """The headings over the character ``at``."""
    return next((s.path for s in reversed(sections) if s.start <= at), ())


def _check(settings: ChunkSettings) -> None:
    if settings.size < SMALLEST:
        raise PassageError(f"A passage of {settings.size} word pieces is too small.", f"Choose {SMALLEST} or more.")
    if not 0 <= settings.overlap <= settings.size // 2:
        raise PassageError(
            f"An overlap of {settings.overlap} word pieces does not fit passages of {settings.size}.",
            f"Choose an overlap from 0 to {settings.size // 2}.",
        )


def _chunk(
    document: Document, text: str, start: int, end: int, path: tuple[str, ...], tokens: int, seen: Counter[str]
) -> Chunk:
    piece = text[start:end]
    # By its words, not its place: what a new version of a file leaves as it was stays the same passage.
    seen[piece] += 1
    digest = hashlib.sha256(f"{document.id}\n{seen[piece]}\n{piece}".encode("utf-8", "replace")).hexdigest()
    return Chunk(
        id=digest[:16],
        document=document.id,
        title=document.name,
        page=document.page_at(start),
        heading=path,
        start=start,
        end=end,
        text=piece,
        tokens=tokens,
    )


def _joined(sections: list[_Section], count: Callable[[int, int], int], size: int) -> list[_Section]:
    """Sections after bare headings went to what follows them and tiny sections to a neighbour."""
    led: list[_Section] = []
    for section in sections:
        if led and not led[-1].body:
            section = replace(section, start=led.pop().start)
        led.append(section)
    joined: list[_Section] = []
    for section in led:
        before = joined[-1] if joined else None
        tiny = not section.body or count(section.start, section.end) < TINY
        if before and count(before.start, section.end) <= size:
            if tiny:
                joined[-1] = replace(before, end=section.end, body=before.body or section.body)
                continue
            # A tiny opening, such as a line under the title, goes with the section after it.
            if len(joined) == 1 and count(before.start, before.end) < TINY:
                joined[-1] = replace(section, start=before.start)
                continue
        joined.append(section)
    return joined


def _rejoined(
    text: str, spans: list[tuple[int, int]], count: Callable[[int, int], int], size: int
) -> list[tuple[int, int]]:
    """The pieces of a section, bare headings put before what they head and tiny rests after what they end."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        before = joined[-1] if joined else None
        if before and count(before[0], end) <= size:
            lonely = not _words(text[before[0] : before[1]]) or count(*before) < TINY
            if lonely or count(start, end) < TINY:
                joined[-1] = (before[0], end)
                continue
        joined.append((start, end))
    return joined


_ATX = re.compile(r"[ ]{0,3}(#{1,6})(?:[ \t]+(.*?))?[ \t]*#*[ \t]*$")
_UNDERLINE = re.compile(r"[ ]{0,3}(=+|-{3,})[ \t]*$")
_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
_NO_TITLE = re.compile(r"[ ]{0,3}(?:[-*+>|#]|\d+[.)]\s|$)")


def _sections(text: str, start: int, end: int, stack: list[tuple[int, str]]) -> list[_Section]:
    """The sections of ``text[start:end]``; ``stack`` holds the open headings and is brought up to date."""
    sections: list[_Section] = []
    at, path, body = start, tuple(title for _, title in stack), False
    for offset, level, title in _headings(text[start:end]):
        offset += start
        if text[at:offset].strip():
            sections.append(_Section(at, offset, path, body or _has_body(text[at:offset])))
        while stack and stack[-1][0] >= level:
            stack.pop()
        stack.append((level, title))
        at, path = offset, tuple(name for _, name in stack)
    if text[at:end].strip():
        sections.append(_Section(at, end, path, _has_body(text[at:end])))
    return sections


def _headings(text: str) -> Iterator[tuple[int, int, str]]:
    """(offset, level, plain title) of each heading outside code blocks."""
    offset, fence, before, before_at = 0, "", "", 0
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        mark = _FENCE.match(bare)
        if fence:
            if mark and mark.group(1).startswith(fence) and not bare[mark.end() :].strip():
                fence = ""
        elif mark:
            fence = mark.group(1)
        elif (found := _ATX.match(bare)) and _plain(found.group(2) or ""):
            yield offset, len(found.group(1)), _plain(found.group(2))
        elif (found := _UNDERLINE.match(bare)) and not _NO_TITLE.match(before) and len(before) < 120:
            yield before_at, 1 if found.group(1)[0] == "=" else 2, _plain(before)
        before, before_at = ("" if fence else bare), offset
        offset += len(line)


def _plain(title: str) -> str:
    """A heading without Markdown marks: links keep their words, anchors go."""
    title = re.sub(r"\s*\{[#:.][^}]*\}\s*$", "", title)
    title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
    return " ".join(re.sub(r"[*`]|(?<!\w)_|_(?!\w)", "", title).split())


def _has_body(text: str) -> bool:
    return _words(text) > 0


def _words(text: str) -> int:
    """Characters of words and numbers, headings and marks left out."""
    lines = text.splitlines()
    kept = (line for n, line in enumerate(lines)
            if not _ATX.match(line) and not (n + 1 < len(lines) and re.fullmatch(r"=+\s*", lines[n + 1])))  # fmt: skip
    return sum(len(word) for line in kept for word in re.findall(r"\w+", line))


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))

"""Text, Markdown and web pages: bytes to text in any usual encoding, markup to Markdown."""

from __future__ import annotations

import asyncio
import html
import re
from typing import Any

from ragtune_ui.domain.words import counted
from ragtune_ui.engine.reading.found import Found, Problem, Sheet, damaged

FEW = 0.1  # of the signs beyond plain letters that may be damaged in a text that is UTF-8 all the same
MARKING_SECONDS = 30  # for one file or chapter


def read_markdown(data: bytes) -> Found:
    """Markdown as it was written, without the YAML block at its head, which may name the title."""
    text, notes = told(data)
    block = re.match(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$\n?", text, re.DOTALL | re.MULTILINE)
    # A rule at the top of a page looks the same; YAML starts with a key.
    if not block or not re.match(r"(?:[ \t]*(?:#.*)?\n)*[\w\"'-][\w \"'-]*:(?:\s|$)", block.group(1)):
        return Found([Sheet(text)], notes=notes)
    named = re.search(r"^title[ \t]*:[ \t]*(.+?)[ \t]*$", block.group(1), re.MULTILINE | re.IGNORECASE)
    title = named.group(1).strip() if named else ""
    if len(title) > 1 and title[0] in "\"'" and title[-1] == title[0]:
        title = title[1:-1]
    return Found([Sheet(text[block.end() :])], "" if title in (">", "|", ">-", "|-") else title, notes)


def read_text(data: bytes) -> Found:
    """Plain text as it was written."""
    text, notes = told(data)
    return Found([Sheet(text)], notes=notes)


def read_html(data: bytes) -> Found:
    """The text of a web page without its navigation and footer."""
    source, notes = told(data)
    title, text = page_of(source)
    return Found([Sheet(text)], title, notes)


def page_of(text: str) -> tuple[str, str]:
    """Title and Markdown of the source of a web page. Raises Problem where it cannot be read."""
    named = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    title = " ".join(html.unescape(named.group(1)).split()) if named else ""
    text = text.replace(named.group(0), "", 1) if named else text
    text = re.sub(r"(<meta[^>]+charset\s*=\s*[\"']?)[\w-]+", r"\1utf-8", text, flags=re.IGNORECASE)
    try:
        found = extract(text.encode("utf-8", "replace"), "text/html")
    except RuntimeError:
        raise damaged() from None
    return title, found.content


def extract(data: bytes, mime: str) -> Any:
    """What xberg gets out of bytes it is handed; it never opens an address or a path itself."""
    import xberg

    config = xberg.ExtractionConfig(
        use_cache=False,
        disable_ocr=True,
        extraction_timeout_secs=MARKING_SECONDS,
        escape_markdown=False,
        output_format=xberg.OutputFormat("markdown"),
        html_options=xberg.ConversionOptions(
            extract_metadata=False, skip_images=True, exclude_selectors=["nav", "footer", "[role=navigation]"]
        ),
    )
    result = asyncio.run(xberg.extract(xberg.ExtractInput(kind="bytes", bytes=data, mime_type=mime), config))
    if not result.results:
        raise RuntimeError(result.errors[0].message if result.errors else "no result")
    return result.results[0]


def told(data: bytes) -> tuple[str, list[str]]:
    """Text from bytes, and a note where some of them are damaged: by their mark, as UTF-8, as unmarked UTF-16, by an
    HTML declaration, else by what fits best.

    Raises:
        Problem: the bytes are no text.
    """
    for mark, codec in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\0\0", "utf-32"), (b"\xff\xfe", "utf-16"),
                        (b"\xfe\xff", "utf-16")):  # fmt: skip
        if data.startswith(mark):
            return _lines(data.decode(codec, errors="replace")), []
    sample = data[:4096]
    for codec, zeros in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[::2])):
        if len(sample) > 3 and zeros.count(0) > 0.4 * len(zeros) and sample.count(0) < 0.6 * len(sample):
            return _lines(data.decode(codec, errors="replace")), []
    controls = sum(sample.count(bytes([c])) for c in range(32) if c not in (9, 10, 12, 13, 27))
    if 0 in sample or controls > 0.02 * len(sample):
        raise Problem("unreadable", "It is not a text file.", "Add the document itself, as PDF, Word, HTML or text.")
    text, damage = _mostly(data)
    if not damage or damage <= FEW * sum(map(len, _BEYOND.findall(text))):
        return _lines(text), [_damaged(damage)] if damage else []
    declared = re.search(rb"<meta[^>]+charset\s*=\s*[\"']?([\w-]+)", sample, re.IGNORECASE)
    for codec in (declared.group(1).decode() if declared else "", *_likely(data)):
        try:
            return _lines(data.decode(codec)), []
        except (UnicodeDecodeError, LookupError):
            continue
    return _lines(data.decode("cp1252", errors="replace")), []


def decoded(data: bytes) -> str:
    """The text of ``told``. Raises Problem where the bytes are no text."""
    return told(data)[0]


_BEYOND = re.compile("[^\x00-\x7f\ufffd]+")  # what takes several bytes in UTF-8


def _mostly(data: bytes) -> tuple[str, int]:
    """The bytes as UTF-8, and how many places in them are damaged."""
    try:
        return data.decode("utf-8"), 0
    except UnicodeDecodeError:
        text = data.decode("utf-8", errors="replace")
        return text, text.count("\ufffd") - data.count("\ufffd".encode())


def _damaged(number: int) -> str:
    places = counted(number, "damaged place in it shows", "damaged places in it show")
    return f"{places} as \ufffd: what stood there is lost. If it matters, save the file again from its own program."


_SCRIPTS = {
    "shift_jis": r"[\u3040-\u30ff]",
    "gb18030": r"[的一是不了在有人这中大国上个]",
    "big5": r"[的一是不了在有人這中大國上個]",
    "euc_kr": r"[\uac00-\ud7a3]",
    "cp1251": r"[а-яё]",
}


def _likely(data: bytes) -> list[str]:
    """Older encodings, the best first: the one that turns most of the unusual bytes into common letters."""
    sample = data[:20_000]
    high = sum(byte > 127 for byte in sample)
    scores: dict[str, float] = {}
    for codec, common in _SCRIPTS.items():
        try:
            text = sample.decode(codec)
        except UnicodeDecodeError as error:
            if error.start < len(sample) - 3:
                continue
            text = sample[: error.start].decode(codec)
        width = 1 if codec == "cp1251" else 2
        share = width * len(re.findall(common, text)) / max(1, high)
        # Letters of Western languages are single unusual bytes among plain ones; these scripts come in rows.
        if high > 0.25 * len(sample):
            scores[codec] = share
    good = [
        codec for codec in sorted(scores, key=lambda c: -scores[c]) if scores[codec] > (0.6 if "cp" in codec else 0.1)
    ]
    return [*good, "cp1252"]


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")

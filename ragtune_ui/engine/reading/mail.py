"""E-mails (.eml): who wrote to whom and when, the text, and what is attached."""

from __future__ import annotations

import email
import email.message
import email.policy
import html
import re
from collections.abc import Iterator

from ragtune_ui.engine.reading.found import Found, Problem, Sheet
from ragtune_ui.engine.reading.text import page_of, told

MOST_PARTS = 1_000  # of the text of one e-mail
_HEADS = ("From", "To", "Cc", "Date")


def read_mail(data: bytes) -> Found:
    """Subject, sender, receivers, date, text and the names of attachments, one sheet.

    Raises:
        Problem: it is no e-mail.
    """
    message = opened(data)
    subject = _head(message, "Subject")
    heads = [f"{name}: {said}" for name in _HEADS for said in [_head(message, name)] if said]
    attached = [name if content is None else f"{name} ({_size(len(content))})"
                for name, content in attachments(message)]  # fmt: skip
    body = _Body()
    parts = [f"# {subject}" if subject else "", "\n".join(heads), body.text(message)]
    parts.append(f"Attachments: {', '.join(attached)}" if attached else "")
    return Found([Sheet("\n\n".join(part for part in parts if part))], subject, body.notes())


def opened(data: bytes) -> email.message.Message:
    """The parsed message. Raises Problem where the bytes are no e-mail."""
    message = email.message_from_bytes(data.lstrip(), policy=email.policy.compat32)
    if not any(message.get(name) for name in ("From", "To", "Subject", "Date", "Received", "Message-ID")):
        raise Problem("unreadable", "It is named like an e-mail but is none.",
                      "Save the e-mail again from your mail program, as .eml.")  # fmt: skip
    return message


def attachments(message: email.message.Message) -> list[tuple[str, bytes | None]]:
    """Name and bytes of each attached file. An attached e-mail is one of them, whole, with all that is attached to
    it; None in place of bytes where it cannot be taken out."""
    found: list[tuple[str, bytes | None]] = []
    for part in _walk(message):
        name = _plain(part.get_filename() or "")
        if _is_mail(part):
            inner = part.get_payload()
            first = inner[0] if isinstance(inner, list) and inner else None
            if isinstance(first, email.message.Message):
                found.append((f"{_head(first, 'Subject') or 'forwarded'}.eml", _whole(first)))
        elif name and not part.is_multipart():
            found.append((name, _bytes(part)))
    return found


def _walk(message: email.message.Message) -> Iterator[email.message.Message]:
    """The parts of a message in their order, those of attached e-mails left out."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        yield part
        inner = part.get_payload()
        if isinstance(inner, list) and not _is_mail(part):
            waiting += [p for p in reversed(inner) if isinstance(p, email.message.Message)]


def _is_mail(part: email.message.Message) -> bool:
    return part.get_content_type() in ("message/rfc822", "message/global")


def _whole(message: email.message.Message) -> bytes | None:
    try:
        return message.as_bytes()
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError):  # broken, or too deep
        return None


class _Body:
    """Reads the text of a message: all of its parts in their order. Of parts that say the same in several ways it
    takes plain text, and a web page where there is none."""

    def __init__(self) -> None:
        self._parts = 0
        self._notes: list[str] = []

    def notes(self) -> list[str]:
        """What the person should know of the text that was read."""
        more = [f"It has more than {MOST_PARTS:,} parts: only the first {MOST_PARTS:,} were read."]
        return list(dict.fromkeys(self._notes)) + (more if self._parts > MOST_PARTS else [])

    def text(self, part: email.message.Message) -> str:
        self._parts += 1
        kind = part.get_content_type()
        if self._parts > MOST_PARTS or _is_mail(part):  # an attached e-mail is a document of its own
            return ""
        if part.is_multipart():
            inner = part.get_payload()
            parts = [p for p in inner if isinstance(p, email.message.Message)]
            return self._one(parts) if kind == "multipart/alternative" else self._all(parts)
        if kind not in ("text/plain", "text/html") or part.get_filename():
            return ""
        text, notes = _text(part)
        self._notes += notes
        return (_shown(text) if kind == "text/html" and text.strip() else text).strip()

    def _all(self, parts: list[email.message.Message]) -> str:
        said = []  # no comprehension: boxes in boxes may be hundreds deep
        for part in parts:
            said.append(self.text(part))
        return "\n\n".join(text for text in said if text)

    def _one(self, parts: list[email.message.Message]) -> str:
        plain: list[email.message.Message] = []
        pages: list[email.message.Message] = []
        for part in parts:
            page = any(inner.get_content_type() == "text/html" for inner in _walk(part))
            (pages if page else plain).append(part)
        for part in [*plain, *reversed(pages)]:  # the last says the most
            if said := self.text(part):
                return said
        return ""


def _shown(source: str) -> str:
    try:
        return page_of(source)[1]
    except Problem:
        return html.unescape(re.sub(r"<[^>]+>", " ", source))


def _text(part: email.message.Message) -> tuple[str, list[str]]:
    """The text of a part, and notes on it."""
    data = _bytes(part)
    try:
        return data.decode(part.get_content_charset() or "ascii").replace("\r\n", "\n"), []
    except (LookupError, UnicodeDecodeError):  # an encoding that does not exist, or is not the one named
        try:
            return told(data) if data.strip() else ("", [])
        except Problem:
            return "", []


def _bytes(part: email.message.Message) -> bytes:
    try:
        data = part.get_payload(decode=True)
    except (ValueError, AssertionError):
        return b""
    return data if isinstance(data, bytes) else b""


def _head(message: email.message.Message, name: str) -> str:
    return _plain(str(message.get(name) or ""))


def _plain(value: str) -> str:
    """A header with its encoded words decoded, on one line."""
    from email.header import decode_header

    try:
        pieces = decode_header(value)
    except (ValueError, email.errors.HeaderParseError):
        return " ".join(value.split())
    out = []
    for piece, codec in pieces:
        if isinstance(piece, str):
            out.append(piece)
            continue
        try:
            out.append(piece.decode(codec or "ascii"))
        except (LookupError, UnicodeDecodeError):
            out.append(piece.decode("utf-8", "replace"))
    return " ".join("".join(out).split())


def _size(number: int) -> str:
    return f"{number / 1024**2:.1f} MB" if number >= 1024**2 else f"{max(1, round(number / 1024))} KB"

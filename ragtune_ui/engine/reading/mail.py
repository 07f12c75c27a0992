"""E-mails (.eml): who wrote to whom and when, the text, and what is attached."""

from __future__ import annotations

import email
import email.message
import email.policy
import html
import re

from ragtune_ui.engine.reading.found import Found, Problem, Sheet
from ragtune_ui.engine.reading.text import decoded, page_of

MOST_PARTS = 1_000
_HEADS = ("From", "To", "Cc", "Date")


def read_mail(data: bytes) -> Found:
    """Subject, sender, receivers, date, text and the names of attachments, one sheet.

    Raises:
        Problem: it is no e-mail.
    """
    message = opened(data)
    subject = _head(message, "Subject")
    heads = [f"{name}: {said}" for name in _HEADS for said in [_head(message, name)] if said]
    attached = [f"{name} ({_size(len(content))})" for name, content in attachments(message)]
    parts = [f"# {subject}" if subject else "", "\n".join(heads), _body(message)]
    parts.append(f"Attachments: {', '.join(attached)}" if attached else "")
    return Found([Sheet("\n\n".join(part for part in parts if part))], subject)


def opened(data: bytes) -> email.message.Message:
    """The parsed message. Raises Problem where the bytes are no e-mail."""
    message = email.message_from_bytes(data.lstrip(), policy=email.policy.compat32)
    if not any(message.get(name) for name in ("From", "To", "Subject", "Date", "Received", "Message-ID")):
        raise Problem("unreadable", "It is named like an e-mail but is none.",
                      "Save the e-mail again from your mail program, as .eml.")  # fmt: skip
    return message


def attachments(message: email.message.Message) -> list[tuple[str, bytes]]:
    """Name and bytes of each attached file; forwarded mails included."""
    found = []
    for number, part in enumerate(message.walk()):
        if number > MOST_PARTS:
            break
        name = _plain(part.get_filename() or "")
        if part.get_content_type() == "message/rfc822" and number:
            inner = part.get_payload()
            first = inner[0] if isinstance(inner, list) and inner else None
            if isinstance(first, email.message.Message):
                found.append((f"{_head(first, 'Subject') or 'forwarded'}.eml", first.as_bytes()))
        elif name and not part.is_multipart():
            found.append((name, _bytes(part)))
    return found


def _body(message: email.message.Message) -> str:
    """The plain text, or the text of the web page where there is no plain text."""
    texts: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    waiting, seen = [message], 0
    while waiting and seen < MOST_PARTS:
        part, seen = waiting.pop(0), seen + 1
        if part.get_content_type() == "message/rfc822":
            continue  # a forwarded mail is an attachment
        if part.is_multipart():
            inner = part.get_payload()
            waiting = [p for p in inner if isinstance(p, email.message.Message)] + waiting
        elif part.get_content_type() in texts and not part.get_filename():
            texts[part.get_content_type()].append(_text(part))
    plain = "\n\n".join(t.strip() for t in texts["text/plain"] if t.strip())
    if plain:
        return plain
    return "\n\n".join(_shown(t) for t in texts["text/html"] if t.strip())


def _shown(source: str) -> str:
    try:
        return page_of(source)[1]
    except Problem:
        return html.unescape(re.sub(r"<[^>]+>", " ", source))


def _text(part: email.message.Message) -> str:
    data = _bytes(part)
    try:
        return data.decode(part.get_content_charset() or "ascii").replace("\r\n", "\n")
    except (LookupError, UnicodeDecodeError):  # an encoding that does not exist, or is not the one named
        try:
            return decoded(data) if data.strip() else ""
        except Problem:
            return ""


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

"""Found cards: hits, previews, opened pages and changes of passages as escaped HTML (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.passages import Chunk, Passage, SearchSettings, marks, readable
from ragtune_ui.domain.words import counted
from ragtune_ui.ui import cards
from ragtune_ui.ui.cards import Html, tag

if TYPE_CHECKING:
    from ragtune_ui.studio.mending import Mended
    from ragtune_ui.studio.retrieval import Found, Preview


def results(found: Found, said: Mapping[str, bool | None], title: str = "", given: int = 0) -> Html:
    """The hits of a search; ``said`` holds what the person said of each, by chunk id; ``given`` is how many of them
    the chosen model takes, 0 for all."""
    if not found.passages:
        return cards.empty("Nothing was found for this question", "Use fewer words, or the words of your documents; "
                           "a least score or a narrowed search may be in the way.",
                           cards.button("Check the documents", go="docs"))  # fmt: skip
    many = counted(len(found.passages), "passage")
    line = f"{many} in {time_taken(found.seconds)} · best match first · marked words come from your question"
    if 0 < given < len(found.passages):
        line += f" · the chosen model is given the best {given}"
    weak = "" if any(p.lexical for p in found.passages) else cards.note(
        "warn", "No passage holds a word of your question; these come nearest in meaning.", "Use fewer or other words.",
        actions=[("Check the documents", "docs")])  # fmt: skip
    head = tag("h2", title) if title else Html("")
    rows = (hit(p, found.question, said.get(p.chunk.id)) for p in found.passages)
    return Html(head + tag("p", line, cls="sub", role="status") + weak + tag("ol", *rows, cls="hits"))


def hit(passage: Passage, question: str, said: bool | None) -> Html:
    """One found passage with its scores and what can be done about it."""
    chunk = replace(passage.chunk, text=readable(passage.chunk.text))
    text = tag("p", cards.marked(chunk.text, marks(question, chunk.text)), cls="text")
    rows = [cards.score("Overall", passage.score, "overall"), cards.score("Meaning", passage.dense, "meaning"),
            cards.score("Words", passage.lexical, "words")]  # fmt: skip
    if passage.again is not None:
        rows[0] = cards.score("Read again", passage.again, "overall")
    named = f"passage {passage.rank}"
    more = [
        cards.button("Mend text", do="mend", id=chunk.id, kind="small", label=f"Mend the text of {named}"),
        cards.button("Open in document", do="show", id=chunk.id, kind="small", label=f"Open {named} in its document"),
    ]
    pill = tag("p", cards.pill("info", "mended")) if chunk.mended else ""
    buttons = tag("div", *judging(chunk.id, passage.rank, said), *more, cls="actions")
    body = tag("div", cards.place(chunk), pill, text, buttons, cls="hit-body")
    rank = tag("span", passage.rank, cls="rank", aria_label=f"Rank {passage.rank}")
    return tag("li", rank, body, tag("div", *rows, cls="scores"), cls="card hit", data_id=chunk.id)


def judging(chunk: str, rank: int, said: bool | None) -> list[Html]:
    """The two judgements on a hit; the one that was given is pressed."""

    def press(text: str, do: str, chosen: bool) -> Html:
        return tag("button", f"✓ {text}" if chosen else text, type="button", cls="btn small", data_do=do, data_id=chunk,
                   aria_pressed="true" if chosen else "false", aria_label=f"{text}: passage {rank}")  # fmt: skip

    return [press("This answers it", "yes", said is True), press("Not this", "no", said is False)]


def time_taken(seconds: float) -> str:
    """A short time: ``38 ms``, ``1.2 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.95 else f"{seconds:.1f} s"


def settings_words(settings: SearchSettings) -> str:
    """``4 passages, half meaning half words``."""
    words = counted(settings.number, "passage")
    meaning = round(100 * settings.balance)
    parts = [words, f"{meaning} % meaning, {100 - meaning} % words"]
    parts += [f"score at least {settings.threshold:.2f}"] if settings.threshold else []
    parts += [f"read again by {settings.reranker.rsplit('/', 1)[-1]}"] if settings.reranker else []
    return ", ".join(parts)


def chips(questions: Sequence[str]) -> Html:
    """Example questions to press."""
    if not questions:
        return Html("")
    buttons = [cards.button(q, do="ask", id=q, kind="small") for q in questions]
    return Html(tag("p", "Try one of these:", cls="sub") + tag("div", *buttons, cls="actions"))


def nothing_yet(chunks: int) -> Html:
    """What the page shows before something was asked."""
    if not chunks:
        return cards.empty("There are no passages yet", "Passages are made when documents are read.",
                           cards.button("Add documents", go="docs", kind="primary"))  # fmt: skip
    return cards.empty("Ask a question your documents should answer",
                       "You see the passages that the model would be given, and why they were found.")  # fmt: skip


# A passage on its page -----------------------------------------------------------------------


def opened(document: Document, number: int, text: str, start: int, chunk: Chunk) -> Html:
    """A page of a document with one passage lit. ``start`` is where the page begins in the document."""
    span = (max(0, chunk.start - start), max(0, min(len(text), chunk.end - start)))
    lit = tag("div", cards.marked(text, [span]), cls="evidence scroll text", tabindex="0", role="region",
              aria_label=f"Page {number}")  # fmt: skip
    close = cards.button("Close", do="close", kind="small", label="Close the page")
    said = f"Page {number} of {document.pages}, as RAGTune reads it. The passage is marked."
    if chunk.mended:
        said += " It was mended: the marked words are those of the document."
    head = tag("div", tag("div", cards.section(document.name, said)), close, cls="split")
    return tag("section", head, lit, cls="card", aria_label=f"{document.name}, page {number}")


def mend_head(chunk: Chunk) -> Html:
    """What is being mended."""
    return Html(cards.section("Mend this passage", "Search, chat, training data and verdict read it as you leave it. "
                              "The document itself stays as it is.") + cards.place(chunk))  # fmt: skip


_SAID = {"edit": "reworded", "out": "left out", "join": "joined with the next"}


def mends(rows: Sequence[Mended]) -> Html:
    """All changes of passages with a way back for each; nothing while there is none."""
    if not rows:
        return Html("")
    table = []
    for row in rows:
        words = row.mend.text if row.mend.kind == "edit" else row.mend.quote
        short = " ".join(readable(words).split())
        short = short if len(short) <= 160 else f"{short[:160].rsplit(' ', 1)[0]} …"
        undo = cards.button("Undo", do="undo", id=row.mend.id, kind="small", label=f"Undo the change in {row.place}")
        kind: cards.Kind = "warn" if row.lost else "info"
        state = cards.pill(kind, "no longer fits" if row.lost else _SAID[row.mend.kind])
        whole = [tag("span", part, style="white-space: nowrap") for part in (state, undo)]  # cells may break anywhere
        table.append([tag("div", tag("p", row.place, cls="sub"), tag("p", short)), *whole])
    head = cards.section("What you changed in passages", "Each change stays when documents are read or cut anew.")
    shown = cards.table(["Passage", "Change", ""], table, "Changes of passages")
    return tag("div", head, shown, cls="card")


# Preview -------------------------------------------------------------------------------------


def preview(shown: Preview, model: str) -> Html:
    """How a document would be cut: its passages as bands in turn, with their word pieces."""
    if not shown.passages:
        return tag("p", "No passage comes out of this document.", cls="empty-line")
    many = f"{shown.total:,} passages" if shown.whole else f"about {shown.total:,} passages, the first " \
        f"{len(shown.passages)} shown"  # fmt: skip
    tokens = [c.tokens for c in shown.passages]
    words = f"{shown.document.name}: {many} · {min(tokens)} to {max(tokens)} word pieces, {sum(tokens) // len(tokens)} "
    words += f"on average · cut in {time_taken(shown.seconds)}, nothing is indexed yet"
    bands = []
    for n, chunk in enumerate(shown.passages):
        count = f"{chunk.tokens} word pieces"
        if n < len(shown.model_tokens):
            count += f" · {shown.model_tokens[n]} by {model}"
        place = " · ".join([f"{n + 1}", chunk.place, count, *(["mended"] if chunk.mended else [])])
        bands.append(tag("li", tag("p", place, cls="caption"), tag("p", cards.lines(readable(chunk.text)), cls="text")))
    listed = tag("ol", *bands, cls="bands scroll", tabindex="0", role="region", aria_label="Passages, previewed")
    return Html(tag("p", words, cls="sub", role="status") + listed)

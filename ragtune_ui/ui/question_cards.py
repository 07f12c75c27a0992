"""Question cards: the list of questions and the evidence of the open one as escaped HTML (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.passages import readable
from ragtune_ui.domain.questions import Question
from ragtune_ui.domain.words import counted
from ragtune_ui.studio.questions import PAGE
from ragtune_ui.ui import cards
from ragtune_ui.ui.cards import Html, tag

if TYPE_CHECKING:
    from ragtune_ui.studio.questions import Evidence, Filter


def state(question: Question) -> Html:
    """What was decided about a question, as a pill."""
    if question.status == "proposed":
        return cards.pill("quiet", "to check") if question.supported else cards.pill("warn", "no evidence")
    word = "mended" if question.status == "edited" else question.status
    return cards.pill("error" if word == "rejected" else "ok", word)


def left_out(question: Question) -> bool:
    """True where its document says the answer, and is left out on purpose when the question is asked."""
    return question.kind == "withheld" and not question.answerable and bool(question.answer)


def source(question: Question, documents: Mapping[str, Document]) -> str:
    """Where a question comes from, in one line."""
    document = documents.get(question.document)
    if document is not None and question.evidence:
        return f"{document.name} · page {document.page_at(question.start)}"
    if left_out(question):
        return f"asked without {document.name if document else 'its document'}"
    if not question.answerable:
        return "your documents do not say"
    return document.name if document else "no source"


def listing(questions: Sequence[Question], documents: Mapping[str, Document], current: str, sheet: int, total: int,
            show: Filter, search: str) -> Html:  # fmt: skip
    """One page of the list with the way to the others, or why it is empty."""
    if not total:
        said = {"to check": "Nothing is left to check.", "approved": "No question is approved yet."}.get(show, "")
        said = f"No question holds “{search.strip()}”." if search.strip() else said
        return tag("p", said, cls="empty-line", role="status")
    rows = [cards.item(q.id, q.question, source(q, documents), state(q), q.id == current) for q in questions]
    first = sheet * PAGE
    turns = [
        cards.button("Back", do="sheet", id=str(sheet - 1), kind="small", disabled=sheet == 0,
                     label="Earlier questions"),
        tag("span", f"{first + 1:,} to {first + len(questions):,} of {total:,}", cls="sub"),
        cards.button("More", do="sheet", id=str(sheet + 1), kind="small", disabled=first + len(questions) >= total,
                     label="Later questions"),
    ]  # fmt: skip
    pager = tag("div", *turns, cls="split") if total > PAGE else tag("p", counted(total, "question"), cls="caption")
    return Html(tag("div", cards.items(rows, "Questions"), cls="scroll") + pager)


def proof(question: Question, found: Evidence | None, at: int, total: int) -> Html:
    """The passage of a question with the proving sentence underlined, or what to do where there is none."""
    aside = tag("span", f"question {at:,} of {total:,}", cls="sub", style="white-space: nowrap")
    if found is None:
        place = "Its document is left out" if left_out(question) else "No passage"
        where, text = tag("p", place, cls="place"), Html("")
    else:
        where = tag("p", tag("strong", found.document), f" — {found.place}", cls="place")
        before, sentence, after = (cards.lines_kept(readable(t)) for t in (found.before, found.sentence, found.after))
        text = tag("p", before, tag("u", sentence), after, cls="text")
    body = tag("div", tag("div", where, aside, cls="split"), text, warning(question), cls="evidence")
    return Html(body + tag("p", state(question), tag("span", f" {use(question)}", cls="sub")))


def warning(question: Question) -> Html:
    """The pill of a question whose answer nothing proves, and the remedies."""
    if left_out(question):
        pill = cards.pill("info", "no passage, on purpose")
        said = "Asked without its document, to see whether the model admits it. "
        said += f"The answer would be “{question.answer}”."
    elif not question.answerable:
        pill, said = cards.pill("info", "your documents do not say"), "The model should say so."
    elif question.outdated:
        pill = cards.pill("warn", "evidence changed")
        said = f"A new version of its document no longer says: “{question.outdated}” Mend the answer, or reject it."
    elif not question.supported:
        pill = cards.pill("warn", "no evidence")
        said = "No sentence proves this answer. Mend it, choose “Your documents do not say”, or reject it."
    else:
        return Html("")
    return tag("p", pill, tag("span", f" {said}", cls="sub"))


def use(question: Question) -> str:
    """What a question is for."""
    return {"train": "The model learns from it.", "dev": "It checks the model while it learns.",
            "test": "Held back: it measures the result."}[question.split]  # fmt: skip


def unsaved(open_one: str, others: Sequence[str]) -> Html:
    """What is changed and not approved yet, by id: the open question ("" where it is not), and others, with the way."""
    lines = []
    if open_one:
        drop = cards.button("Drop the change", do="drop", id=open_one, kind="link")
        lines.append(tag("p", "Your change is not approved yet. ", drop, cls="sub"))
    if others:
        said = counted(len(others), "other change is", "other changes are")
        show = cards.button("Show it" if len(others) == 1 else "Show the first", do="open", id=others[0], kind="link")
        lines.append(tag("p", f"{said} not approved yet. ", show, cls="sub"))
    return tag("div", *lines, role="status") if lines else Html("")

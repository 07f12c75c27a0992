"""The opened document: its report, the original beside the text that was read, page by page; and new versions."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ragtune_ui.domain.changes import Impact
from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.passages import readable
from ragtune_ui.domain.words import counted
from ragtune_ui.ui import cards
from ragtune_ui.ui.cards import Html, tag

if TYPE_CHECKING:
    from ragtune_ui.studio.reports import Alike, Findings

PART = 20_000  # characters of a text without pages that are shown at once
LISTED = 8  # passages, questions or pages that a list names before it says how many more there are
_SELECT = (
    "background: var(--surface); color: var(--text); border: 1px solid var(--border-strong); border-radius: 8px; "
    "padding: 5px 10px; font: inherit; width: auto"
)
HEIGHT = "height: 70vh; min-height: 420px; overflow: auto"

# Parts of a text ------------------------------------------------------------------------------


def parts(pages: Sequence[tuple[int, str]]) -> list[str]:
    """What is turned over one by one: the pages, or pieces of a long text that has none."""
    if len(pages) != 1 or len(pages[0][1]) <= PART:
        return [text for _, text in pages]
    found, text = [], pages[0][1]
    while text:
        cut = text.rfind("\n", PART // 2, PART) if len(text) > PART else len(text)
        cut = cut if cut > 0 else PART
        found.append(text[:cut])
        text = text[cut:]
    return found


# The report -----------------------------------------------------------------------------------


def report(findings: Findings) -> Html:
    """What was found in the file: figures first, then what wants to be looked at."""
    document, found = findings.document, findings.report
    unit = document.unit
    rows: list[tuple[str, str]] = [
        (f"{unit.capitalize()}s", f"{document.pages:,}"),
        ("Words", f"{document.words:,}"),
        ("Language", document.language or "not told"),
    ]
    if found is None:
        older = "It was read before there were reports: remove it and add it again for one."
        return Html(_figures(rows) + tag("p", older, cls="sub"))
    rows.append(("Tables", f"{found.tables:,}"))
    if document.kind == "pdf":
        rows.append(("In columns", _count(len(found.column_pages), "page", "none")))
    if document.version > 1:
        rows.append(("Version", f"{document.version}"))
    looks = [
        _pages(document, "Pictures without text", found.numbers("picture"), "warn"),
        _pages(document, "Garbled", found.numbers("garbled"), "warn"),
        _pages(document, "Empty", found.numbers("empty") if document.pages > 1 else [], "quiet"),
    ]
    return tag("div", _figures(rows), *looks, _repeated(findings), _alike(findings), cls="stack")


def _figures(rows: Sequence[tuple[str, str]]) -> Html:
    return cards.tiles([(name, figure, "") for name, figure in rows])


def _pages(document: Document, title: str, numbers: Sequence[int], kind: cards.Kind) -> Html:
    if not numbers:
        return Html("")
    jumps = [
        cards.button(str(n), do="open", id=f"{document.id} {n - 1}", kind="small", label=f"Open {document.unit} {n}")
        for n in numbers[:LISTED]
    ]
    more = f" and {len(numbers) - LISTED:,} more" if len(numbers) > LISTED else ""
    head = tag("span", cards.pill(kind, title), " ", tag("span", _count(len(numbers), document.unit), cls="sub"))
    return tag("div", head, tag("div", *jumps, more, cls="actions"))


def _repeated(findings: Findings) -> Html:
    document, found = findings.document, findings.report
    if found is None or not found.repeated:
        return Html("")
    kept = document.keep_repeated
    lines = [tag("li", r.line, " ", tag("span", f"on {_count(r.pages, 'page')}", cls="sub")) for r in found.repeated]
    head = tag("p", "Headers and footers that were ", tag("strong", "kept" if kept else "taken off"), ":")
    switch = cards.button(
        "Take them off" if kept else "Keep them in the text", do="off" if kept else "keep", id=document.id,
        kind="small",
        label=f"{'Take off' if kept else 'Keep'} the repeated lines of {document.name}; it is read again",
    )  # fmt: skip
    return tag("div", head, _list(lines), tag("div", switch, cls="actions"))


def _alike(findings: Findings) -> Html:
    if not findings.files and not findings.pages:
        return Html("")
    unit = findings.document.unit
    rows = [tag("li", "The whole file, ", tag("strong", a.name), f": {a.share:.0%}") for a in findings.files]
    rows += [
        tag(
            "li", _turn(findings.document, a), " and ", tag("strong", a.name), f", {unit} {a.other_page}: {a.share:.0%}"
        )
        for a in findings.pages[:LISTED]
    ]
    left = len(findings.pages) - LISTED
    if left > 0:
        rows.append(tag("li", f"{left:,} more"))
    return tag("div", tag("p", "Says nearly the same as:"), _list(rows))


def _turn(document: Document, alike: Alike) -> Html:
    said, place = f"{document.unit.capitalize()} {alike.page}", f"{document.id} {alike.page - 1}"
    return cards.button(said, do="open", id=place, kind="link")


# The drawer -----------------------------------------------------------------------------------


def drawer(findings: Findings, pages: Sequence[tuple[int, str]], at: int, picture: bytes, source: str) -> Html:
    """The report, then one page: the original on the left, the text that was read on the right."""
    document = findings.document
    close = cards.button("Close", do="close", kind="small", label="Close the document")
    title = tag("div", cards.section(document.title or document.name, f"{document.name}, as RAGTune reads it"))
    head = tag("div", title, close, cls="split")
    if not pages:
        return _section(document, head, tag("p", document.problem, cls="text"))
    shown = parts(pages)
    at = max(0, min(at, len(shown) - 1))
    text = shown[at].strip()
    words = tag("p", cards.lines(text), cls="text") if text else tag("p", _nothing(findings, at), cls="sub")
    right = _side("Text that was read", words)
    left = _original(findings, at, picture, source)
    body = tag("div", left, right, cls="two") if left else right
    return _section(document, head, report(findings), _turns(document, at, len(shown), len(pages) > 1), body)


def _nothing(findings: Findings, at: int) -> str:
    found = findings.report
    state = found.pages[at].state if found is not None and at < len(found.pages) else "empty"
    unit = findings.document.unit
    if state == "picture":
        return f"This {unit} is a picture of text. Text recognition can read it: see “Scanned pages” in the README."
    return f"There is no text on this {unit}."


def _original(findings: Findings, at: int, picture: bytes, source: str) -> Html:
    document = findings.document
    if picture:
        data = base64.b64encode(picture).decode("ascii")
        alt = cards.esc(f"{document.unit.capitalize()} {at + 1} of {document.name} as it looks")
        image = Html(f'<img src="data:image/jpeg;base64,{data}" alt="{alt}" style="width: 100%; display: block">')
        return _side("Original", image)
    if source:
        return _side("Original", tag("pre", source, style="white-space: pre-wrap; margin: 0"))
    if document.kind in ("docx", "pptx", "xlsx", "epub"):
        own = "Its pages are not drawn here: open the file in its own program beside this window."
        return _side("Original", tag("p", own, cls="sub"))
    return Html("")


def _side(title: str, inside: Html) -> Html:
    box = tag("div", inside, cls="evidence scroll", tabindex="0", role="region", aria_label=title, style=HEIGHT)
    return tag("div", tag("h3", title), box)


def _turns(document: Document, at: int, number: int, paged: bool) -> Html:
    if number < 2:
        return Html("")
    word = document.unit.capitalize() if paged else "Part"
    back = tag("button", "◀ Earlier", type="button", cls="btn small", data_do="open", data_id=f"{document.id} {at - 1}",
               disabled=at == 0)  # fmt: skip
    on = tag("button", "Later ▶", type="button", cls="btn small", data_do="open", data_id=f"{document.id} {at + 1}",
             disabled=at == number - 1)  # fmt: skip
    # Of thousands, those around and every hundredth.
    listed = [n for n in range(number) if number <= 400 or abs(n - at) < 50 or n % 100 == 99 or n in (0, number - 1)]
    options = [tag("option", f"{word} {n + 1}", value=f"{document.id} {n}", selected=n == at) for n in listed]
    pick = tag("select", *options, data_do="open", aria_label=f"Go to a {word.lower()}", style=_SELECT)
    of = tag("span", f"of {number:,}", cls="sub")
    return tag("div", back, pick, of, on, cls="actions", style="align-items: center; margin-bottom: 8px")


def _section(document: Document, *inside: object) -> Html:
    return tag("section", *inside, cls="card", aria_label=f"Text of {document.name}", data_document=document.id)


# New versions ---------------------------------------------------------------------------------


def versions(impacts: Sequence[Impact], replaced: Sequence[Document], busy: bool) -> Html:
    """What each new version touches, with what can be done; and the way back after a replacement."""
    made = [_version(impact) for impact in impacts]
    if len(impacts) > 1:
        every = cards.button(f"Replace all {len(impacts)}", do="replace", id=" ".join(i.waiting for i in impacts),
                             kind="small primary")  # fmt: skip
        made.insert(0, tag("div", cards.section("New versions", "Files of the same name, with other content."), every,
                           cls="split"))  # fmt: skip
    if replaced and not busy:
        name = replaced[0].name
        undo = cards.button("Bring the old one back", do="unreplace", kind="small", label=f"Bring the old {name} back")
        made.append(cards.note("quiet", f"“{name}” was replaced by a newer version.", actions=[undo]))
    return cards.join(made)


def _version(impact: Impact) -> Html:
    choices = [
        cards.button(said, do=do, id=impact.waiting, kind=kind, label=f"{said}: {impact.name}")
        for said, do, kind in (("Replace", "replace", "small primary"), ("Keep both", "both", "small"),
                               ("Leave it out", "leave", "small"))
    ]  # fmt: skip
    said = [tag("p", impact.sentence)]
    if impact.judgements_lost:
        gone = _count(impact.judgements_lost, "judgement")
        verb = "no longer fits and goes" if impact.judgements_lost == 1 else "no longer fit and go"
        said.append(tag("p", f"{gone} of its passages (“This answers it”, “Not this”) {verb}.", cls="sub"))
    if impact.runs:
        models = "A trained model" if len(impact.runs) == 1 else f"{len(impact.runs)} trained models"
        said.append(tag("p", f"{models} learned from the old version ({', '.join(impact.runs)}): train again to have "
                             "the new one learned.", cls="sub"))  # fmt: skip
    folds = [
        _fold("Passages that change or go", [readable(c.text).replace("\n", " · ") for c in impact.gone]),
        _fold("Passages that are new", [readable(c.text).replace("\n", " · ") for c in impact.fresh]),
        _fold("Questions to check again", [q.question for q in impact.lost]),
    ]
    head = cards.section(f"New version of {impact.name}", "Nothing has changed yet.")
    return tag("section", head, *said, *folds, tag("div", *choices, cls="actions"), cls="card",
               aria_label=f"New version of {impact.name}")  # fmt: skip


def _fold(title: str, texts: Sequence[str]) -> Html:
    if not texts:
        return Html("")
    rows = [tag("li", text if len(text) <= 240 else text[:240] + " ...") for text in texts[:LISTED]]
    left = len(texts) - LISTED
    if left > 0:
        rows.append(tag("li", f"and {left:,} more"))
    return cards.folded(f"{title}: {len(texts):,}", _list(rows))


def _list(rows: Sequence[Html]) -> Html:
    return tag("ul", *rows, style="margin: 4px 0; padding-left: 22px")


def _count(number: int, word: str, nothing: str = "0") -> str:
    return counted(number, word) if number else nothing

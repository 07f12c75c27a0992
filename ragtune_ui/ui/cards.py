"""Cards: nouns in, escaped HTML out. Every word that a person, a file or a model wrote goes through ``esc``."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from ragtune_ui.domain.errors import RagtuneError
from ragtune_ui.domain.examples import Example
from ragtune_ui.domain.passages import Chunk, Passage, marks, readable
from ragtune_ui.domain.runs import Job, time_words

Kind = Literal["ok", "warn", "error", "info", "quiet", "run"]
Action = tuple[str, str]  # what the button says, the key of the page it opens

# With the icon a pill never speaks by colour alone.
_ICONS: Mapping[str, str] = {"ok": "✓", "warn": "!", "error": "✗", "info": "", "quiet": "", "run": "…"}

# Characters that are invisible but turn the reading direction: "exe.gnp" would pass for "png.exe".
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


class Html(str):
    """Text that is HTML already: what the functions of this module return."""

    __slots__ = ()


def esc(value: object) -> Html:
    """The value as text that no browser runs; ``Html`` stays as it is."""
    if isinstance(value, Html):
        return value
    return Html(html.escape(_UNSEEN.sub("", str(value)), quote=True))


def join(parts: Iterable[object], between: str = "") -> Html:
    """The parts, each escaped, one after the other."""
    return Html(between.join(esc(part) for part in parts))


def tag(name: str, *inside: object, **attributes: object) -> Html:
    """An element around its escaped content. ``cls`` is its class, ``data_do`` becomes ``data-do``;
    None and False leave an attribute out, True writes it without a value."""
    written = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        word = "class" if key == "cls" else key.rstrip("_").replace("_", "-")
        written.append(word if value is True else f'{word}="{esc(value)}"')
    return Html(f"<{' '.join(written)}>{join(inside)}</{name}>")


def lines(text: str) -> Html:
    """Text with its line breaks kept and nothing else interpreted."""
    return join(text.splitlines(), "<br>")


# Words and figures ---------------------------------------------------------------------------


def pill(kind: Kind, text: str) -> Html:
    """A short state in a rounded box: icon and word."""
    icon = _ICONS[kind]
    return tag("span", tag("span", icon, aria_hidden="true") if icon else "", " " if icon else "", text,
               cls=f"pill {kind}")  # fmt: skip


def heading(title: str, sentence: str) -> Html:
    """The head of a page: its name and the one sentence that says what it is for."""
    return Html(tag("h1", title, tabindex="-1") + tag("p", sentence, cls="lede"))


def section(title: str, sentence: str = "") -> Html:
    """The head of a card."""
    return Html(tag("h2", title) + (tag("p", sentence, cls="sub") if sentence else ""))


def tile(label: str, figure: str, caption: str = "") -> Html:
    """One figure with its name above and its basis below."""
    return tag("div", tag("dt", label), tag("dd", figure, cls="figure"), tag("dd", caption, cls="caption"), cls="tile")


def tiles(rows: Sequence[tuple[str, str, str]]) -> Html:
    """A row of figures: (label, figure, caption) each."""
    return tag("dl", *(tile(*row) for row in rows), cls="tiles")


def facts(rows: Sequence[tuple[str, object]]) -> Html:
    """Names on the left, values on the right, a line each."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in rows), cls="facts")


def bar(share: float, label: str, cls: str = "") -> Html:
    """A progress bar; ``share`` is 0 to 1, ``label`` is what a screen reader says."""
    percent = round(100 * min(1.0, max(0.0, share)))
    return tag("div", tag("span", style=f"width:{percent}%"), cls=f"bar {cls}".strip(), role="progressbar",
               aria_valuenow=percent, aria_valuemin=0, aria_valuemax=100, aria_label=label)  # fmt: skip


def going_on(job: Job) -> tuple[Html, Html]:
    """What work in the background does and how long still, and the button that stops it."""
    left = time_words(job.left) if job.left is not None else "time left not known yet"
    stop = button("Stop", do="stop", id=job.id, kind="small danger", label=f"Stop: {job.title}")
    return tag("p", f"{job.note or 'Starting'} · {left}", cls="sub"), stop


def table(headers: Sequence[str], rows: Sequence[Sequence[object]], caption: str, empty: str = "",
          numbers: Sequence[int] = ()) -> Html:  # fmt: skip
    """A table of escaped cells; ``numbers`` are the columns (from 0) set in figures at the right.

    ``caption`` names the table for screen readers; ``empty`` is the sentence shown without rows.
    """
    if not rows:
        return tag("p", empty, cls="empty-line") if empty else Html("")
    kind = ["num" if n in numbers else None for n in range(len(headers))]
    head = tag("tr", *(tag("th", h, scope="col", cls=kind[n]) if h else tag("td") for n, h in enumerate(headers)))
    body = [tag("tr", *(tag("td", cell, cls=kind[n]) for n, cell in enumerate(row))) for row in rows]
    whole = tag("table", tag("caption", caption, cls="sr-only"), tag("thead", head), tag("tbody", *body), cls="table")
    return tag("div", whole, cls="table-wrap", tabindex="0", role="region", aria_label=caption)


def folded(summary: str, *inside: object) -> Html:
    """Content behind a line that opens it."""
    return tag("details", tag("summary", summary), *inside, cls="folded")


# Buttons and messages ------------------------------------------------------------------------


def button(text: str, *, do: str = "", id: str = "", go: str = "", ask: str = "", kind: str = "", label: str = "",
           disabled: bool = False) -> Html:  # fmt: skip
    """A button in HTML. ``do`` and ``id`` reach the handler of the component around it, ``go`` opens a
    page, ``ask`` opens the dialog of that name; ``kind``: "", "primary", "danger", "link"."""
    return tag("button", text, type="button", cls=f"btn {kind}".strip(), data_do=do or None, data_id=id or None,
               data_go=go or None, data_ask=ask or None, aria_label=label or None, disabled=disabled)  # fmt: skip


def copy_button(text: str, label: str = "Copy") -> Html:
    """A button that puts ``text`` on the clipboard."""
    return tag("button", label, type="button", cls="btn small", data_copy=text)


def note(kind: Kind, text: str, remedy: str = "", details: str = "", actions: Sequence[Action | Html] = ()) -> Html:
    """A message in place: what happened, what to do now, buttons, and the folded details."""
    buttons = [a if isinstance(a, Html) else button(a[0], go=a[1], kind="small") for a in actions]
    more = folded("Details", tag("pre", details), copy_button(details, "Copy details")) if details else ""
    icon = _ICONS[kind] or "i"
    return tag(
        "div",
        tag("span", icon, cls="note-icon", aria_hidden="true"),
        tag("div", tag("p", tag("strong", text) if remedy else text, f" {remedy}" if remedy else ""),
            tag("div", *buttons, cls="actions") if buttons else "", more),
        cls=f"note {kind}",
        role="alert" if kind == "error" else "status",
    )  # fmt: skip


def problem(error: RagtuneError, actions: Sequence[Action | Html] = ()) -> Html:
    """An error as a message in place: sentence, remedy, folded details."""
    return note("error", str(error), error.remedy, error.details, actions)


def empty(title: str, sentence: str, *buttons: Html) -> Html:
    """What a page shows before there is anything: what it is, why it is worth it, one button."""
    return tag("div", tag("h2", title), tag("p", sentence), tag("div", *buttons, cls="actions"), cls="empty")


def next_bar(key: str, label: str, missing: str = "") -> Html:
    """The end of a page: what is still missing, and the way on."""
    return tag("div", tag("p", missing, cls="missing"), button(label, go=key, kind="next"), cls="next-bar")


def dialog(name: str, title: str, body: object, choices: Sequence[tuple[str, str, str]], typed: str = "",
           no: str = "Cancel") -> Html:  # fmt: skip
    """A question that must be answered before something is lost.

    ``choices`` are (value, what its button says, kind) with kind "primary" or "danger"; with
    ``typed`` the buttons wait until exactly that was typed.
    """
    box = Html(f'<input type="text" autocomplete="off" data-typed="{esc(typed)}">')
    field = tag("label", f"Type {typed} to go on", box, cls="typed") if typed else ""
    yes = [tag("button", text, type="button", cls=f"btn filled {kind}", data_choice=value, disabled=bool(typed))
           for value, text, kind in choices]  # fmt: skip
    return tag("dialog", tag("h2", title, id=f"ask-{name}-title"), tag("div", body, cls="dialog-body"), field,
               tag("div", tag("button", no, type="button", cls="btn", data_close=True), *yes, cls="actions end"),
               cls="ask", data_name=name, aria_labelledby=f"ask-{name}-title")  # fmt: skip


# Passages ------------------------------------------------------------------------------------


def marked(text: str, spans: Iterable[tuple[int, int]], name: str = "mark") -> Html:
    """Text with the spans (start, end) in ``name`` elements; overlapping spans are drawn as one."""
    parts: list[str] = []
    at = 0
    for start, end in sorted(spans):
        start = max(start, at)
        if end <= start:
            continue
        parts += [lines_kept(text[at:start]), tag(name, lines_kept(text[start:end]))]
        at = end
    return Html("".join([*parts, lines_kept(text[at:])]))


def lines_kept(text: str) -> Html:
    """Escaped text in which every line break, also the last, stays."""
    return join(text.split("\n"), "<br>")


def place(chunk: Chunk) -> Html:
    """File name, page and heading of a chunk."""
    return tag("p", tag("strong", chunk.title), " — ", chunk.place, cls="place")


def score(label: str, value: float, cls: str) -> Html:
    """A score between 0 and 1 as name, bar and figure."""
    return tag(
        "div", tag("span", label), bar(value, f"{label} {value:.2f}", cls), tag("b", f"{value:.2f}"), cls="score"
    )


def hit(passage: Passage, question: str, actions: Sequence[Html] = ()) -> Html:
    """A found passage: rank, place, text with the question's words marked, three scores, buttons."""
    chunk = passage.chunk
    text = tag("p", marked(chunk.text, marks(question, chunk.text)), cls="text")
    scores = tag("div", score("Overall", passage.score, "overall"), score("Meaning", passage.dense, "meaning"),
                 score("Words", passage.lexical, "words"), cls="scores")  # fmt: skip
    rank = tag("span", passage.rank, cls="rank", aria_label=f"Rank {passage.rank}")
    body = tag("div", place(chunk), text, tag("div", *actions, cls="actions") if actions else "", cls="hit-body")
    return tag("li", rank, body, scores, cls="card hit", data_id=chunk.id)


def hits(passages: Sequence[Passage], question: str, actions: Mapping[str, Sequence[Html]] | None = None) -> Html:
    """All found passages in order; ``actions`` holds buttons by chunk id."""
    by_id = actions or {}
    return tag("ol", *(hit(p, question, by_id.get(p.chunk.id, ())) for p in passages), cls="hits")


def sources(chunks: Sequence[Chunk], limit: int = 280) -> Html:
    """The passages an answer may cite, numbered from 1; a click on ``[1]`` lights the first."""
    cards = []
    for n, chunk in enumerate(chunks, start=1):
        text = " ".join(readable(chunk.text).split())
        short = text if len(text) <= limit else f"{text[:limit].rsplit(' ', 1)[0]} …"
        more = folded("Whole passage", tag("p", lines(readable(chunk.text)))) if short != text else ""
        head = tag("p", tag("strong", f"[{n}] {chunk.title}"), cls="place") + tag("p", chunk.place, cls="sub")
        text = tag("p", f"“{short}”", cls="text")
        cards.append(tag("li", Html(head), text, more, cls="card source", data_source=n, tabindex="-1"))
    return tag("ol", *cards, cls="sources")


def evidence(chunk: Chunk, start: int, end: int, aside: str = "") -> Html:
    """The passage around a question with the proving sentence underlined.

    ``start`` and ``end`` count characters of the document, as ``Question`` does.
    """
    span = (max(0, start - chunk.start), min(len(chunk.text), end - chunk.start))
    text = marked(chunk.text, [span] if end > start else [], "u")
    head = tag("div", place(chunk), tag("span", aside, cls="sub"), cls="split")
    return tag("div", head, tag("p", text, cls="text"), cls="evidence")


# Answers and examples ------------------------------------------------------------------------

_CITED = re.compile(r"\[\s*(\d{1,2})\s*\]")


def answer(text: str, passages: int) -> Html:
    """A model's reply: line breaks kept, ``[1]`` to ``[passages]`` become buttons, all else is text."""

    def cite(match: re.Match[str]) -> str:
        n = int(match[1])
        if not 1 <= n <= passages:
            return match[0]
        return tag("button", f"[{n}]", type="button", cls="cite", data_cite=n, aria_label=f"Show passage {n}")

    return tag("div", Html(_CITED.sub(cite, lines_kept(text.strip()))), cls="answer")


def bubble(who: Literal["you", "model"], inside: object) -> Html:
    """One turn of a conversation."""
    return tag("div", inside, cls=f"bubble {who}")


_WHO = {"system": "Instruction", "user": "The model sees", "assistant": "It learns to answer"}


def sample(example: Example, title: str) -> Html:
    """One training example as the model will see it."""
    if example.text:
        parts = [tag("h4", "The model reads"), tag("p", lines(example.text), cls="text")]
    else:
        parts = [
            Html(tag("h4", _WHO[m.role]) + tag("p", lines(m.content), cls=f"text {m.role}")) for m in example.messages
        ]
    return tag("article", tag("h3", title), *parts, cls="sample")


def item(id: str, title: str, sub: str, state: Html, current: bool = False, do: str = "open") -> Html:
    """A row of a list that opens something: title, state, one line below."""
    words = tag("span", tag("span", title, cls="item-title"), tag("span", sub, cls="sub"))
    marked_current = "true" if current else None
    return tag("li", tag("button", words, state, type="button", cls="item", data_do=do, data_id=id,
                         aria_current=marked_current))  # fmt: skip


def items(rows: Sequence[Html], label: str) -> Html:
    """A list of ``item`` rows under a name for screen readers."""
    return tag("ul", *rows, cls="items", aria_label=label)


def size_words(size: float) -> str:
    """Bytes as people say them: ``18.2 GB``, ``740 MB``, ``12 kB``."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            figure = size / scale
            return f"{figure:,.1f} {unit}" if unit == "GB" and figure < 100 else f"{figure:,.0f} {unit}"
    return f"{size:.0f} bytes"

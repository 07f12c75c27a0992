"""Compare: one question, the same passages, both models side by side; votes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import gradio as gr

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.errors import RagtuneError
from ragtune_ui.ui import cards, trained
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.page import Page, no_project

# FORM ----------------------------------------------------------------------------------------

Side = Literal["base", "tuned"]
QUIET = 0.12  # seconds between two pictures of growing answers; quicker than the eye reads
NAMES: Mapping[Side, str] = {"base": "Original", "tuned": "Tuned"}
MARKS: Mapping[Side, str] = {"base": "□", "tuned": "●"}
VOTES = ("base", "same", "tuned", "neither")

# SHOWS ---------------------------------------------------------------------------------------


def order(turn: str, hidden: bool) -> tuple[Side, Side]:
    """Which side stands left and which right; for a blind vote the turn's id decides."""
    swapped = hidden and bool(turn) and sum(map(ord, turn)) % 2 == 1
    return ("tuned", "base") if swapped else ("base", "tuned")


def head(side: Side, place: int, hidden: bool, model: str) -> Html:
    """Whose answer it is; A and B while that is hidden."""
    if hidden:
        return tag("h2", f"Answer {'AB'[place]}")
    return tag(
        "div",
        tag("h2", f"{MARKS[side]} {NAMES[side]}"),
        cards.pill("info" if side == "tuned" else "quiet", model),
        cls="split",
    )


def backing(text: str, passages: int) -> Html:
    """Whether the answer names its passages, in words."""
    said = Contract().read(text)
    named = [n for n in said.citations if 1 <= n <= passages]
    if said.refused:
        return cards.pill("info", "says the documents are silent")
    if named:
        return cards.pill("ok", f"names passage {', '.join(map(str, named))}")
    return cards.pill("warn", "names no passage") if passages else cards.pill("quiet", "from memory")


def stats(reply: Any) -> str:
    """Speed and duration of an answer: ``12 words/s · 2.4 s``."""
    words = len(reply.text.split())
    rate = words / reply.seconds if reply.seconds > 0.05 else 0.0
    return f"{rate:.{0 if rate >= 10 else 1}f} words/s · {reply.seconds:.1f} s" if rate else ""


def pane(
    headed: Html,
    question: str,
    text: str | None,
    passages: int,
    state: str = "",
    figures: str = "",
    earlier: Sequence[tuple[str, str, int]] = (),
) -> Html:
    """One side of the page: earlier turns (question, answer, passages), then this question and its answer."""
    turns = [
        Html(cards.bubble("you", asked) + cards.bubble("model", cards.answer(said, n))) for asked, said, n in earlier
    ]
    if question:
        turns.append(cards.bubble("you", question))
    if text:
        turns.append(cards.bubble("model", cards.answer(text, passages)))
    line = tag("p", state, cls="sub") if state else ""
    foot = ""
    if text and not state:
        foot = tag(
            "p",
            backing(text, passages),
            " ",
            tag("span", figures, cls="sub"),
            " ",
            cards.copy_button(text),
            cls="under",
        )
    return tag("section", headed, *turns, line, foot, cls="card pane stack")


def untrained() -> Html:
    """The right side before anything was trained."""
    return tag(
        "section",
        tag("h2", f"{MARKS['tuned']} Tuned"),
        tag("p", "There is no tuned model yet, so only the original answers.", cls="sub"),
        tag("div", cards.button("Open Train", go="train", kind="small"), cls="actions"),
        cls="card pane stack",
    )


def sources(passages: Sequence[Any], asked: bool) -> Html:
    """What both models were given, once."""
    if not passages:
        said = "No passages were given: both answered from memory." if asked else "They appear here once you ask."
        return tag("p", said, cls="empty-line")
    return cards.sources(passages)


def vote_row(turn: Any, hidden: bool, counts: Mapping[str, int]) -> Html:
    """Four buttons for the last turn, which they name, and how often each was given; without a turn they wait."""
    left, right = order(turn.id if turn else "", hidden)
    names = {
        left: "◀ A is better" if hidden else f"◀ {NAMES[left]} is better",
        right: "B is better ▶" if hidden else f"{NAMES[right]} is better ▶",
        "same": "About the same",
        "neither": "Both wrong",
    }
    able = turn is not None and bool(turn.tuned)
    row = []
    for vote in (left, "same", right, "neither"):
        given = able and turn.vote == vote
        row.append(
            tag(
                "button",
                f"{'✓ ' if given else ''}{names[vote]}",
                type="button",
                cls="btn small",
                data_do="vote",
                data_id=f"{turn.id if turn else ''} {vote}",
                aria_pressed="true" if given else "false",
                disabled=not able,
            )
        )
    said = {"base": "original better", "same": "about the same", "tuned": "tuned better", "neither": "both wrong"}
    tally = " · ".join(f"{said[v]} {counts.get(v, 0):,}" for v in VOTES) if any(counts.values()) else "No votes yet."
    return tag(
        "div",
        tag("div", *row, cls="actions"),
        tag("p", tally, cls="sub"),
        cls="stack",
        role="group",
        aria_label="Which answer is better?",
    )


def history(turns: Sequence[Any]) -> Html:
    """Earlier questions of this project with both answers and the vote, the latest first."""
    said = {"base": "Original better", "same": "About the same", "tuned": "Tuned better", "neither": "Both wrong"}
    rows = [
        (t.question, cards.answer(t.base, 0), cards.answer(t.tuned, 0) if t.tuned else "–", said.get(t.vote, ""))
        for t in turns
    ]
    return cards.table(
        ("Question", "Original", "Tuned", "Vote"), rows, "Questions asked before", "Nothing was asked yet."
    )


# DOES ----------------------------------------------------------------------------------------


def model_words(studio: Any, project: Any, run: str) -> tuple[str, str]:
    """Names of the original and of the tuned model, "" where there is none."""
    usable = [j.id for j in studio.training.usable(project)]
    chosen = run if run in usable else next(iter(usable), "")
    model = project.sheet(chosen).model if chosen else project.choices().model
    small = ", small: for trying things out" if model == "built-in" else ""
    return trained.model_name(model) + small, trained.name(chosen) if chosen else ""


def silence(turn: Any, side: Side) -> str:
    """Why a side shows no answer."""
    if turn is None or not turn.question:
        return "Its answer appears here."
    later = side == "tuned" and not turn.run
    return "Trained after this was asked; ask again." if later else "Stopped before it answered."


def panes(
    studio: Any,
    project: Any,
    run: str,
    turn: Any,
    said: Mapping[Side, str | None],
    hidden: bool,
    state: str = "",
    figures: Mapping[Side, str] | None = None,
) -> list[Html]:
    """Both sides in the order in which they stand."""
    base, tuned = model_words(studio, project, run)
    models: dict[Side, str] = {"base": base, "tuned": tuned}
    shown = []
    for place, side in enumerate(order(turn.id if turn else "", hidden)):
        if side == "tuned" and not tuned:
            shown.append(untrained())
            continue
        headed = head(side, place, hidden, models[side])
        question, given = (turn.question, len(turn.passages)) if turn else ("", 0)
        hint = state or ("" if said.get(side) else silence(turn, side))
        shown.append(pane(headed, question, said.get(side), given, hint, (figures or {}).get(side, "")))
    return shown


class Asked:
    """A question before its passages are known; looks like a turn."""

    id, run, passages = "", "", ()

    def __init__(self, question: str) -> None:
        self.question = question


def ask(studio: Any, project: Any, question: str, run: str, with_passages: bool, hidden: bool) -> Iterator[Any]:
    """Left, right, passages, [turn, figures], whether a word was said that is kept, and the votes, which wait for
    the end, as both answers grow."""
    question = " ".join((question or "").split())
    if not question:
        raise RagtuneError("Type a question first.", "Ask one that your documents should answer.")
    waiting = Asked(question)
    state = "Reading the passages, getting the model ready …"
    if studio.speakers.busy:
        state = "Something else is using the model, a verdict for example. Your answer comes right after it …"
    waiting_votes = vote_row(None, hidden, studio.chat.votes(project))
    yield [
        *panes(studio, project, run, waiting, {}, hidden, state),
        gr.skip(),
        gr.skip(),
        False,
        waiting_votes,
    ]
    given, last = False, 0.0
    for exchange in studio.chat.ask(project, question, run, with_passages):
        if given and not exchange.done and time.monotonic() - last < QUIET:
            continue
        last = time.monotonic()
        replies = {side: getattr(exchange, side) for side in NAMES}
        said = {side: reply.text if reply else None for side, reply in replies.items()}
        figures = {side: stats(reply) for side, reply in replies.items() if reply}
        state = "" if exchange.done else "Writing …"
        shown = panes(studio, project, run, exchange.turn, said, hidden, state, figures)
        below = gr.skip() if given else sources(exchange.turn.passages, True)
        votes = vote_row(exchange.turn, hidden, studio.chat.votes(project)) if exchange.done else waiting_votes
        yield [*shown, below, [exchange.turn.id, figures], bool(figures), votes]
        given = True


def vote(studio: Any, project: Any, act: Mapping[str, Any]) -> None:
    """A vote on the turn that the button names, while that is the one on the page."""
    if act.get("do") != "vote":
        return
    turn, _, given = str(act.get("id", "")).partition(" ")
    latest = next(reversed(project.turns()), None)
    if latest is None or latest.id != turn:
        raise RagtuneError("This vote was for an earlier question.", "Read the answers shown now, then vote again.")
    studio.chat.vote(project, turn, given)


def suggest(studio: Any, project: Any, act: Mapping[str, Any]) -> str:
    return str(act.get("id", ""))


def ideas(studio: Any, project: Any) -> Html:
    """Questions to begin with, from the person's own documents."""
    if not project.chunks() or project.turns():
        return Html("")
    found = studio.retrieval.suggestions(project)
    chips = [cards.button(q, do="ask", id=q, kind="small") for q in found]
    return tag("div", *chips, cls="actions", role="group", aria_label="Example questions") if chips else Html("")


def stand(studio: Any, project: Any, *values: Any) -> list[Any]:
    """A cheap value that changes whenever the page would."""
    if project is None:
        return [None, *values]
    turns = project.turns()
    return [
        project.touched,
        len(turns),
        [(t.id, t.vote) for t in turns[-1:]],
        [v.vote for v in turns].count(""),
        *values,
    ]


def look(studio: Any, project: Any, run: str, hidden: bool, pace: Sequence[Any]) -> list[Any]:
    """The last question with its answers, votes and earlier questions, from the disk."""
    if project is None:
        return [
            Html(""),
            no_project(),
            Html(""),
            Html(""),
            Html(""),
            Html(""),
            Html(""),
            gr.update(interactive=False),
            cards.next_bar("verdict", "Next: Verdict"),
        ]
    turns = project.turns()
    turn = turns[-1] if turns else None
    # A vote lifts the curtain.
    hide = hidden and turn is not None and not turn.vote
    said: dict[Side, str | None] = {"base": turn.base or None, "tuned": turn.tuned or None} if turn else {}
    figures = pace[1] if turn and pace[0] == turn.id else {}
    left, right = panes(studio, project, (turn.run if turn else "") or run, turn, said, hide, "", figures)
    tuned = bool(studio.training.usable(project))
    ready = bool(project.chunks())
    pill = cards.pill("ok", "both models") if tuned else cards.pill("warn", "original model only")
    missing = "" if ready else "Add documents first: there is nothing to answer from."
    return [
        pill,
        left,
        right,
        sources(turn.passages if turn else (), bool(turn)),
        vote_row(turn, hide, studio.chat.votes(project)),
        history(turns[::-1][:50]),
        ideas(studio, project),
        gr.update(interactive=ready),
        cards.next_bar("verdict", "Next: Verdict", missing),
    ]


# BUILD ---------------------------------------------------------------------------------------


def build(page: Page) -> None:
    """Layout above, wiring below."""
    pill = page.header(
        "Compare answers", "Ask once. Both models get the same passages, so every difference comes from training."
    )
    run = trained.picker(page)
    with gr.Row(elem_classes="two"):
        left = page.html(elem_id="chat-base")
        right = page.html(elem_id="chat-tuned")
    with gr.Row(elem_classes="page-head"):
        question = gr.Textbox(
            label="Your question",
            placeholder="Ask both models a question …",
            elem_id="chat-q",
            lines=2,
            interactive=True,
            elem_classes="key-search grow",
        )
        send = gr.Button("Ask both", variant="primary", elem_id="chat-send", elem_classes="key-main tight")
        stop = gr.Button("Stop", variant="stop", elem_id="chat-stop", elem_classes="tight")
    chips = page.html(elem_id="chat-ideas")
    votes = page.html(elem_id="chat-votes")
    with gr.Row():
        passages = gr.Checkbox(True, label="Give them the passages", elem_id="chat-passages", interactive=True)
        hidden = gr.Checkbox(False, label="Hide which is which until I vote", elem_id="chat-hide", interactive=True)
    page.html(cards.section("Passages both models were given"))
    src = page.html(elem_id="chat-src")
    with gr.Accordion("Questions asked before", open=False, elem_classes="card"):
        past = page.html(elem_id="chat-history")
    onward = page.next("verdict", "Next: Verdict")
    pace, begun = gr.State(["", {}]), gr.State(False)

    # Ask both; one question at a time on this computer, a second asker waits.
    asked = page.on(
        [send.click, question.submit],
        ask,
        [question, run, passages, hidden],
        [left, right, src, pace, begun, votes],
        changed=False,
        concurrency_id="model",
        concurrency_limit=1,
    )
    # Stop freezes both answers; what they said is kept. Before the first word, the page is as it was.
    page.on(stop.click, lambda studio, project, said: gr.skip() if said else page.fire_changed(), [begun], [page.way],
            project=False, cancels=asked)  # fmt: skip
    # An answer that is under way in one project does not go on in another; what was said is kept there.
    page.on(page.project.change, lambda studio, project: None, project=False, cancels=asked)
    # An example question goes into the field.
    page.on(chips.select, suggest, outputs=[question], acts=True, changed=False)
    # A vote.
    page.on(votes.select, vote, acts=True)
    page.relook(hidden.change)
    page.on_look(look, [pill, left, right, src, votes, past, chips, send, onward], [run, hidden, pace], key=stand)

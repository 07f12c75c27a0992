"""Proof cards: figures of the search's test, the map of what it reaches, and advice, as HTML and figures (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ragtune_ui.domain.passages import Chunk
from ragtune_ui.domain.scores import Interval
from ragtune_ui.domain.words import counted
from ragtune_ui.ui import cards, charts
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.found_cards import settings_words

if TYPE_CHECKING:
    from ragtune_ui.studio.advisor import Advice, Setting
    from ragtune_ui.studio.proving import Coverage, Tested

ENOUGH = 80  # percent of questions found in the first five from which the pill is green
COLOURED = 5  # documents that have a colour of their own; the rest share one
LISTED = 12  # unreached sections shown at once


def readiness(tested: Tested | None, stale: str = "") -> Html:
    """The pill beside the title: how the search does on questions whose passage is known, as long as that holds."""
    if tested is None or not tested.questions:
        return Html("")
    if stale:
        return cards.pill("warn", "The last test of the search is out of date")
    right = round(tested.hit5.mean * tested.questions / 100)
    kind: cards.Kind = "ok" if tested.hit5.mean >= ENOUGH else "warn"
    return cards.pill(kind, f"{counted(tested.questions, 'question')}, right passage in the first five: {right:,}")


def outcome(tested: Tested | None, stale: str, questions: int) -> Html:
    """The figures of the last test of the search, with their ranges."""
    if tested is None:
        if questions:
            said = counted(questions, "question is", "questions are")
            return tag("p", f"{said} ready to test the search.", cls="sub")
        return cards.note("info", "No question tests the search yet.",
                          "Press “This answers it” on a right passage, or approve questions.")  # fmt: skip
    among = f"Among the {tested.k} the model reads"
    rows = [(label, share(value), ranged(value)) for label, value in (
        ("Right passage first", tested.hit1), ("In the first three", tested.hit3),
        ("In the first five", tested.hit5), (among, tested.hit_k))]  # fmt: skip
    field = [
        (
            "How high the right passage stands (MRR, 1 at best)",
            f"{tested.mrr.mean / 100:.2f}",
            ranged_score(tested.mrr),
        ),
        (
            "How well the right ones are ordered (nDCG, 1 at best)",
            f"{tested.ndcg.mean / 100:.2f}",
            ranged_score(tested.ndcg),
        ),
    ]
    old = cards.note("warn", stale, "Test the search again.") if stale else ""
    basis = f"{counted(tested.questions, 'question')}. The range holds the true figure in 95 of 100 such tests."
    return tag("div", old, cards.tiles(rows), cards.tiles(field), tag("p", basis, cls="caption"), cls="stack")


def share(value: Interval) -> str:
    return f"{value.mean:.0f} %"


def ranged(value: Interval) -> str:
    return f"between {value.low:.0f} and {value.high:.0f} %"


def ranged_score(value: Interval) -> str:
    return f"between {value.low / 100:.2f} and {value.high / 100:.2f}"


# The map -------------------------------------------------------------------------------------


def chart(coverage: Coverage | None, chunks: Mapping[str, Chunk], names: Mapping[str, str]) -> dict[str, Any]:
    """The map of meaning for ``charts.live``: a dot a passage, coloured by document, hollow where nothing reaches it.

    ``names`` are file names by document id.
    """
    if coverage is None:
        return {"figure": None, "summary": "The map is drawn with the test of the search."}
    points = [p for p in coverage.points if p.chunk in chunks]
    if not points:
        return {"figure": None, "summary": "The passages have changed since; test the search again."}
    sizes: dict[str, int] = {}
    for p in points:
        sizes[chunks[p.chunk].document] = sizes.get(chunks[p.chunk].document, 0) + 1
    own = sorted(sizes, key=lambda d: -sizes[d])[: COLOURED - (len(sizes) > COLOURED)]
    groups = [(names.get(d, d), f"var(--c{n})", {d}) for n, d in enumerate(own, start=1)]
    rest = set(sizes) - set(own)
    if rest:
        groups.append((f"{len(rest):,} other documents", f"var(--c{COLOURED})", rest))
    data = [
        _dots(name, colour, [p for p in points if chunks[p.chunk].document in documents and p.reached is reached],
              chunks, reached)
        for name, colour, documents in groups for reached in (True, False)
    ]  # fmt: skip
    figure = charts.layout("coverage", "", "")
    bare = {"showticklabels": False, "showgrid": False, "zeroline": False, "title": {"text": ""}}
    figure |= {"hovermode": "closest", "xaxis": {**figure["xaxis"], **bare}, "yaxis": {**figure["yaxis"], **bare},
               "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
               "legend": {"orientation": "h", "x": 0, "y": -0.02, "yanchor": "top"}}  # fmt: skip
    return {"figure": {"data": [d for d in data if d["x"]], "layout": figure}, "summary": words(coverage)}


def _dots(name: str, colour: str, points: Sequence[Any], chunks: Mapping[str, Chunk], reached: bool) -> dict[str, Any]:
    short = name if len(name) <= 32 else f"{name[:31]}…"
    said = [f"{_plain(chunks[p.chunk].title)}, {_plain(chunks[p.chunk].place)}" for p in points]
    marker = {"size": 8, "color": colour, "symbol": "circle" if reached else "circle-open", "opacity": 0.85,
              "line": {"width": 1.5, "color": colour}}  # fmt: skip
    return {"type": "scatter", "mode": "markers", "name": _plain(short) + ("" if reached else " (not reached)"),
            "x": [p.x for p in points], "y": [p.y for p in points], "text": said,
            "hovertemplate": "%{text}<extra></extra>", "marker": marker}  # fmt: skip


def _plain(text: str) -> str:
    """Text that the chart library, which knows a little HTML, shows as it is."""
    return str(cards.esc(text)).replace("%{", "% {")


def words(coverage: Coverage) -> str:
    """The map for those who do not see it."""
    return (
        f"{coverage.reached:,} of {len(coverage.points):,} passages are reached by {coverage.questions:,} test "
        "questions, your judgements or the chat. Passages near each other on the map are alike in meaning."
    )


def sections(coverage: Coverage | None) -> Html:
    """The parts of documents that nothing reaches, largest first."""
    if coverage is None:
        return Html("")
    head = tag("p", words(coverage), cls="sub")
    if not coverage.sections:
        return Html(head + tag("p", "Every section is reached.", cls="sub"))

    def rows(some: Sequence[Any]) -> list[list[object]]:
        return [[tag("button", s.name, type="button", cls="btn link", data_do="show", data_id=s.chunk,
                     style="padding: 0; text-align: left"), f"{s.page:,}", f"{s.passages:,}", f"{s.words:,}"]
                for s in some]  # fmt: skip

    heads, numbers = ["Section that no question reaches", "Page", "Passages", "Words"], (1, 2, 3)
    first = cards.table(heads, rows(coverage.sections[:LISTED]), "Sections not reached", numbers=numbers)
    more = coverage.sections[LISTED:]
    rest = cards.folded(f"{len(more):,} more", cards.table(heads, rows(more), "More sections not reached",
                                                           numbers=numbers)) if more else ""  # fmt: skip
    said = "Write or import questions about them, or leave them be if nobody asks."
    return Html(head + first + rest + tag("p", said, cls="caption"))


# Advice --------------------------------------------------------------------------------------


def setting_words(setting: Setting) -> str:
    return f"passages of {setting.chunks.size} word pieces, {settings_words(setting.search)}"


def advice(found: Advice | None, questions: int, fewest: int, busy: bool) -> Html:
    """What the advisor says, what it gains, and one button."""
    if found is None:
        if questions < fewest:
            left = f"{questions} so far" if questions else "none so far"
            return tag("p", f"It needs at least {fewest} test questions; {left}.", cls="sub")
        return Html("")
    basis = (f"{found.tried} settings tried on {found.questions:,} questions. The gain is measured on questions that "
             "had no say in the choice; the amount of text that the model reads stays the same.")  # fmt: skip
    tail = tag("p", basis, cls="caption")
    if not found.changes:
        text = f"Keep your settings: {setting_words(found.now)}."
        if found.likely != found.now:
            said = f"{setting_words(found.likely)} did a little better, which may be chance; more questions would tell."
        else:
            said = f"Nothing that was tried finds more. Right passage among those read: {share(found.before)}."
        return Html(cards.note("ok", text, said[:1].upper() + said[1:]) + tail)
    gain = f"{found.gain.mean:+.1f} points (between {found.gain.low:+.1f} and {found.gain.high:+.1f})"
    rows = [("Now", f"{setting_words(found.now)}: {share(found.before)}"),
            ("Better", f"{setting_words(found.best)}: {share(found.after)}"),
            ("Gain", gain)]  # fmt: skip
    if found.used:
        button = cards.button("Undo", do="undo", kind="small", label="Back to the settings before")
        head = cards.note("ok", "These settings are in use.", actions=[button])
    else:
        button = cards.button("Use this", do="use", disabled=busy, label="Use the advised settings")
        head = tag("div", button, cls="actions")
    return Html(cards.facts(rows) + head + tail)

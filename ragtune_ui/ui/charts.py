"""Charts: nouns in, plotly figures or SVG out (pure), and the one live chart of the window.

A figure names its colours ``var(--c1)``; the browser reads them when it draws, so that light and
dark need no server. Every series has a second mark (dash, symbol) beside its colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from ragtune_ui.domain.examples import LANES, Lane
from ragtune_ui.domain.runs import Job, reading_of, smooth
from ragtune_ui.domain.scores import Interval
from ragtune_ui.ui.cards import Html, tag

MOST_POINTS = 600
Points = Sequence[tuple[int, float]]
Figure = dict[str, Any]

LANE_WORDS: Mapping[Lane, str] = {
    "raft": "Answers from sources (RAFT)",
    "plain": "Everyday instructions",
    "dap": "Subject reading",
}


def live(elem_id: str, label: str, height: int = 320) -> Any:
    """The live chart: give it ``{"figure": ..., "summary": ...}`` as often as wished; zoom and scroll stay."""
    box = f'<div class="chart" style="height:{int(height)}px"><div class="plot" role="group"></div></div>'
    return gr.HTML({}, html_template=f'{box}<p class="chart-words"></p>', elem_id=elem_id, apply_default_css=False,
                   elem_classes="chart-card", label=label,
                   js_on_load="ragtune.chart(element, props, watch);")  # fmt: skip


def thinned(points: Points, most: int = MOST_POINTS) -> list[tuple[int, float]]:
    """At most ``most`` points: of each bucket the first, the last, the least and the greatest."""
    if len(points) <= most:
        return list(points)
    buckets = max(1, most // 4)
    kept: list[tuple[int, float]] = []
    for n in range(buckets):
        part = points[n * len(points) // buckets : (n + 1) * len(points) // buckets]
        chosen = {part[0], part[-1], min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])}
        kept += sorted(chosen)
    return kept


def layout(key: str, x: str, y: str) -> Figure:
    """What all figures share. ``key`` names what is drawn: while it stays, so do zoom and hidden lines."""
    axis = {"gridcolor": "var(--grid)", "linecolor": "var(--border)", "zeroline": False, "automargin": True,
            "tickfont": {"size": 12, "color": "var(--text-2)"}}  # fmt: skip
    return {
        "uirevision": key,
        "autosize": True,
        "margin": {"l": 56, "r": 20, "t": 36, "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "var(--text)"},
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "var(--surface)", "bordercolor": "var(--border)", "font": {"color": "var(--text)"}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "var(--text-2)", "activecolor": "var(--accent)"},
        "xaxis": {**axis, "title": {"text": x, "standoff": 8, "font": {"size": 13}}},
        "yaxis": {**axis, "title": {"text": y, "standoff": 8, "font": {"size": 13}}},
    }  # fmt: skip


def _line(name: str, points: Points, colour: str, **more: Any) -> Figure:
    return {"type": "scatter", "mode": "lines", "name": name, "x": [p[0] for p in points],
            "y": [round(p[1], 4) for p in points], "line": {"color": f"var(--{colour})", "width": 2},
            **more}  # fmt: skip


def loss(job: Job, border: int = 0) -> dict[str, Any]:
    """Error of a training over its steps, with a summary in words, for ``live``.

    Raw at 35 %, smoothed on top, unseen examples as dashed diamonds, the best of them marked.
    ``border`` is the step at which subject reading ends and tuning starts, 0 for one stage.
    """
    if not job.steps:  # an empty grid would ask for the library, and look like data
        return {"figure": None, "summary": reading_of(job)}
    data = [
        _line("Error, every step", thinned(job.steps), "c1", opacity=0.35, hoverinfo="skip", showlegend=False,
              line={"color": "var(--c1)", "width": 1}),
        _line("Error on training examples", thinned(smooth(job.steps)), "c1", hovertemplate="%{y:.3f}"),
    ]  # fmt: skip
    if job.checks:
        data.append(_line("Error on unseen examples", thinned(job.checks), "c2", mode="lines+markers",
                          hovertemplate="%{y:.3f}", line={"color": "var(--c2)", "width": 2, "dash": "dash"},
                          marker={"symbol": "diamond", "size": 9, "color": "var(--c2)"}))  # fmt: skip
    figure = layout(f"loss {job.id}", "Training step", "Error (loss), lower is better")
    figure["shapes"], figure["annotations"] = [], []
    if job.best is not None and len(job.checks) > 1:
        step, value = job.best
        data.append(_line("Best on unseen examples", [job.best], "ok", mode="markers", hoverinfo="skip",
                          marker={"symbol": "circle-open", "size": 18, "color": "var(--ok)",
                                  "line": {"width": 2}}))  # fmt: skip
        figure["annotations"].append(_label(step, value, f"best: {value:.3f}", ay=26))
    if border:
        figure["shapes"].append({"type": "line", "x0": border, "x1": border, "y0": 0, "y1": 1, "yref": "paper",
                                 "line": {"color": "var(--border-strong)", "width": 1, "dash": "dot"}})  # fmt: skip
        figure["annotations"].append(_label(border, 1, "tuning starts", yref="paper", ay=0, xanchor="left"))
    return {"figure": {"data": data, "layout": figure}, "summary": loss_words(job)}


def _label(x: float, y: float, text: str, **more: Any) -> Figure:
    return {"x": x, "y": y, "text": text, "showarrow": False, "yshift": -more.pop("ay", 0),
            "font": {"size": 12, "color": "var(--text-2)"}, **more}  # fmt: skip


def loss_words(job: Job) -> str:
    """The loss chart for those who do not see it."""
    if not job.steps:
        return reading_of(job)
    said = [
        f"Error after step {job.steps[-1][0]:,}: {smooth(job.steps)[-1][1]:.3f}, at the start {job.steps[0][1]:.3f}."
    ]
    if job.best is not None:
        said.append(f"On unseen examples the best is {job.best[1]:.3f} at step {job.best[0]:,}.")
    return " ".join([*said, reading_of(job)])


def curves(jobs: Sequence[tuple[str, Job]]) -> dict[str, Any]:
    """Smoothed errors of up to five trainings in one chart: (name, job) each."""
    marks = ("solid", "dash", "dot", "dashdot", "longdash")
    data = [_line(name, thinned(smooth(job.steps), MOST_POINTS // 2), f"c{n + 1}", hovertemplate="%{y:.3f}",
                  line={"color": f"var(--c{n + 1})", "width": 2, "dash": marks[n]})
            for n, (name, job) in enumerate(jobs[:5])]  # fmt: skip
    words = [
        f"{name}: {smooth(job.steps)[-1][1]:.3f} after {job.steps[-1][0]:,} steps."
        for name, job in jobs[:5]
        if job.steps
    ]
    if not words:
        return {"figure": None, "summary": "Choose trainings that have begun."}
    figure = layout(" ".join(job.id for _, job in jobs), "Training step", "Error (loss), lower is better")
    return {"figure": {"data": data, "layout": figure}, "summary": " ".join(words)}


# Still charts: SVG, coloured by classes in the style sheet -------------------------------------


def dot_range(rows: Sequence[tuple[str, Interval, Interval]], top: float = 100.0) -> Html:
    """Original (open square) and tuned (filled dot) with their 95 % ranges.

    ``rows`` are (question, original, tuned), in percent from 0 to ``top``.
    """
    gap, foot = 46, 30
    height = gap * len(rows) + foot

    def at(value: float) -> str:
        return f"{100 * min(1.0, max(0.0, value / top)):.1f}%"

    parts = []
    for n in range(5):
        x = at(top * n / 4)
        parts.append(tag("line", x1=x, x2=x, y1=2, y2=height - foot + 4, cls="grid"))
        parts.append(tag("text", f"{top * n / 4:.0f} %", x=x, y=height - 8, text_anchor="middle", cls="tick"))
    for n, (_, base, tuned) in enumerate(rows):
        for interval, y, cls in ((base, gap * n + 15, "base"), (tuned, gap * n + 31, "tuned")):
            if not interval.n:  # a dot at 0 % would say that something was measured
                parts.append(tag("text", "– not measured", x=0, y=y + 4, cls="tick"))
                continue
            x = at(interval.mean)
            parts.append(tag("line", x1=at(interval.low), x2=at(interval.high), y1=y, y2=y, cls=cls))
            parts.append(tag("rect", x=x, y=y - 5, width=10, height=10, transform="translate(-5 0)", cls=cls)
                         if cls == "base" else tag("circle", cx=x, cy=y, r=6, cls=cls))  # fmt: skip
    words = "; ".join(f"{label}: original {_range(base)}, tuned {_range(tuned)}" for label, base, tuned in rows)
    legend = tag("p", tag("span", "□ Original"), tag("span", "● Tuned"), cls="legend", aria_hidden="true")
    names = tag("ul", *(tag("li", label) for label, _, _ in rows), aria_hidden="true")
    drawing = tag("svg", tag("title", "Original and tuned with their ranges"), tag("desc", words), *parts, role="img",
                  height=height, xmlns="http://www.w3.org/2000/svg")  # fmt: skip
    return Html(legend + tag("div", names, drawing, cls="dot-range"))


def _range(interval: Interval) -> str:
    if not interval.n:
        return "not measured"
    return f"{interval.mean:.0f} % (between {interval.low:.0f} and {interval.high:.0f})"


def donut(shares: Mapping[Lane, int], counts: Mapping[Lane, int] | None = None, total: int | None = None) -> Html:
    """Three shares (percent) as a ring, with their names; the total number of examples inside."""
    arcs, at = [], 0
    for lane in LANES:
        share = shares[lane]
        arcs.append(tag("circle", cx=60, cy=60, r=46, pathLength=100, cls=f"arc {lane}", data_lane=lane,
                        stroke_dasharray=f"{share} {100 - share}", stroke_dashoffset=-at))  # fmt: skip
        at += share
    figure = f"{total:,}" if total is not None else ""
    middle = [
        tag("text", figure, x=60, y=60, cls="total"),
        tag("text", "examples" if figure else "", x=60, y=76, cls="unit"),
    ]
    words = ", ".join(f"{LANE_WORDS[lane]} {shares[lane]} %" for lane in LANES)
    ring = tag("svg", tag("title", words), tag("g", *arcs, transform="rotate(-90 60 60)"), *middle, role="img",
               viewBox="0 0 120 120", cls="donut")  # fmt: skip
    rows = []
    for lane in LANES:
        count = tag("span", f"{counts.get(lane, 0):,} examples", cls="sub", data_count=lane) if counts else ""
        named = tag("span", LANE_WORDS[lane], count)
        share_words = tag("b", f"{shares[lane]} %", data_share=lane)
        rows.append(tag("li", tag("span", cls=f"swatch {lane}"), named, share_words))
    return tag("div", ring, tag("ul", *rows, cls="swatches"), cls="donut-card")


def spark(values: Sequence[float], label: str) -> Html:
    """A line without axes, for a row of a table."""
    if len(values) < 2:
        return Html("")
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    points = " ".join(
        f"{100 * n / (len(values) - 1):.1f},{22 - 20 * (v - low) / span:.1f}" for n, v in enumerate(values)
    )
    return tag("svg", tag("title", label), tag("polyline", points=points), viewBox="0 0 100 24", cls="spark",
               role="img", preserveAspectRatio="none")  # fmt: skip

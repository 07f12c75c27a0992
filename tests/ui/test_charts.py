"""Charts: figures are plain data without colours of their own, thinned, and told in words."""

from __future__ import annotations

import json
import math
import re

import pytest

from ragtune_ui.domain.runs import Job
from ragtune_ui.domain.scores import Interval
from ragtune_ui.ui import charts


def job(steps: int, checks: int = 0, **more: object) -> Job:
    losses = tuple((n, 1 + math.exp(-n / 50) + 0.1 * math.sin(n)) for n in range(1, steps + 1))
    seen = tuple((20 * n, 2.0 - 0.1 * n if n < 5 else 1.5 + 0.2 * n) for n in range(1, checks + 1))
    return Job("run-1", "train", "Training", "running", steps=losses, checks=seen, done=steps, total=steps, **more)  # type: ignore[arg-type]


def test_thinning_keeps_the_ends_and_the_extremes() -> None:
    points = [(n, float(n % 97)) for n in range(10_000)]
    points[4321] = (4321, 999.0)
    points[7777] = (7777, -999.0)
    kept = charts.thinned(points)
    assert len(kept) <= charts.MOST_POINTS
    assert {points[0], points[-1], (4321, 999.0), (7777, -999.0)} <= set(kept)
    assert kept == sorted(kept)
    assert charts.thinned(points[:600]) == points[:600]


def test_the_loss_chart_has_raw_smooth_unseen_and_best() -> None:
    drawn = charts.loss(job(100, 5), border=40)
    data, layout = drawn["figure"]["data"], drawn["figure"]["layout"]
    raw, calm, unseen, best = data
    assert raw["opacity"] == 0.35
    assert calm["name"] == "Error on training examples"
    assert unseen["line"]["dash"] == "dash"
    assert unseen["marker"]["symbol"] == "diamond"
    assert best["x"] == [80]
    assert layout["uirevision"] == "loss run-1"
    assert layout["shapes"][0]["x0"] == 40
    assert any("tuning starts" in a["text"] for a in layout["annotations"])


def test_the_view_stays_the_same_while_the_training_grows() -> None:
    first, second = charts.loss(job(10))["figure"]["layout"], charts.loss(job(90))["figure"]["layout"]
    assert first["uirevision"] == second["uirevision"]
    assert "range" not in json.dumps(first)  # a null range broke later updates


def test_a_figure_is_json_and_its_colours_are_the_themes() -> None:
    written = json.dumps(charts.loss(job(50, 3)), allow_nan=False)
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b", written)
    used = set(re.findall(r"var\((--[\w-]+)\)", written))
    assert {"--c1", "--c2", "--ok", "--grid", "--text"} <= used
    assert len(written) < 20_000


def test_five_hundred_points_stay_small() -> None:
    assert len(json.dumps(charts.loss(job(5000, 50)))) < 60_000


def test_without_steps_there_is_a_sentence_and_no_empty_grid() -> None:
    drawn = charts.loss(job(0))
    assert drawn["figure"] is None
    assert drawn["summary"] == "The first points arrive within a minute."


def test_the_summary_says_what_the_chart_shows() -> None:
    said = charts.loss(job(100, 5))["summary"]
    assert "after step 100" in said
    assert "best is 1.600 at step 80" in said
    assert "Getting worse on unseen examples" in said


def test_curves_of_several_trainings_differ_by_colour_and_dash() -> None:
    drawn = charts.curves([("a", job(30)), ("b", job(60)), ("c", job(0))])
    lines = [d["line"] for d in drawn["figure"]["data"]]
    assert len({line["color"] for line in lines}) == len({line["dash"] for line in lines}) == 3
    assert "b: " in drawn["summary"]
    assert "c: " not in drawn["summary"]
    assert charts.curves([("c", job(0))])["figure"] is None


def interval(mean: float, low: float, high: float) -> Interval:
    return Interval(mean, low, high, 60)


def test_the_verdict_plot_places_dots_and_ranges() -> None:
    drawn = charts.dot_range([("Question <b>answered</b>", interval(41, 36, 46), interval(63, 58, 68))])
    assert '<line x1="36.0%" x2="46.0%"' in drawn
    assert re.search(r'<rect x="41.0%"[^>]* class="base"', drawn)
    assert re.search(r'<circle cx="63.0%"[^>]* class="tuned"', drawn)
    assert "original 41 % (between 36 and 46), tuned 63 % (between 58 and 68)" in drawn
    assert "<b>" not in drawn
    assert 'role="img"' in drawn


def test_the_verdict_plot_has_no_dot_where_nothing_was_measured() -> None:
    drawn = charts.dot_range([("Admits", Interval(0, 0, 0, 0), interval(63, 58, 68))])
    assert drawn.count("<rect") == 0 and drawn.count("<circle") == 1 and drawn.count("– not measured") == 1
    assert "original not measured, tuned 63 %" in drawn


def test_the_verdict_plot_keeps_outliers_inside() -> None:
    drawn = charts.dot_range([("x", interval(-5, -20, 3), interval(101, 99, 140))])
    assert {float(v) for v in re.findall(r'(?:x1|x2|cx|x)="([\d.-]+)%"', drawn)} <= {0, 3, 25, 50, 75, 99, 100}


def test_the_donut_closes_the_circle() -> None:
    drawn = charts.donut({"raft": 70, "plain": 30, "dap": 0}, {"raft": 700, "plain": 300}, 1000)
    arcs = re.findall(r'class="arc (\w+)"[^>]*stroke-dasharray="(\d+) (\d+)" stroke-dashoffset="(-?\d+)"', drawn)
    assert arcs == [("raft", "70", "30", "0"), ("plain", "30", "70", "-70"), ("dap", "0", "100", "-100")]
    assert sum(int(share) for _, share, _, _ in arcs) == 100
    assert "1,000" in drawn
    assert 'data-count="raft">700 examples' in drawn
    assert "examples" not in charts.donut({"raft": 100, "plain": 0, "dap": 0})


@pytest.mark.parametrize("values", [[], [1.0]])
def test_a_line_needs_two_points(values: list[float]) -> None:
    assert charts.spark(values, "error") == ""


def test_a_flat_line_does_not_divide_by_zero() -> None:
    assert 'points="0.0,22.0 100.0,22.0"' in charts.spark([2.0, 2.0], "error")


def test_the_live_chart_has_a_fixed_template_without_values() -> None:
    import gradio as gr

    with gr.Blocks(analytics_enabled=False):
        chart = charts.live("train-chart", "Error", 320)
    assert "${" not in chart.html_template
    assert "{{" not in chart.html_template
    assert chart.apply_default_css is False

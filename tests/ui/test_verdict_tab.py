"""Verdict: shows and does alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ragtune_ui.domain.runs import Job
from ragtune_ui.domain.scores import METRICS, Interval
from ragtune_ui.domain.verdicts import CELLS, Check, Miss, Verdict
from ragtune_ui.ui import verdict_tab

FIGURES = {name: Interval(63.0, 58.0, 68.0, 120) for name in METRICS}
VERDICT = Verdict(
    "v1",
    "run-002-x",
    "use",
    "Training helped.",
    "+22 points.",
    120,
    dict.fromkeys(CELLS, FIGURES),
    {name: Interval(22.0, 12.0, 31.0, 120) for name in METRICS},
    {"hit@1": 0.6, "hit@k": 0.9, "k": 4.0},
    (Check("good", "Better", "+22"), Check("bad", "Leak", "3 of 120")),
    (Miss("<q>", "15 m/s", "<img src=x>", "the passage was not found", "mend the search"),),
    "2026-01-02T03:04:05",
    130.0,
)


def test_the_built_in_reader_is_called_what_it_is() -> None:
    shown = verdict_tab.whole(VERDICT, "built-in")
    assert "small, for trying things out" in shown and 'data-go="train"' in shown
    assert "trying things out" not in verdict_tab.whole(VERDICT, "owner/name")


@pytest.mark.parametrize(
    ("decision", "kind"),
    [("use", "ok"), ("careful", "warn"), ("no difference", "warn"), ("do not use", "error"), ("not enough", "info")],
)
def test_the_banner_comes_first_and_its_colour_has_a_mark(decision: str, kind: str) -> None:
    shown = verdict_tab.whole(replace(VERDICT, decision=decision))  # type: ignore[arg-type]
    assert f"verdict-banner {kind}" in shown and verdict_tab.ICONS[decision] in verdict_tab.banner(
        replace(VERDICT, decision=decision)
    )  # type: ignore[arg-type]
    assert shown.index("verdict-banner") < shown.index("Training 2")


def test_too_few_questions_show_no_figures_before_the_fold() -> None:
    few = replace(VERDICT, decision="not enough")
    assert verdict_tab.plot(few) == "" and verdict_tab.checks(few) == ""


def test_every_metric_of_every_cell_has_a_range() -> None:
    shown = verdict_tab.all_figures(VERDICT)
    assert shown.count("63 % (58 to 68)") == len(METRICS) * len(CELLS) and shown.count("+22 (+12 to +31)") == len(
        METRICS
    )
    assert set(verdict_tab.METRIC_WORDS) == set(METRICS) and set(verdict_tab.CELL_WORDS) == set(CELLS)
    assert "90 %" in shown and "Among the 4 that were given" in shown
    nothing = Interval(0, 0, 0, 0)
    assert verdict_tab.interval(nothing) == "–"
    blank = replace(VERDICT, cells=dict.fromkeys(CELLS, FIGURES | {"refusal_f1": nothing}),
                    difference={"refusal_f1": nothing})  # fmt: skip
    assert "0 % (0 to 0)" not in verdict_tab.all_figures(blank) and "0 (0 to 0)" not in verdict_tab.all_figures(blank)


def test_the_caption_names_what_was_resampled_and_what_the_ranges_hold_for() -> None:
    many = verdict_tab.all_figures(replace(VERDICT, unit="document", documents=7))
    assert "resamples of 7 whole documents" in many and "They hold for other documents of this kind." in many
    few = verdict_tab.all_figures(replace(VERDICT, unit="question", documents=3))
    assert "resamples of the questions" in few and "about these 3 documents, not for other documents." in few
    older = verdict_tab.all_figures(VERDICT)
    assert "by document, or by question where there were fewer than 5 documents." in older


def test_misses_are_escaped_and_carry_cause_and_remedy() -> None:
    shown = verdict_tab.misses(VERDICT)
    assert (
        "<img" not in shown
        and "&lt;q&gt;" in shown
        and "the passage was not found" in shown
        and "mend the search" in shown
    )
    assert "answered well enough" in verdict_tab.misses(replace(VERDICT, misses=()))


def test_the_basis_names_run_questions_and_duration() -> None:
    assert verdict_tab.basis(VERDICT) == "Training 2, 120 held-back questions, measured 2026-01-02 03:04 UTC in 2 min."


def test_questions_that_nobody_wrote_are_named() -> None:
    some = [SimpleNamespace(who="written")] * 30 + [SimpleNamespace(who="import")] * 10
    assert "RAGTune, and no person, wrote 30 of these 40 questions" in verdict_tab.held_back(some)
    assert "Not enough to say: 18 of at least 20" in verdict_tab.held_back([SimpleNamespace(who="import")] * 18)
    assert "automatically" not in verdict_tab.held_back([SimpleNamespace(who="import")] * 25)


def test_progress_counts_and_a_failure_keeps_its_remedy() -> None:
    running = Job(
        id="j", state="running", title="Measuring", note="The tuned model answers", done=30, total=120, left=60.0
    )
    shown = verdict_tab.progress(running)
    assert "The tuned model answers: 30 of 120." in shown and "About 1 min left." in shown and 'data-do="stop"' in shown
    failed = replace(running, state="failed", problem="Out of memory.", remedy="Close programs.")
    assert (
        "Close programs." in verdict_tab.progress(failed)
        and verdict_tab.progress(replace(running, state="finished")) == ""
    )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((False, 9, None), "trained model"),
        ((True, 0, None), "held-back questions"),
        ((True, 9, "Training"), "“Training” is running"),
    ],
)
def test_a_blocked_button_says_why(args: tuple[bool, int, str | None], words: str) -> None:
    assert words in verdict_tab.why_not(*args)
    assert verdict_tab.why_not(True, 9, None) == ""


def test_a_verdict_on_weights_that_are_gone_says_so() -> None:
    """The run was trained on since: its page says so first, in its pill too, and is drawn anew when that happens."""
    digest = ["old"]
    project = SimpleNamespace(
        verdicts=lambda: [VERDICT], jobs=lambda: [], sheet=lambda run: SimpleNamespace(model="a/b"), touched=1.0,
        adapter_digest=lambda run: digest[0],
    )  # fmt: skip
    studio = SimpleNamespace(
        training=SimpleNamespace(usable=lambda project: [SimpleNamespace(id="run-002-x")]),
        verdicts=SimpleNamespace(questions=lambda project: [], behind=lambda project, verdict: digest[0] == "new"),
        jobs=SimpleNamespace(holder=lambda: None),
    )
    pill, body, *_ = verdict_tab.look(studio, project, "run-002-x")
    assert "Trained on since" not in pill + body
    before = verdict_tab.stand(studio, project, "run-002-x")
    digest[0] = "new"
    pill, body, *_ = verdict_tab.look(studio, project, "run-002-x")
    assert "Trained on since: measure again." in body and "Trained on since" in pill
    assert body.index("Trained on since") < body.index("Training helped.")
    assert verdict_tab.stand(studio, project, "run-002-x") != before


def test_handlers_ask_the_desk_once() -> None:
    asked: list[tuple[str, str]] = []
    studio = SimpleNamespace(
        verdicts=SimpleNamespace(measure=lambda project, run: asked.append(("measure", run))),
        jobs=SimpleNamespace(stop=lambda project, id: asked.append(("stop", id))),
    )
    verdict_tab.measure(studio, None, "run-002-x")
    verdict_tab.stop(studio, None, {"do": "stop", "id": "j"})
    verdict_tab.stop(studio, None, {"do": "other", "id": "k"})
    assert asked == [("measure", "run-002-x"), ("stop", "j")]

"""Runs: lines of a log, the fold, the time left, and the sentences under the chart."""

import pytest

from ragtune_ui.domain.runs import Event, Job, fold, from_line, loss_drop, reading_of, smooth, time_words, to_line


def log(*happened):
    """Events one second apart, numbered from 1."""
    return [Event(n, 100.0 + n, kind, data) for n, (kind, data) in enumerate(happened, 1)]


def step(n, loss, seconds=2.0, tokens=100):
    return ("step", {"step": n, "loss": loss, "rate": 0.1, "tokens": tokens, "seconds": seconds})


ASKED = ("asked", {"what": "train", "title": "First run"})
STARTED = ("started", {"pid": 7, "total": 20})


def test_a_line_comes_back_as_its_event():
    event = Event(3, 12.3456, "progress", {"done": 1, "note": "Größe\nzwei"})
    line = to_line(event)
    assert line.endswith("\n") and line.count("\n") == 1
    assert from_line(line) == Event(3, 12.346, "progress", event.data)


@pytest.mark.parametrize("spoil", [lambda s: s[:-1], lambda s: s[:10], lambda s: s.replace("7", "8"), lambda s: "\n"])
def test_a_torn_or_altered_line_is_none(spoil):
    assert from_line(spoil(to_line(Event(7, 1.0, "step", {"step": 7})))) is None


def test_fold_of_nothing_waits():
    job = fold("j", [])
    assert (job.id, job.state, job.share, job.best, job.left, job.ended) == ("j", "waiting", 0.0, None, None, False)


def test_fold_tells_a_run_from_its_events():
    job = fold("j", log(
        ASKED, STARTED, ("stage", {"name": "tuning", "steps": 20}), step(1, 3.0), ("check", {"step": 1, "loss": 2.5}),
        step(2, 2.0, seconds=6.0), ("checkpoint", {"step": 2}), ("check", {"step": 2, "loss": 2.4}),
        ("result", {"a": 1}), ("result", {"b": 2}),
    ))  # fmt: skip
    assert (job.what, job.title, job.state, job.stage, job.pid) == ("train", "First run", "running", "tuning", 7)
    assert (job.done, job.total, job.share, job.saved, job.tokens) == (2, 20, 0.1, 2, 200)
    assert job.steps == ((1, 3.0), (2, 2.0)) and job.checks == ((1, 2.5), (2, 2.4)) and job.best == (2, 2.4)
    assert job.speed == 25.0  # 200 tokens in 8 seconds
    assert job.result == {"a": 1, "b": 2}
    assert (job.started, job.updated, job.seq) == (101.0, 110.0, 10)


def test_a_resume_drops_what_is_done_again():
    job = fold("j", log(
        ASKED, STARTED, step(1, 3.0), step(2, 2.0), ("check", {"step": 2, "loss": 2.2}), ("checkpoint", {"step": 2}),
        step(3, 9.0), step(4, 9.0), ("check", {"step": 4, "loss": 9.0}), ("interrupted", {"note": "It slept."}),
        ("started", {"pid": 8, "total": 20, "resumed": 2}), step(3, 1.5),
    ))  # fmt: skip
    assert job.steps == ((1, 3.0), (2, 2.0), (3, 1.5)) and job.checks == ((2, 2.2),)
    assert (job.state, job.done, job.saved, job.pid) == ("running", 3, 2, 8)
    assert job.started == 101.0


def test_a_resume_forgets_the_problem():
    failed = log(ASKED, STARTED, ("failed", {"sentence": "Memory ran out.", "remedy": "Halve.", "details": "trace"}))
    job = fold("j", failed)
    assert (job.state, job.problem, job.remedy, job.details) == ("failed", "Memory ran out.", "Halve.", "trace")
    job = fold("j", [*failed, Event(9, 200.0, "started", {"pid": 8, "resumed": 0})])
    assert (job.state, job.problem, job.remedy, job.total) == ("running", "", "", 20)


@pytest.mark.parametrize("end", ["finished", "stopped", "failed", "interrupted"])
def test_every_end_ends(end):
    job = fold("j", log(ASKED, STARTED, *(step(n, 1.0) for n in range(1, 8)), (end, {"sentence": "x", "note": "y"})))
    assert job.state == end and job.ended and job.left is None


def test_time_left_is_the_median_step_from_five_steps_on():
    four = [step(n, 1.0, s) for n, s in enumerate((2.0, 2.0, 50.0, 3.0), 1)]
    assert fold("j", log(ASKED, STARTED, *four)).left is None
    assert fold("j", log(ASKED, STARTED, *four, step(5, 1.0, 4.0))).left == 45.0  # 15 steps left, median 3


def test_time_left_of_progress_is_its_mean_pace():
    def progress(n):
        return ("progress", {"done": n, "total": 50, "note": f"file {n}"})

    assert fold("j", log(ASKED, STARTED, progress(0))).left is None
    assert fold("j", log(ASKED, STARTED, progress(5), progress(5))).left is None  # it stands still
    job = fold("j", log(ASKED, STARTED, progress(0), progress(4), progress(10)))
    assert (job.left, job.note, job.share) == (8.0, "file 10", 0.2)  # 10 in 2 s, 40 left


def test_smooth_keeps_a_constant_and_the_first_point():
    assert [round(v, 9) for _, v in smooth([(1, 4.0), (2, 4.0), (5, 4.0)])] == [4.0, 4.0, 4.0]
    # Weight 0.5 on 4, 2: (0.25 x 4 + 0.5 x 2) / 0.75 = 2 / 0.75.
    assert smooth([(1, 4.0), (2, 2.0)], 0.5) == [(1, pytest.approx(4)), (2, pytest.approx(8 / 3))]
    assert smooth([]) == []


def test_loss_drop_compares_the_first_and_last_tenth():
    assert loss_drop(Job()) == (0.0, 0.0)
    assert loss_drop(Job(steps=tuple((n, float(n)) for n in range(20)))) == (0.5, 18.5)


def losses(*values):
    return tuple((10 * n, v) for n, v in enumerate(values, 1))


@pytest.mark.parametrize(
    ("job", "says"),
    [
        (Job(), "The first points arrive within a minute."),
        (Job(steps=losses(*[2.0] * 9)), "The first points arrive within a minute."),
        (Job(steps=losses(*[2.0] * 10)), "No clear improvement yet."),
        (Job(steps=losses(*[2.0] * 9, 1.9)), "Still improving."),
        (Job(checks=losses(2, 1, 1.02, 1.2)), "Getting worse on unseen examples: the best point was step 20."),
        (Job(checks=losses(2, 1, 1.004, 1.001, 1.002)), "Flat for 30 steps: you may stop."),
        (Job(checks=losses(4, 3, 2, 1), steps=losses(*range(12, 0, -1))), "Still improving."),
    ],
)
def test_the_sentence_under_the_chart(job, says):
    assert reading_of(job) == says


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "almost done"), (4.9, "almost done"), (5, "about 5 s"), (12, "about 10 s"), (57, "about 55 s"),
        (58, "about 1 min"), (89, "about 1 min"), (3_540, "about 59 min"), (3_599, "about 1 h"),
        (3_720, "about 1 h"), (4_000, "about 1 h 5 min"), (7_150, "about 2 h"), (9_000, "about 2 h 30 min"),
    ],
)  # fmt: skip
def test_time_words(seconds, words):
    assert time_words(seconds) == words


def test_each_part_of_the_work_has_a_pace_of_its_own():
    read = [("progress", {"done": n, "total": 4}) for n in range(4)]
    cut = [("progress", {"done": n, "total": 4}) for n in (0, 1, 2)]
    embedded = [("progress", {"done": 0, "total": 100}), ("progress", {"done": 10, "total": 100})]
    assert fold("j", log(ASKED, STARTED, *read, *cut)).left == pytest.approx(2)  # 2 left at one a second
    assert fold("j", log(ASKED, STARTED, *read, *cut, *embedded)).left == pytest.approx(9)  # 90 left at ten a second

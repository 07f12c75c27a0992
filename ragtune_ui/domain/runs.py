"""Long work as a log: what happened is appended, what is shown is folded from it."""

from __future__ import annotations

import json
import statistics
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Kind = Literal[
    "asked", "started", "stage", "progress", "step", "check", "checkpoint", "result",
    "finished", "stopped", "failed", "interrupted",
]  # fmt: skip
State = Literal["waiting", "running", "finished", "stopped", "failed", "interrupted"]
ENDS: frozenset[str] = frozenset({"finished", "stopped", "failed", "interrupted"})


@dataclass(frozen=True)
class Event:
    """One line of a log. ``at`` is wall time in seconds since 1970 and only shown; order is ``seq``.

    Payloads: asked {what, title}; started {pid}; stage {name, steps}; progress {done, total, note};
    step {step, loss, rate, tokens, seconds}; check {step, loss}; checkpoint {step}; result {...};
    finished / stopped {note}; failed {sentence, remedy, details}; interrupted {note}.
    """

    seq: int
    at: float
    kind: Kind
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """What is shown of one piece of long work: the fold of its events.

    ``steps`` are (step, loss) on training examples, ``checks`` the same on unseen ones; ``seconds``
    are durations of the latest steps or progress units; ``left`` is the estimate in seconds or None.
    """

    id: str = ""
    what: str = ""  # "train", "index", "questions", "mix", "verdict", "ship", "model", "sample"
    title: str = ""
    state: State = "waiting"
    stage: str = ""
    done: int = 0
    total: int = 0
    note: str = ""
    started: float = 0.0
    updated: float = 0.0
    pid: int = 0
    steps: tuple[tuple[int, float], ...] = ()
    checks: tuple[tuple[int, float], ...] = ()
    saved: int = 0  # step of the latest saved point
    tokens: int = 0
    speed: float = 0.0  # tokens a second, over the latest steps
    left: float | None = None
    problem: str = ""
    remedy: str = ""
    details: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    seq: int = 0

    @property
    def ended(self) -> bool:
        return self.state in ENDS

    @property
    def share(self) -> float:
        """How far it is, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def best(self) -> tuple[int, float] | None:
        """Step and loss of the best check on unseen examples."""
        return min(self.checks, key=lambda c: (c[1], c[0])) if self.checks else None


def to_line(event: Event) -> str:
    """One line of a log, ending in a newline, with a checksum over the rest of it."""
    body = json.dumps([event.seq, round(event.at, 3), event.kind, event.data], ensure_ascii=False)
    return f"{zlib.crc32(body.encode()):08x} {body}\n"


def from_line(line: str) -> Event | None:
    """The event of a line; None where the line is torn or altered."""
    crc, _, body = line.rstrip("\n").partition(" ")
    if not line.endswith("\n") or crc != f"{zlib.crc32(body.encode()):08x}":
        return None
    seq, at, kind, data = json.loads(body)
    return Event(seq, at, kind, data)


def fold(id: str, events: Iterable[Event]) -> Job:
    """The job that the events tell of. Steps seen twice (after a resume) count once, the later wins."""
    job = Job(id=id)
    steps: dict[int, float] = {}
    checks: dict[int, float] = {}
    pace: list[tuple[float, int]] = []  # seconds and tokens of the latest steps
    marks: list[tuple[float, int]] = []  # (at, done) of progress events
    for event in events:
        d = event.data
        job = replace(job, updated=event.at, seq=event.seq)
        if event.kind == "asked":
            job = replace(job, what=d["what"], title=d["title"], started=event.at)
        elif event.kind == "started":
            job = replace(job, state="running", pid=int(d.get("pid", 0)), problem="", remedy="", details="")
            job = replace(job, started=job.started or event.at, total=int(d.get("total", job.total)))
            pace, marks = [], []
            if "resumed" in d:  # what came after the saved point is done again
                steps = {s: loss for s, loss in steps.items() if s <= d["resumed"]}
                checks = {s: loss for s, loss in checks.items() if s <= d["resumed"]}
                job = replace(job, done=int(d["resumed"]), saved=int(d["resumed"]))
        elif event.kind == "stage":
            job = replace(job, stage=d["name"])
        elif event.kind == "progress":
            if int(d["total"]) != job.total or (marks and int(d["done"]) < marks[-1][1]):
                marks = []  # another part of the work, with a pace of its own
            marks = [*marks, (event.at, int(d["done"]))][-40:]
            job = replace(job, done=int(d["done"]), total=int(d["total"]), note=d.get("note", ""))
        elif event.kind == "step":
            steps[int(d["step"])] = float(d["loss"])
            pace = [*pace, (float(d["seconds"]), int(d["tokens"]))][-20:]
            job = replace(job, done=int(d["step"]), tokens=job.tokens + int(d["tokens"]))
        elif event.kind == "check":
            checks[int(d["step"])] = float(d["loss"])
        elif event.kind == "checkpoint":
            job = replace(job, saved=int(d["step"]))
        elif event.kind == "result":
            job = replace(job, result={**job.result, **d})
        elif event.kind == "failed":
            job = replace(job, state="failed", problem=d["sentence"], remedy=d.get("remedy", ""),
                          details=d.get("details", ""))  # fmt: skip
        else:
            job = replace(job, state=event.kind, note=d.get("note", job.note))
    seconds = sum(s for s, _ in pace)
    return replace(
        job,
        steps=tuple(sorted(steps.items())),
        checks=tuple(sorted(checks.items())),
        speed=sum(t for _, t in pace) / seconds if seconds else 0.0,
        left=None if job.ended else _left(job, [s for s, _ in pace], marks),
    )


def _left(job: Job, pace: list[float], marks: list[tuple[float, int]]) -> float | None:
    """Seconds left: the median step after five steps, else the mean pace of progress after a second."""
    if not job.total:
        return None
    if len(pace) >= 5:
        return max(0.0, (job.total - job.done) * statistics.median(pace))
    if len(marks) >= 2 and marks[-1][1] > marks[0][1] and marks[-1][0] - marks[0][0] >= 1:
        rate = (marks[-1][1] - marks[0][1]) / (marks[-1][0] - marks[0][0])
        return max(0.0, (job.total - job.done) / rate)
    return None


def smooth(points: Iterable[tuple[int, float]], weight: float = 0.8) -> list[tuple[int, float]]:
    """Exponential moving average with bias correction, so that the first points are not pulled to 0."""
    out, average, correction = [], 0.0, 0.0
    for step, value in points:
        average = weight * average + (1 - weight) * value
        correction = weight * correction + (1 - weight)
        out.append((step, average / correction))
    return out


def loss_drop(job: Job) -> tuple[float, float]:
    """Mean training loss over the first and over the last tenth of the steps."""
    losses = [loss for _, loss in job.steps]
    tenth = max(1, len(losses) // 10)
    if not losses:
        return (0.0, 0.0)
    return statistics.fmean(losses[:tenth]), statistics.fmean(losses[-tenth:])


def reading_of(job: Job) -> str:
    """The plain sentence under the loss chart."""
    if len(job.checks) >= 4:
        best_step, best = min(job.checks, key=lambda c: c[1])
        latest_step, latest = job.checks[-1]
        if latest > 1.05 * best and latest_step > best_step:
            return f"Getting worse on unseen examples: the best point was step {best_step:,}."
        recent = [loss for _, loss in job.checks[-4:]]
        if max(recent) - min(recent) < 0.01 * max(recent):
            return f"Flat for {job.checks[-1][0] - job.checks[-4][0]:,} steps: you may stop."
    if len(job.steps) >= 10:
        first, last = loss_drop(job)
        return "Still improving." if last < 0.98 * first else "No clear improvement yet."
    return "The first points arrive within a minute."


def time_words(seconds: float) -> str:
    """A duration as people say it: 5 s steps below a minute, 1 min below an hour, 5 min above."""
    if seconds < 5:
        return "almost done"
    if seconds < 57.5:
        return f"about {round(seconds / 5) * 5} s"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"about {minutes} min"
    minutes = round(minutes / 5) * 5
    hours, rest = divmod(minutes, 60)
    return f"about {hours} h {rest} min" if rest else f"about {hours} h"

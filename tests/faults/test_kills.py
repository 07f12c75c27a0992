"""Real processes, really killed: what was acknowledged is kept, what was not is whole or absent.

A writer prints a line once a call has returned: that line is the acknowledgement. It is killed at
an instant drawn from a seed; a failure prints the seed that replays it.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ragtune_ui.domain.errors import ProjectError
from ragtune_ui.domain.questions import Question
from ragtune_ui.store import files
from ragtune_ui.store.events import EventLog, job_of

ROOT = Path(__file__).resolve().parents[2]
KILLS = 10

SHELVES = """
import sys
from pathlib import Path
from ragtune_ui.domain.questions import Question
from ragtune_ui.store import files
home, first = Path(sys.argv[1]), int(sys.argv[2])
def fill(n):
    def write(folder):
        (folder / "text.md").write_text(f"{n} " * 20_000)
        (folder / "deep").mkdir()
        (folder / "deep" / "number.txt").write_text(str(n))
    return write
print("ready", flush=True)
for n in range(first, first + 100_000):
    files.publish(home / "documents" / f"doc-{n % 7}", fill(n))
    print("folder", n, flush=True)
    files.write_record(home / "card.json", {"n": n, "pad": "x" * 5000})
    print("record", n, flush=True)
    files.write_records(home / "questions.jsonl", [Question(f"q{m}", f"Why {m}?", "because") for m in range(n, n + 50)])
    print("records", n, flush=True)
"""

EVENTS = """
import sys
from pathlib import Path
from ragtune_ui.store.events import EventLog
log, first = EventLog(Path(sys.argv[1]) / "events.jsonl"), int(sys.argv[2])
print("ready", flush=True)
for n in range(first, first + 100_000):
    kind = "checkpoint" if n % 3 == 0 else "step"
    data = {"step": n} if n % 3 == 0 else {"step": n, "loss": 1.0, "rate": 0.1, "tokens": 10, "seconds": 0.1}
    log.append(kind, **data, note="x" * (n * 37 % 900))
    print("event", n, flush=True)
"""


def killed(code: str, folder: Path, first: int, after: float) -> list[tuple[str, int]]:
    """What a writer acknowledged, as (kind, number), before it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(first)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    said, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    whole = [line.split() for line in said.splitlines(keepends=True) if line.endswith("\n")]
    return [(kind, int(number)) for kind, number in whole]


def test_ten_kills_of_a_writer_of_folders_and_records(tmp_path: Path) -> None:
    seed = 20_260
    rng = random.Random(seed)
    first, acknowledged = 0, 0
    folders: dict[int, int] = {}  # number of the name -> what was acknowledged under it last
    known = {"record": -1, "records": -1}
    for _ in range(KILLS):
        for kind, n in killed(SHELVES, tmp_path, first, rng.uniform(0.05, 0.4)):
            acknowledged += 1
            first = n + 1
            if kind == "folder":
                folders[n % 7] = n
            else:
                known[kind] = n
        files.sweep(tmp_path / "documents")  # as the next start does
        found = {}
        for folder in (tmp_path / "documents").glob("doc-*"):
            assert files.verified(folder), f"seed {seed}: {folder.name}"
            number = int((folder / "deep" / "number.txt").read_text())
            assert (folder / "text.md").read_text() == f"{number} " * 20_000
            found[number % 7] = number
        for name, n in folders.items():
            assert found.get(name, -1) >= n, f"seed {seed}: folder {n} is lost"
        for path in tmp_path.rglob("*.json"):
            if ".new-" not in str(path):
                json.loads(path.read_text())
        if known["record"] >= 0:
            assert files.read_json(tmp_path / "card.json")["n"] >= known["record"], f"seed {seed}"
        if known["records"] >= 0:
            numbers = [int(q.id[1:]) for q in files.read_records(tmp_path / "questions.jsonl", Question)]
            assert numbers == list(range(numbers[0], numbers[0] + 50)) and numbers[0] >= known["records"], (
                f"seed {seed}"
            )
        first = max(first, *found.values(), 0)
    assert acknowledged > 30  # the kills struck a process that was at work
    files.sweep(tmp_path / "documents", older_than=-1)
    files.sweep(tmp_path, older_than=-1)
    assert list(tmp_path.rglob(".new-*")) == []


def test_ten_kills_of_a_writer_of_events(tmp_path: Path) -> None:
    seed = 20_261
    rng = random.Random(seed)
    path, first = tmp_path / "events.jsonl", 0
    EventLog(path).append("asked", what="train", title="Training")
    acknowledged: set[int] = set()
    for n in range(KILLS):
        acknowledged |= {number for _, number in killed(EVENTS, tmp_path, first, rng.uniform(0.05, 0.4))}
        if n % 2:  # and a line torn by a power cut on top
            with path.open("ab") as f:
                f.write(b'deadbeef [99, 1.0, "step", {"st')
        events = EventLog(path).read()
        steps = [e.data["step"] for e in events[1:] if "step" in e.data]
        assert acknowledged <= set(steps), f"seed {seed}: {sorted(acknowledged - set(steps))} lost"
        assert steps == sorted(set(steps)) and len(set(steps) - acknowledged) <= n + 1
        assert [e.seq for e in events] == sorted({e.seq for e in events})
        job = job_of(tmp_path)
        assert job is not None and job.title == "Training" and job.done in (*steps, 0)
        first = max(steps, default=-1) + 1
    assert len(acknowledged) > 100


@pytest.fixture
def small_files():
    """No file may grow over 64 KB: the kernel's own "too large", met in the middle of a write."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, old[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, old)
    signal.signal(signal.SIGXFSZ, heard)


def question(n: int) -> Question:
    return Question(f"q{n}", f"Why {n}?", "because " * 20)


def test_a_disk_that_fills_up_in_a_batch_of_writes_loses_nothing(tmp_path: Path, small_files: None) -> None:
    path, folder = tmp_path / "questions.jsonl", tmp_path / "adapter"
    files.publish(folder, lambda to: (to / "weights").write_bytes(b"old"))
    kept, refused = 0, None
    for number in range(50, 2000, 50):
        try:
            files.write_records(path, [question(n) for n in range(number)])
            kept = number
        except ProjectError as error:
            refused = error
            break
    assert refused is not None and kept >= 50
    assert str(refused) == "The disk is full." and "nothing was lost" in refused.remedy
    assert files.read_records(path, Question) == [question(n) for n in range(kept)]
    with pytest.raises(ProjectError, match="disk is full"):
        files.publish(folder, lambda to: (to / "weights").write_bytes(b"n" * 100_000))
    assert files.verified(folder) and (folder / "weights").read_bytes() == b"old"
    assert list(tmp_path.rglob(".new-*")) == []


def test_a_log_that_fills_up_keeps_every_acknowledged_event(tmp_path: Path, small_files: None) -> None:
    log, kept = EventLog(tmp_path / "events.jsonl"), 0
    with pytest.raises(ProjectError, match="disk is full"):
        for n in range(10_000):
            log.append("progress", done=n, total=10_000, note="x" * 301)
            kept = n + 1
    assert kept > 100
    assert [e.data["done"] for e in EventLog(log.path).read()] == list(range(kept))
    # With room again the torn tail is closed and the log goes on.
    resource.setrlimit(resource.RLIMIT_FSIZE, (128 * 1024, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    log.append("finished", note="")
    assert [e.kind for e in EventLog(log.path).read()][-2:] == ["progress", "finished"]
    assert len(EventLog(log.path).read()) == kept + 1

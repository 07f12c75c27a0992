"""The event log: what was acknowledged is read, whatever tore, flipped or raced."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ragtune_ui.domain.errors import ProjectError
from ragtune_ui.domain.runs import to_line
from ragtune_ui.store import events, files
from ragtune_ui.store.events import EventLog, job_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "run-1" / "events.jsonl"


def test_events_are_appended_and_read_after(path: Path) -> None:
    log = EventLog(path)
    assert log.read() == []
    first = log.append("asked", what="train", title="First")
    second = log.append("progress", done=1, total=2, note="half\u2028way\x85 ümlaut\nline")
    assert (first.seq, second.seq) == (1, 2)
    assert [e.kind for e in log.read()] == ["asked", "progress"]
    assert [e.data["note"] for e in log.read(after=1)] == ["half\u2028way\x85 ümlaut\nline"]
    assert log.read(after=2) == []
    assert EventLog(path).read() == log.read()


def test_two_readers_and_a_writer_see_the_same(path: Path) -> None:
    first, second = EventLog(path), EventLog(path)
    first.append("asked", what="a", title="b")
    assert second.append("started", pid=1).seq == 2
    assert first.append("finished", note="").seq == 3
    assert [e.seq for e in second.read()] == [1, 2, 3]


def test_a_half_character_does_not_cost_the_event(path: Path) -> None:
    EventLog(path).append("failed", sentence="No file \udce4.md", remedy="", details="")
    assert EventLog(path).read()[0].data["sentence"] == "No file ?.md"


def test_a_torn_last_line_is_not_there_yet(path: Path) -> None:
    log = EventLog(path)
    log.append("asked", what="a", title="b")
    line = to_line(log.append("progress", done=1, total=2, note="x")).encode()
    whole = path.read_bytes()
    for cut in range(1, len(line) + 1):
        path.write_bytes(whole[:-cut])
        assert [e.kind for e in EventLog(path).read()] == ["asked"]
    path.write_bytes(whole[:-4])
    torn = EventLog(path)
    assert torn.append("finished", note="done").seq == 2
    assert [e.kind for e in torn.read()] == ["asked", "finished"]


def test_a_line_is_seen_once_it_is_whole(path: Path) -> None:
    log = EventLog(path)
    log.append("asked", what="a", title="b")
    whole = path.read_bytes()
    path.write_bytes(whole[:5])
    reader = EventLog(path)
    assert reader.read() == []
    path.write_bytes(whole)
    assert [e.kind for e in reader.read()] == ["asked"]


def test_any_flipped_byte_costs_that_line_alone(path: Path) -> None:
    log = EventLog(path)
    for n in range(3):
        log.append("progress", done=n, total=3, note=f"step {n}")
    whole = path.read_bytes()
    second = whole.index(b"\n") + 1
    third = whole.index(b"\n", second) + 1
    for at in range(second, third - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x15]) + whole[at + 1 :])
        assert [e.data["done"] for e in EventLog(path).read()] == [0, 2]


@pytest.mark.parametrize("junk", [b"\x00" * 300 + b"\n", b"\xff\xfe\xfa\n", b"\n\n", b"no crc here\n", b"{}\n"])
def test_junk_between_lines_is_left_out(path: Path, junk: bytes) -> None:
    EventLog(path).append("asked", what="a", title="b")
    with path.open("ab") as f:
        f.write(junk)
    assert EventLog(path).append("finished", note="").seq == 2
    assert [e.kind for e in EventLog(path).read()] == ["asked", "finished"]


def test_a_log_that_got_shorter_is_read_again(path: Path) -> None:
    log = EventLog(path)
    for n in range(4):
        log.append("progress", done=n, total=4)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"\n") + 1])
    assert [e.data["done"] for e in log.read()] == [0]
    path.unlink()
    assert log.read() == []
    assert log.append("asked", what="a", title="b").seq == 1


APPEND = """
import sys
from pathlib import Path
from ragtune_ui.store.events import EventLog
log, who = EventLog(Path(sys.argv[1])), sys.argv[2]
for n in range(150):
    log.append("progress", done=n, total=150, note=who)
"""


def test_two_processes_append_and_every_reader_sees_growing_numbers(path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    writers = [subprocess.Popen([sys.executable, "-c", APPEND, str(path), who], env=environment) for who in "ab"]
    reader, seen = EventLog(path), []
    while any(w.poll() is None for w in writers):
        seen += reader.read(after=seen[-1].seq if seen else 0)
    seen += reader.read(after=seen[-1].seq if seen else 0)
    assert [w.returncode for w in writers] == [0, 0]
    assert [e.seq for e in seen] == sorted({e.seq for e in seen}) and len(seen) == 300
    for who in "ab":
        assert [e.data["done"] for e in seen if e.data["note"] == who] == list(range(150))
    assert EventLog(path).read() == seen


def test_many_threads_share_one_log_without_loss(path: Path) -> None:
    log = EventLog(path)
    stop = threading.Event()
    wrong: list[object] = []

    def look() -> None:
        while not stop.is_set():
            numbers = [e.data["done"] for e in log.read()]
            if numbers != list(range(len(numbers))):
                wrong.append(numbers)
            job = job_of(path.parent)
            if job is not None and job.done not in range(400):
                wrong.append(job)

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for looker in lookers:
        looker.start()
    writer = EventLog(path)
    for n in range(400):
        writer.append("progress", done=n, total=400)
    stop.set()
    for looker in lookers:
        looker.join()
    assert wrong == []
    assert len(log.read()) == 400


def test_a_full_disk_is_said_and_the_number_used_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = EventLog(path)
    log.append("asked", what="a", title="b")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(files.os, "fsync", full)
        log.append("progress", done=1, total=2)  # a metric is not synced
        with pytest.raises(ProjectError, match="disk is full"):
            log.append("finished", note="")
    assert log.append("finished", note="")


# the job of a log -----------------------------------------------------------------------------


def test_the_job_is_folded_only_when_the_log_has_grown(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folds, fold = [], events.fold
    monkeypatch.setattr(events, "fold", lambda id, found: folds.append(id) or fold(id, found))
    assert job_of(path.parent) is None
    log = EventLog(path)
    log.append("asked", what="train", title="First")
    assert job_of(path.parent) is job_of(path.parent)
    assert folds == ["run-1"]
    log.append("started", pid=7)
    job = job_of(path.parent)
    assert job is not None and (job.id, job.title, job.state, job.pid) == ("run-1", "First", "running", 7)
    assert folds == ["run-1", "run-1"]


def test_a_log_that_vanished_has_no_job_until_there_is_a_new_one(path: Path) -> None:
    EventLog(path).append("asked", what="train", title="First")
    EventLog(path).append("started", pid=7)
    assert job_of(path.parent)
    path.unlink()
    assert job_of(path.parent) is None
    EventLog(path).append("asked", what="train", title="Other")
    again = job_of(path.parent)
    assert again is not None and (again.title, again.state) == ("Other", "waiting")

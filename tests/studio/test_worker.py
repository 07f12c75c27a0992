"""The training process: whatever happens in it ends as an event, and never in another worker's log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ragtune_ui import worker
from ragtune_ui.domain.errors import TrainingError
from ragtune_ui.domain.plans import RunSheet, TrainingPlan
from ragtune_ui.engine import trainer
from ragtune_ui.store import files
from ragtune_ui.store.events import EventLog
from ragtune_ui.studio import jobs
from tests.studio.conftest import ROOT

SHEET = RunSheet("built-in", "m", "d", "d", "mixed", TrainingPlan())


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A run folder; the process that trains it may not change this one's signals, environment or rank."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(os, "nice", lambda _: None, raising=False)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    folder = tmp_path / "run-001"
    files.write_record(folder / "sheet.json", SHEET)
    return folder


def last(run: Path) -> dict[str, object]:
    events = EventLog(run / "events.jsonl").read()
    return {"kind": events[-1].kind, **events[-1].data} if events else {}


def test_training_gets_its_sheet_and_its_tools(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def train(folder, sheet, emit, should_stop, publish, verified) -> None:
        assert jobs.worker_alive(run)
        seen.extend([folder, sheet, should_stop(), publish, verified])
        (run / jobs.STOP_FILE).touch()
        seen.append(should_stop())
        emit("finished", note="Well.")

    monkeypatch.setattr(trainer, "train", train)
    assert worker.main([str(run)]) == 0
    assert seen == [run, SHEET, False, files.publish, files.verified, True]
    assert last(run) == {"kind": "finished", "note": "Well."} and not jobs.worker_alive(run)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (TrainingError("The loss was not a number.", "Lower the rate.", "step 3"), "The loss was not a number."),
        (MemoryError("odd"), "ran out of memory"),
        (ValueError("odd"), "did not expect"),
    ],
)
def test_each_failure_is_an_event_with_a_remedy(
    run: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    def train(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(trainer, "train", train)
    assert worker.main([str(run)]) == 1
    found = last(run)
    assert found["kind"] == "failed" and sentence in str(found["sentence"]) and found["remedy"] and found["details"]


def test_a_missing_sheet_is_a_failure_in_words(run: Path) -> None:
    (run / "sheet.json").unlink()
    assert worker.main([str(run)]) == 1
    assert "missing: sheet.json" in str(last(run)["sentence"])


def test_a_second_worker_writes_nothing_into_the_log_of_the_first(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(jobs, "LOCK_WAIT", 0.0)
    with jobs.working(run):
        assert worker.main([str(run)]) == 1
    assert "already running" in capsys.readouterr().err and last(run) == {}


def test_one_argument_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    assert worker.main([]) == worker.main(["a", "b"]) == 2
    assert "one argument" in capsys.readouterr().err


def test_the_module_runs_as_a_process(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "ragtune_ui.worker", str(tmp_path)],
        env=jobs.worker_environment(os.environ), cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 1 and str(ROOT) not in ran.stdout
    assert last(tmp_path)["kind"] == "failed"

"""Long work: start, stop, crash, kill, restart, busy; every end is one event."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from ragtune_ui.domain.errors import Busy, ProjectError, RagtuneError, TrainingError
from ragtune_ui.domain.plans import RunSheet
from ragtune_ui.domain.runs import ENDS
from ragtune_ui.store import files
from ragtune_ui.store.events import EventLog
from ragtune_ui.studio import jobs
from ragtune_ui.studio.jobs import Task
from tests.studio.conftest import PLAN, House, wait_until


def ends(house: House, run: str) -> list[str]:
    log = EventLog(house.project.run_folder(run) / "events.jsonl")
    return [e.kind for e in log.read() if e.kind in ENDS]


def children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


# work in a thread -----------------------------------------------------------------------------


def test_work_is_asked_started_and_finished(house: House) -> None:
    seen: list[str] = []

    def work(task: Task) -> str:
        task.progress(1, 2, "half")
        task.result(answer=42)
        task.progress(2, 2, "whole")
        return "All done."

    id = house.studio.jobs.start(house.project, "index", "Making passages", work)
    job = house.studio.jobs.wait(house.project, id, lambda j: seen.append(j.state))
    assert (job.what, job.title, job.state, job.note) == ("index", "Making passages", "finished", "All done.")
    assert (job.done, job.total, job.result, job.pid) == (2, 2, {"answer": 42}, os.getpid())
    assert seen[-1] == "finished"
    assert house.studio.jobs.holder() is None and house.studio.jobs.running(house.project, "index") is None
    assert house.studio.jobs.current(house.project) == job and house.studio.jobs.current(None) is None


def test_stop_is_heard_at_the_next_step_and_keeps_what_is_done(house: House) -> None:
    done: list[int] = []

    def work(task: Task) -> str:
        for n in range(10_000):
            task.progress(n, 10_000)
            done.append(n)
            time.sleep(0.002)
        return "Never."

    id = house.studio.jobs.start(house.project, "index", "Making passages", work)
    wait_until(lambda: len(done) > 3)
    house.studio.jobs.stop(house.project, id)
    job = house.wait(id)
    assert job.state == "stopped" and "kept" in job.note and 3 < len(done) < 10_000
    assert house.studio.jobs.holder() is None
    house.studio.jobs.stop(house.project, "nowhere")


def test_should_stop_says_it_without_raising(house: House) -> None:
    def work(task: Task) -> str:
        wait_until(task.should_stop)
        return "Left in order."

    id = house.studio.jobs.start(house.project, "index", "Making passages", work)
    house.studio.jobs.stop(house.project, id)
    assert house.wait(id).note == "Left in order."


def test_progress_is_not_written_more_often_than_it_is_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "QUIET", 60.0)

    def work(task: Task) -> str:
        for n in range(100):
            task.progress(n, 100)
        task.progress(100, 100)
        return ""

    id = house.studio.jobs.start(house.project, "index", "x", work)
    house.wait(id)
    log = EventLog(house.project.folder / "jobs" / id / "events.jsonl")
    # The first (the clock counts from the machine's start) and the last.
    assert sum(e.kind == "progress" for e in log.read()) in (1, 2)


def test_a_foreseen_failure_is_a_sentence_with_details(house: House) -> None:
    def work(task: Task) -> str:
        raise RagtuneError("It rained.", "Wait for the sun.", "12 mm")

    job = house.wait(house.studio.jobs.start(house.project, "index", "x", work))
    assert (job.state, job.problem, job.remedy, job.details) == ("failed", "It rained.", "Wait for the sun.", "12 mm")


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("odd"), SystemExit("odd"), MemoryError("odd")])
def test_an_unforeseen_failure_is_one_too_and_the_bench_is_free(house: House, error: BaseException) -> None:
    def work(task: Task) -> str:
        raise error

    job = house.wait(house.studio.jobs.start(house.project, "index", "x", work))
    assert job.state == "failed" and "did not expect" in job.problem and "odd" in job.details
    assert "Traceback" in job.details and job.remedy
    assert house.wait(house.studio.jobs.start(house.project, "index", "x", lambda task: "Well.")).state == "finished"


def test_the_second_claimant_gets_the_title_and_the_project_of_the_first(house: House) -> None:
    gate = house.fakes.gate
    gate.clear()
    id = house.studio.jobs.start(house.project, "index", "Making passages", lambda task: str(gate.wait(10)))
    other = house.studio.home.create("Other")
    assert house.studio.jobs.holder() == "Making passages, in Harbour"
    for ask in (lambda: house.studio.jobs.start(other, "index", "x", lambda task: ""), house.studio.jobs.ensure_free):
        with pytest.raises(Busy, match="“Making passages, in Harbour” is running") as caught:
            ask()
        assert "stop it" in caught.value.remedy
    assert not (other.folder / "jobs").exists()
    running = house.studio.jobs.running(house.project, "index")
    assert running is not None and running.id == id and house.studio.jobs.running(house.project, "mix") is None
    assert house.studio.jobs.current(house.project) == running
    gate.set()
    house.wait(id)
    house.studio.jobs.ensure_free()


def test_work_in_another_project_is_known_by_its_name(house: House) -> None:
    jobs, gate = house.studio.jobs, house.fakes.gate
    other = house.studio.home.create("Other")
    gate.clear()
    id = jobs.start(house.project, "index", "Making passages", lambda task: str(gate.wait(10)))
    house.studio.home.rename(house.project.id, "Crane handbook")  # meanwhile
    for here in (other, None):
        found = jobs.elsewhere(here)
        assert found is not None and (found[0].name, found[1].id, found[1].ended) == ("Crane handbook", id, False)
    assert jobs.elsewhere(house.project) is None and jobs.current(other) is None
    with pytest.raises(Busy) as caught:
        jobs.ensure_free()
    said = f"{caught.value} {caught.value.remedy}"
    assert "“Making passages, in Crane handbook” is running" in said and house.project.id not in said
    gate.set()
    house.wait(id)
    assert jobs.elsewhere(other) is None


def test_only_one_of_many_claimants_wins(house: House) -> None:
    gate, won, lost = threading.Event(), [], []

    def claim() -> None:
        try:
            won.append(house.studio.jobs.start(house.project, "index", "x", lambda task: str(gate.wait(10))))
        except Busy as error:
            lost.append(error)

    threads = [threading.Thread(target=claim) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.set()
    assert len(won) == 1 and len(lost) == 11
    house.wait(won[0])


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "full")


def test_a_full_disk_at_the_start_does_not_hold_the_bench(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(files.os, "fsync", full_disk)
        with pytest.raises(ProjectError, match="disk is full"):
            house.studio.jobs.start(house.project, "index", "x", lambda task: "")
    assert house.studio.jobs.holder() is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_end_that_a_full_disk_swallowed_is_made_up_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:

        def work(task: Task) -> str:
            patched.setattr(files.os, "write", full_disk)
            raise RagtuneError("It rained.")

        id = house.studio.jobs.start(house.project, "index", "x", work)
        assert house.wait(id).state == "running"
        assert house.studio.jobs.holder() is None
        still = house.studio.jobs.current(house.project)  # no room for its end yet, and no failure for the page
        assert still is not None and still.state == "running"
    current = house.studio.jobs.current(house.project)
    assert current is not None and current.id == id and current.state == "interrupted"


def test_what_follows_is_called_after_a_good_end_only(house: House) -> None:
    called: list[str] = []

    def fail(task: Task) -> str:
        raise RagtuneError("It rained.")

    for name, work in (("good", lambda task: "Well."), ("bad", fail)):
        id = house.studio.jobs.start(house.project, "mix", name, work)
        house.studio.jobs.then(house.project, id, lambda name=name: called.append(name))
        house.idle()
    assert called == ["good"]


@pytest.mark.parametrize(
    ("error", "wanted"), [(RagtuneError("No room.", "Make some."), "No room."), (ValueError("odd"), "did not expect")]
)
def test_what_follows_fails_in_the_log_of_the_job(house: House, error: Exception, wanted: str) -> None:
    def follow() -> None:
        raise error

    id = house.studio.jobs.start(house.project, "mix", "x", lambda task: "Well.")
    house.studio.jobs.then(house.project, id, follow)
    house.idle()
    job = house.wait(id)
    assert job.state == "failed" and wanted in job.problem and job.remedy


def test_waiting_for_nothing_says_so(house: House) -> None:
    with pytest.raises(RagtuneError, match="no trace"):
        house.studio.jobs.wait(house.project, "index-none")


# a restart ------------------------------------------------------------------------------------


def test_work_that_died_with_the_app_is_interrupted_once(house: House) -> None:
    log = EventLog(house.project.new_job("index") / "events.jsonl")
    log.append("asked", what="index", title="Making passages")
    log.append("started", pid=1)
    for _ in range(2):
        house.restarted().recover()
    assert [e.kind for e in log.read()] == ["asked", "started", "interrupted"]
    assert "closed" in house.project.jobs()[0].note


def test_recovering_leaves_running_work_alone(house: House) -> None:
    gate = threading.Event()
    id = house.studio.jobs.start(house.project, "index", "x", lambda task: str(gate.wait(10)))
    house.studio.recover()
    gate.set()
    assert house.wait(id).state == "finished"


def test_a_start_clears_half_written_things_away(house: House) -> None:
    for place in ("documents", "jobs/index-1", "runs/run-001-ab/checkpoints"):
        left = house.project.folder / place / ".new-1-x"
        left.mkdir(parents=True)
        os.utime(left, (1000, 1000))
        EventLog(left.parent.parent / "events.jsonl").append("asked", what="train", title="x")
        EventLog(left.parent / "events.jsonl").append("asked", what="train", title="x")
    house.restarted().recover()
    assert list(house.project.folder.rglob(".new-*")) == []


# the worker -----------------------------------------------------------------------------------


def test_a_training_runs_to_its_end_in_its_own_process(full: House) -> None:
    run = full.train()
    job = full.project.run(run)
    assert (job.state, job.done, job.total, job.saved, job.note) == ("finished", 8, 8, 8, "Trained 8 steps.")
    assert job.pid != os.getpid() and job.result == {"seconds": 4.0, "tokens": 800}
    assert full.project.adapter(run) is not None and files.verified(full.project.run_folder(run) / "adapter")
    full.idle()
    assert children() == []


def test_stop_keeps_what_was_learned_and_going_on_starts_there(house: House) -> None:
    full, run = house, house.launch("slow")
    wait_until(lambda: full.project.run(run).done >= 3)
    full.studio.training.stop(full.project, run)
    job = full.wait(run)
    assert job.state == "stopped" and 3 <= job.done < 8 and full.project.adapter(run) is not None
    full.fakes.mode = "train"
    full.studio.training.resume(full.project, run)
    again = full.wait(run)
    assert (again.state, again.done) == ("finished", 8)
    assert [s for s, _ in again.steps] == list(range(1, 9))
    assert not (full.project.run_folder(run) / jobs.STOP_FILE).exists()


@pytest.mark.parametrize(("mode", "state"), [("crash", "failed"), ("kill", "interrupted")])
def test_a_worker_that_dies_gets_an_end_and_may_go_on(house: House, mode: str, state: str) -> None:
    full, run = house, house.launch(mode)
    job = full.wait(run)
    assert (job.state, job.saved) == (state, 4)
    said = f"{job.problem} {job.remedy} {job.note}"
    assert "step 5" in said and "saved point is step 4" in said
    assert ("no luck" in job.details) == (mode == "crash")
    assert full.studio.jobs.holder() is None and ends(full, run) == [state]
    full.fakes.mode = "train"
    full.studio.training.resume(full.project, run)
    again = full.wait(run)
    assert (again.state, again.done) == ("finished", 8)
    assert [s for s, _ in again.steps] == list(range(1, 9))


def test_a_worker_killed_from_outside_is_interrupted(house: House) -> None:
    full, run = house, house.launch("hang")
    wait_until(lambda: full.project.run(run).done == 3)
    os.kill(full.project.run(run).pid, signal.SIGKILL)
    job = full.wait(run)
    assert job.state == "interrupted" and "from outside" in job.note


def test_a_worker_that_never_began_fails_in_words_each_time(house: House) -> None:
    full, run = house, house.launch("stillborn")
    full.wait(run)
    assert ends(full, run) == ["failed"]
    full.studio.training.resume(full.project, run)  # and it dies again before its first word
    job = full.wait(run)
    assert ends(full, run) == ["failed", "failed"]
    assert "unexpectedly" in job.problem and "no luck at all" in job.details and "no saved point" in job.remedy


def test_a_worker_that_does_not_hear_is_ended_in_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "STOP_GRACE", 0.2)
    full, run = house, house.launch("deaf")
    wait_until(lambda: full.project.run(run).done == 3)
    full.studio.training.stop(full.project, run)
    job = full.wait(run)
    assert job.state == "interrupted" and "did not stop in time" in job.note and "step 2" in job.note
    assert children() == []


def test_a_worker_that_is_still_loading_is_given_time_to_hear(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "STOP_GRACE", 0.1)
    run = house.project.new_run(RunSheet("built-in", "m", "d", "d", "mixed", PLAN))
    folder = house.project.run_folder(run)
    code = (
        "import sys, time; from pathlib import Path; from ragtune_ui.store.events import EventLog\n"
        "while not Path(sys.argv[1], 'stop').exists(): time.sleep(0.02)\n"
        "time.sleep(1)\n"
        "EventLog(Path(sys.argv[1], 'events.jsonl')).append('stopped', note='Heard.')"
    )
    house.studio.jobs.supervise(house.project, run, [sys.executable, "-c", code, str(folder)], "Training")
    house.studio.training.stop(house.project, run)
    assert (house.wait(run).state, ends(house, run)) == ("stopped", ["stopped"])


def test_the_time_to_hear_a_stop_grows_with_the_steps_of_this_worker(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    assert jobs.grace(log, 0) == jobs.START_GRACE > jobs.STOP_GRACE
    for seconds in (0.1, 0.1, 0.1):  # on another computer, before it was continued here
        before = log.append("step", step=1, loss=1.0, rate=0.1, tokens=9, seconds=seconds).seq
    assert jobs.grace(log, 0) == pytest.approx(60.4)
    assert jobs.grace(log, before) == jobs.START_GRACE
    for seconds in (80.0, 120.0, 90.0):
        log.append("step", step=2, loss=1.0, rate=0.1, tokens=9, seconds=seconds)
    assert jobs.grace(log, before) == 60 + 4 * 90


def test_a_command_that_cannot_start_frees_the_bench(house: House) -> None:
    run = house.project.new_run(RunSheet("built-in", "m", "d", "d", "mixed", PLAN))
    with pytest.raises(FileNotFoundError):
        house.studio.jobs.supervise(house.project, run, [str(house.folder / "nothing")], "Training")
    assert house.studio.jobs.holder() is None


def left_behind(house: House, mode: str) -> tuple[str, subprocess.Popen[bytes]]:
    """A run whose worker lives on while the app that started it is gone, and that worker."""
    run = house.project.new_run(RunSheet("built-in", str(house.fakes.model), "d", "d", "mixed", PLAN))
    EventLog(house.project.run_folder(run) / "events.jsonl").append("asked", what="train", title="Training")
    house.fakes.mode = mode
    command = house.fakes.engines().worker(house.project.run_folder(run))
    process = subprocess.Popen(command, env=jobs.worker_environment(os.environ), start_new_session=True)
    wait_until(lambda: house.project.run(run).done == 3)
    return run, process


@pytest.fixture
def orphan(house: House):
    run, process = left_behind(house, "hang")
    yield house, run, process
    process.kill()
    process.wait()


def test_a_restart_adopts_a_live_worker_and_it_ends_once(orphan) -> None:
    house, run, process = orphan
    studio = house.restarted()
    studio.recover()
    studio.recover()
    assert studio.jobs.holder() == "Training, in Harbour" and jobs.worker_alive(house.project.run_folder(run))
    with pytest.raises(TrainingError, match="running"):
        studio.training.resume(house.project, run)
    with pytest.raises(Busy, match="Training"):
        studio.jobs.start(house.project, "index", "x", lambda task: "")
    studio.training.stop(house.project, run)
    assert studio.jobs.wait(house.project, run).state == "stopped"
    assert process.wait(10) == 0
    wait_until(lambda: studio.jobs.holder() is None)
    house.restarted().recover()
    assert ends(house, run) == ["stopped"] and not jobs.worker_alive(house.project.run_folder(run))


def test_an_adopted_worker_that_is_killed_gets_an_end(orphan) -> None:
    house, run, process = orphan
    studio = house.restarted()
    studio.recover()
    process.kill()
    process.wait()
    assert studio.jobs.wait(house.project, run).state == "failed"
    wait_until(lambda: studio.jobs.holder() is None)
    house.restarted().recover()
    assert ends(house, run) == ["failed"]


def test_an_adopted_worker_that_does_not_hear_is_ended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "START_GRACE", 0.2)  # it has taken no step since it was adopted
    run, process = left_behind(house, "deaf")
    studio = house.restarted()
    try:
        studio.recover()
        studio.training.stop(house.project, run)
        assert process.wait(10) == -signal.SIGKILL
    finally:
        process.kill()
    assert studio.jobs.wait(house.project, run).state == "interrupted"


def test_a_run_that_ended_while_nobody_looked_is_not_interrupted(orphan) -> None:
    house, run, process = orphan
    (house.project.run_folder(run) / jobs.STOP_FILE).touch()
    process.wait()
    house.restarted().recover()
    assert ends(house, run) == ["stopped"]


def test_a_second_live_worker_waits_to_be_adopted(orphan) -> None:
    house, run, _ = orphan
    studio = house.restarted()
    gate = house.fakes.gate
    gate.clear()
    id = studio.jobs.start(house.project, "index", "Making passages", lambda task: str(gate.wait(10)))
    studio.recover()
    assert studio.jobs.holder() == "Making passages, in Harbour" and ends(house, run) == []
    gate.set()
    studio.jobs.wait(house.project, id)
    studio.recover()
    assert studio.jobs.holder() == "Training, in Harbour"
    studio.training.stop(house.project, run)
    assert studio.jobs.wait(house.project, run).state == "stopped"


def test_worker_and_app_killed_is_interrupted_at_the_next_start(orphan) -> None:
    house, run, process = orphan
    process.kill()
    process.wait()
    house.restarted().recover()
    job = house.project.run(run)
    assert job.state == "interrupted" and ends(house, run) == ["interrupted"]
    house.fakes.mode = "train"
    house.studio.training.resume(house.project, run)
    assert house.wait(run).state == "finished"


def test_two_workers_never_share_a_run(orphan, monkeypatch: pytest.MonkeyPatch) -> None:
    house, run, process = orphan
    monkeypatch.setattr(jobs, "LOCK_WAIT", 0.0)
    with pytest.raises(Busy, match="already running"), jobs.working(house.project.run_folder(run)):
        pass
    assert ends(house, run) == []
    assert process.poll() is None


def test_the_environment_of_a_worker_is_offline_and_without_the_window(tmp_path: Path) -> None:
    found = jobs.worker_environment({"GRADIO_SHARE": "1", "PATH": "/bin", "PYTHONPATH": "/mine"})
    assert "GRADIO_SHARE" not in found and found["HF_HUB_OFFLINE"] == "1" and found["PATH"] == "/bin"
    assert found["PYTHONPATH"].split(os.pathsep)[-1] == "/mine"
    assert jobs.python_module("ragtune_ui.worker", "x")[1:] == ["-m", "ragtune_ui.worker", "x"]
    assert not jobs.worker_alive(tmp_path) and jobs._tail(tmp_path / "none") == ""

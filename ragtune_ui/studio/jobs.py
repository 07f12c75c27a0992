"""Long work: one thread each, one bench for heavy work, everything shown comes from the log.

A click calls a desk, the desk starts a job, the job writes events, the screen reads them.
Training is a thread that watches a worker process: a crash takes the worker, not the window.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ragtune_ui.domain.errors import Busy, ProjectError, RagtuneError, Stopped
from ragtune_ui.domain.runs import ENDS, Job
from ragtune_ui.store.events import EventLog, job_of
from ragtune_ui.store.files import sweep
from ragtune_ui.store.projects import Project

POLL = 0.25  # seconds between looks at a worker process
QUIET = 0.2  # seconds between two progress events, so that the log stays short
STOP_GRACE = 60.0  # seconds a worker has to publish its last saved point before it is ended,
STOP_STEPS = 4  # and on top so many of its steps, as a slow model hears a stop late;
START_GRACE = 600.0  # all of it before its first step, where it may be loading and its pace is not known
LOCK_WAIT = 5.0  # seconds a worker waits for the lock of its run, which a look at it may hold for a moment
WORKER_LOCK = "worker.lock"
STOP_FILE = "stop"


class Task:
    """What work gets to say how far it is and to hear that it should stop."""

    def __init__(self, log: EventLog, stop: threading.Event) -> None:
        self.log = log
        self._stop = stop
        self._said = 0.0

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Say how far it is. Raises Stopped when the person asked for a stop."""
        if self._stop.is_set():
            raise Stopped("Stopped.", "What was finished is kept.")
        if done >= total or time.monotonic() - self._said >= QUIET:
            self._said = time.monotonic()
            self.log.append("progress", done=done, total=total, note=note)

    def should_stop(self) -> bool:
        return self._stop.is_set()

    def result(self, **data: Any) -> None:
        """Keep facts about the outcome in the log."""
        self.log.append("result", **data)


Work = Callable[[Task], str]
"""Work does it, step by step, and returns one closing sentence."""


class Jobs:
    """All long work of this app. Threads live here; what they did is on the disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: dict[Path, threading.Thread] = {}
        self._stops: dict[Path, threading.Event] = {}
        self._holder: tuple[Path, str] | None = None

    # starting ------------------------------------------------------------------------------

    def start(self, project: Project, what: str, title: str, work: Work) -> str:
        """Run ``work`` in a thread of its own; returns the job's id.

        Raises:
            Busy: other heavy work holds the bench.
        """
        folder = project.new_job(what)
        self._claim(folder, title)
        log, stop = EventLog(folder / "events.jsonl"), threading.Event()
        try:
            log.append("asked", what=what, title=title)
        except BaseException:  # a full disk must not hold the bench for ever
            self._free(folder)
            raise
        self._launch(folder, stop, lambda: self._guard(folder, log, Task(log, stop), work))
        return folder.name

    def supervise(self, project: Project, run: str, command: list[str], title: str) -> None:
        """Start the worker process of a run and watch it.

        Raises:
            Busy: other heavy work holds the bench.
        """
        folder = project.run_folder(run)
        self._claim(folder, title)
        log = EventLog(folder / "events.jsonl")
        try:
            if not log.read():
                log.append("asked", what="train", title=title)
            (folder / STOP_FILE).unlink(missing_ok=True)
            before = log.read()[-1].seq
            with (folder / "worker.log").open("ab") as out:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,  # the worker outlives this process; see ``recover``
                    env=worker_environment(os.environ),
                )
        except BaseException:
            self._free(folder)
            raise
        self._launch(folder, threading.Event(), lambda: self._watch(folder, log, before, process))

    def recover(self, project: Project) -> None:
        """After a start: adopt live workers, and give work that died an "interrupted" end."""
        for shelf in ("runs", "jobs"):
            for path in (project.folder / shelf).glob("*/events.jsonl"):
                folder = path.parent
                if self._watched(folder):
                    continue
                log, job = EventLog(path), job_of(folder)
                if shelf == "runs" and worker_alive(folder):
                    if job is not None:
                        self._adopt(folder, log, job)
                    continue
                for place in (folder, folder / "checkpoints"):
                    sweep(place)
                job = job_of(folder)  # again: the worker may have ended between the two looks
                if job is not None and not job.ended:
                    log.append("interrupted", note="RAGTune was closed while this ran.")

    def then(self, project: Project, id: str, follow: Callable[[], object]) -> None:
        """Call ``follow`` once a job has finished well; a failure of it is kept in that job's log."""
        folder = project.folder / "jobs" / id
        thread = self._threads[folder]

        def go_on() -> None:
            thread.join()
            job = job_of(folder)
            if job is None or job.state != "finished":
                return
            try:
                follow()
            except RagtuneError as error:
                EventLog(folder / "events.jsonl").append("failed", sentence=str(error), remedy=error.remedy)
            except Exception:
                EventLog(folder / "events.jsonl").append("failed", **_unexpected())

        threading.Thread(target=go_on, name=f"then-{id}", daemon=True).start()

    # looking -------------------------------------------------------------------------------

    def current(self, project: Project | None) -> Job | None:
        """The job that runs in this project, else the one that ended last, else None."""
        if project is None:
            return None
        for shelf in ("runs", "jobs"):
            self._bury(project.folder / shelf)
        jobs = project.runs() + project.jobs()
        running = [j for j in jobs if not j.ended]
        latest = max(jobs, key=lambda j: j.updated, default=None)
        return max(running, key=lambda j: j.started) if running else latest

    def running(self, project: Project, what: str) -> Job | None:
        """The running job of one kind in this project, if there is one."""
        return next((j for j in project.runs() + project.jobs() if j.what == what and not j.ended), None)

    def elsewhere(self, project: Project | None) -> tuple[Project, Job] | None:
        """What runs in another project than this one, and that project, if anything does: the bench is one for all."""
        held = self._holder
        other, job = (_project_of(held[0]), job_of(held[0])) if held else (None, None)
        if other is None or other == project or not other.readable or job is None or job.ended:
            return None
        return other, job

    def holder(self) -> str | None:
        """Title and project of the work that holds the bench, if any: ``Training, in Crane handbook``."""
        held = self._holder
        return _named(*held) if held else None

    def ensure_free(self) -> None:
        """For what has to be refused before anything is changed: raises Busy while the bench is taken."""
        holder = self.holder()
        if holder is not None:
            raise _busy(holder)

    # ending --------------------------------------------------------------------------------

    def stop(self, project: Project, id: str) -> None:
        """Ask a job to stop at its next step; what it finished is kept."""
        for folder in (project.run_folder(id), project.folder / "jobs" / Path(id).name):
            if not folder.exists():
                continue
            if folder.parent.name == "runs":
                (folder / STOP_FILE).touch()
            if folder in self._stops:
                self._stops[folder].set()

    def wait(self, project: Project, id: str, seen: Callable[[Job], None] | None = None) -> Job:
        """Block until a job has ended; ``seen`` is called with its view about four times a second."""
        folder = project.run_folder(id)
        folder = folder if folder.exists() else project.folder / "jobs" / id
        while True:
            thread = self._threads.get(folder)
            if thread is not None:
                thread.join(POLL)
            job = job_of(folder)
            if job is not None and seen is not None:
                seen(job)
            if thread is None or not thread.is_alive():
                break
        ended = job_of(folder)
        if ended is None:
            raise RagtuneError("That work left no trace.", "Start it again.")
        return ended

    # inside --------------------------------------------------------------------------------

    def _launch(self, folder: Path, stop: threading.Event, body: Callable[[], None]) -> None:
        thread = threading.Thread(target=body, name=f"job-{folder.name}", daemon=True)
        self._threads[folder], self._stops[folder] = thread, stop
        thread.start()

    def _claim(self, folder: Path, title: str) -> None:
        with self._lock:
            if self._holder is not None:
                raise _busy(_named(*self._holder))
            self._holder = (folder, title)

    def _free(self, folder: Path) -> None:
        with self._lock:
            if self._holder is not None and self._holder[0] == folder:
                self._holder = None

    def _guard(self, folder: Path, log: EventLog, task: Task, work: Work) -> None:
        """The one catch-all: whatever happens in work ends as an event."""
        try:
            log.append("started", pid=os.getpid())
            log.append("finished", note=work(task))
        except Stopped:
            log.append("stopped", note="Stopped. What was finished is kept.")
        except RagtuneError as error:
            log.append("failed", sentence=str(error), remedy=error.remedy, details=error.details)
        except BaseException:
            log.append("failed", **_unexpected())
        finally:
            self._free(folder)

    def _watched(self, folder: Path) -> bool:
        thread = self._threads.get(folder)
        return thread is not None and thread.is_alive()

    def _bury(self, shelf: Path) -> None:
        """Give work whose thread is gone an end: a full disk may have kept it from writing its own."""
        for folder in [f for f, thread in list(self._threads.items()) if f.parent == shelf and not thread.is_alive()]:
            job = job_of(folder)
            if job is not None and not job.ended and not worker_alive(folder):
                with suppress(ProjectError):
                    EventLog(folder / "events.jsonl").append("interrupted", note="How this ended could not be written.")

    def _watch(self, folder: Path, log: EventLog, before: int, process: subprocess.Popen[bytes]) -> None:
        try:
            self._see_out(folder, log, before, lambda: process.poll() is None, process.kill)
            self._conclude(folder, log, before, process.returncode)
        finally:
            self._free(folder)

    def _see_out(
        self, folder: Path, log: EventLog, before: int, alive: Callable[[], bool], kill: Callable[[], None]
    ) -> None:
        """Wait until a worker is gone; one that does not answer a stop in time is ended."""
        asked_at: float | None = None
        while alive():
            time.sleep(POLL)
            if (folder / STOP_FILE).exists() and asked_at is None:
                asked_at = time.monotonic()
            if asked_at is not None and time.monotonic() - asked_at > grace(log, before):
                kill()

    def _adopt(self, folder: Path, log: EventLog, job: Job) -> None:
        try:
            self._claim(folder, job.title)
        except Busy:
            return

        def follow() -> None:
            try:
                self._see_out(folder, log, job.seq, lambda: worker_alive(folder), lambda: _end_worker(folder))
                self._conclude(folder, log, job.seq, 1)
            finally:
                self._free(folder)

        self._launch(folder, threading.Event(), follow)

    def _conclude(self, folder: Path, log: EventLog, before: int, code: int) -> None:
        """Give a run whose worker is gone an end, if the worker wrote none behind event ``before``."""
        job = job_of(folder)
        if job is None or any(e.kind in ENDS for e in log.read(before)) or worker_alive(folder):
            return
        kept = f"The last saved point is step {job.saved:,}." if job.saved else "There was no saved point yet."
        if (folder / STOP_FILE).exists():
            log.append("interrupted", note=f"The training process did not stop in time and was ended. {kept}")
        elif code in (-signal.SIGKILL, -signal.SIGTERM):
            log.append("interrupted", note=f"The training process was ended from outside at step {job.done:,}. {kept}")
        else:
            log.append(
                "failed",
                sentence=f"Training ended unexpectedly at step {job.done:,}.",
                remedy=f"{kept} Press Continue to go on{' from there' if job.saved else ''}.",
                details=_tail(folder / "worker.log"),
            )


def _project_of(folder: Path) -> Project:
    """The project in which a run or a job lies."""
    return Project(folder.parent.parent)


def _named(folder: Path, title: str) -> str:
    """Work with its project's name, as who has to wait for it may be in another project."""
    project = _project_of(folder)
    return f"{title}, in {project.name}" if project.readable else title


def _busy(holder: str) -> Busy:
    return Busy(
        f"“{holder}” is running. One at a time on this computer.", "Wait until it is finished, or stop it first."
    )


def _unexpected() -> dict[str, str]:
    """What a "failed" event says of the exception at hand, which nobody foresaw."""
    return {
        "sentence": "Something went wrong that RAGTune did not expect.",
        "remedy": "Try again; if it happens again, send us the details below.",
        "details": traceback.format_exc()[-4000:],
    }


def grace(log: EventLog, before: int) -> float:
    """Seconds that a worker has to answer a stop, by the pace of its steps behind event ``before``."""
    steps = [float(e.data["seconds"]) for e in log.read(before) if e.kind == "step"]
    return STOP_GRACE + STOP_STEPS * statistics.median(steps) if steps else START_GRACE


def _end_worker(folder: Path) -> None:
    """End an adopted worker. It holds the lock of its run, so the id in its log is still its own."""
    job = job_of(folder)
    if job is not None and job.pid:
        with suppress(OSError):
            os.kill(job.pid, signal.SIGKILL)


def worker_environment(environ: Any) -> dict[str, str]:
    """The environment of a worker: this one, offline, without the web framework's variables and keys."""
    kept = {k: v for k, v in environ.items() if not k.startswith("GRADIO_") and k != "RAGTUNE_ENDPOINT_KEY"}
    kept.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", PYTHONUNBUFFERED="1")
    root = str(Path(__file__).resolve().parents[2])
    kept["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [kept.get("PYTHONPATH")])])
    return kept


def worker_alive(folder: Path) -> bool:
    """True while a worker process holds the lock of a run. The lock dies with its owner."""
    path = folder / WORKER_LOCK
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


@contextmanager
def working(folder: Path) -> Iterator[None]:
    """Hold the lock of a run while its worker works.

    Raises:
        Busy: another worker is on this run.
    """
    lock = FileLock(folder / WORKER_LOCK, timeout=LOCK_WAIT)
    try:
        lock.acquire()
    except Timeout as error:
        raise Busy("This training is already running.", "Look at the Train page.") from error
    try:
        yield
    finally:
        lock.release()


def python_module(module: str, *arguments: str) -> list[str]:
    """The command line that runs one of our modules with this Python."""
    return [sys.executable, "-m", module, *arguments]


def _tail(path: Path, size: int = 3000) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")[-size:]
    except OSError:
        return ""

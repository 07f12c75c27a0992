"""Reader: files to text, in a child process that a hostile file may break and the program outlives."""

from __future__ import annotations

import atexit
import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ragtune_ui.domain.documents import Page, Parsed, Repeated, Unpacked
from ragtune_ui.domain.errors import DocumentError
from ragtune_ui.domain.ports import Progress
from ragtune_ui.domain.words import counted
from ragtune_ui.engine.reading.found import pages_said, pictures_said
from ragtune_ui.engine.reading.recognition import installed

_ROOT = Path(__file__).resolve().parents[2]
_LOOK = 0.25  # seconds between looks at a request that takes long
_REPLY_BYTES = 120 * 1024**2  # a reply longer than this is no reply: text is limited to 50 MB


class DocumentReader:
    """Reads files, unpacks archives and draws pages (``ports.Reader``).

    One child process serves file after file, because starting one costs more than reading most
    files. It is replaced after ``renew_after`` files, a crash or a time-out, and ends with this
    process: its pipe closes.
    """

    def __init__(self, file_limit: int = 200 * 1024**2, seconds: float = 90.0, renew_after: int = 500) -> None:
        self._file_limit = file_limit  # bytes
        self._seconds = seconds  # of wall time for one file, or for one page that is recognised
        self._renew_after = renew_after
        self._child: subprocess.Popen[bytes] | None = None
        self._scratch = ""
        self._served = 0
        self._lock = threading.Lock()

    def read(self, file: Path, kind: str, keep_repeated: bool = False, progress: Progress | None = None) -> Parsed:
        """Title, pages and notes of one file; scanned pages are recognised where that is installed.

        Raises:
            DocumentError: with a status of ``documents.Status`` and a sentence that starts with
                "It" or "The file", for every file that gives no text.
            Stopped: passed on from ``progress``.
        """
        self._check(file)
        request = {"do": "read", "file": str(file.absolute()), "kind": kind, "stem": file.stem,
                   "keep_repeated": keep_repeated}  # fmt: skip
        answer = self._ask(request, progress)
        scanned = answer.get("status") == "scanned" and answer.get("pages")
        if scanned and installed():
            pages = [Page(n, "", state="picture") for n in range(1, answer["pages"] + 1)]
            return self._recognised(file, Parsed(file.stem, tuple(pages)), progress)
        answer = _good(answer)
        pages = [
            Page(number, text, columns, tables, state)
            for number, (text, columns, tables, state) in enumerate(answer["pages"], start=1)
        ]
        repeated = tuple(Repeated(line, times) for line, times in answer["repeated"])
        parsed = Parsed(answer["title"], tuple(pages), tuple(answer["notes"]), repeated)
        pictures = request["kind"] == "pdf" and any(page.state == "picture" for page in pages)
        return self._recognised(file, parsed, progress) if pictures and installed() else parsed

    def unpack(self, file: Path, kind: str, to: Path, progress: Progress | None = None) -> Unpacked:
        """The readable files inside a ZIP or e-mail, put into ``to``. Raises DocumentError, Stopped."""
        self._check(file)
        to.mkdir(parents=True, exist_ok=True)
        request = {"do": "unpack", "file": str(file.absolute()), "kind": kind, "to": str(to.absolute()),
                   "limit": self._file_limit}  # fmt: skip
        answer = _good(self._ask(request, progress))
        files = tuple((name, Path(place)) for name, place in answer["files"])
        return Unpacked(files, tuple((name, why) for name, why in answer["left_out"]))

    def picture(self, file: Path, page: int, width: int) -> bytes:
        """A page of a PDF as a JPEG. Raises DocumentError."""
        self._check(file)
        answer = _good(self._ask({"do": "picture", "file": str(file.absolute()), "page": page, "width": width}))
        return base64.b64decode(answer["picture"])

    def close(self) -> None:
        """End the child process; the next ``read`` starts a new one."""
        with self._lock:
            self._end()

    def _check(self, file: Path) -> None:
        try:
            size = file.stat().st_size
        except OSError:
            raise DocumentError(
                "The file cannot be opened.", "Check that it is still there, and add it again."
            ) from None
        if size == 0:
            raise DocumentError("The file is empty.", "Check that it was saved, or leave it out.", status="empty")
        if size > self._file_limit:
            raise DocumentError(
                f"The file has {_megabytes(size)}; the limit is {_megabytes(self._file_limit)}.",
                "Split it, or take pictures out of it.",
                status="too large",
            )

    def _recognised(self, file: Path, parsed: Parsed, progress: Progress | None) -> Parsed:
        """The document with the text of its scanned pages, page by page."""
        wanted = [page.number for page in parsed.pages if page.state == "picture"]
        texts: dict[int, str] = {}
        for done, number in enumerate(wanted):
            said = f"Recognising text, page {number} of {len(parsed.pages)}"
            if progress is not None:
                progress(done, len(wanted), said)
            noted = None if progress is None else lambda *_, d=done, s=said: progress(d, len(wanted), s)
            answer = self._ask({"do": "recognise", "file": str(file.absolute()), "page": number}, noted)
            texts[number] = answer.get("text", "")
        read = [number for number in wanted if texts[number].strip()]
        if not read and len(wanted) == len(parsed.pages):
            raise DocumentError("It has pictures on which no text could be recognised.",
                                "Add a copy with text, or leave it out.", status="scanned")  # fmt: skip
        pages = tuple(
            replace(page, text=texts[page.number], state="text") if page.number in read else page
            for page in parsed.pages
        )
        left = [number for number in wanted if number not in read]
        notes = [note for note in parsed.notes if "without text" not in note]
        notes += [pictures_said(left, len(pages))] if left else []
        if read:
            said = counted(len(read), "page was", "pages were")
            notes.append(f"{said} read by text recognition, which may misread: {pages_said(read)}.")
        return replace(parsed, pages=pages, notes=tuple(notes))

    def _ask(self, request: dict[str, Any], progress: Progress | None = None) -> dict[str, Any]:
        with self._lock:
            return self._asked(request, progress)

    def _asked(self, request: dict[str, Any], progress: Progress | None) -> dict[str, Any]:
        child = self._running()
        watch = _Watch(child, self._seconds, progress)
        try:
            assert child.stdin is not None and child.stdout is not None
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()
            line = child.stdout.readline(_REPLY_BYTES)
        except OSError:  # the child is gone; how it went tells why
            line = b""
        finally:
            watch.over()
        if watch.stopped is not None:
            self._end()
            raise watch.stopped
        if not line.endswith(b"\n"):
            return self._buried(child, watch.late)
        answer: dict[str, Any] = json.loads(line)
        self._served += 1
        if answer.get("last") or self._served >= self._renew_after:
            self._end()
        return answer

    def _buried(self, child: subprocess.Popen[bytes], late: bool) -> dict[str, Any]:
        """Why there was no reply, in words."""
        child.kill()
        code = child.wait()
        self._end()
        if late or code == -getattr(signal, "SIGXCPU", 0):
            happened = f"Reading it took longer than {self._seconds:.0f} seconds."
            remedy = "Split it into smaller files, or save it again in its own program."
        else:
            happened = "Reading it broke off: it is damaged, or it needs more memory than is allowed."
            remedy = "Save it again in its own program, or split it into smaller files."
        return {"status": "unreadable", "happened": happened, "remedy": remedy, "details": f"exit code {code}"}

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self._end()
        self._scratch = tempfile.mkdtemp(prefix="ragtune-reading-")
        self._child = subprocess.Popen(
            [sys.executable, "-s", "-m", "ragtune_ui.engine.parsing"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._scratch,
            env=_environment(self._scratch),
        )
        atexit.register(self.close)
        return self._child

    def _end(self) -> None:
        child, self._child, self._served = self._child, None, 0
        if child is not None:
            atexit.unregister(self.close)
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    _close_quietly(pipe)
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = ""


class _Watch:
    """Looks after one request from a thread of its own: ends the child when time is up or the person stops."""

    def __init__(self, child: subprocess.Popen[bytes], seconds: float, progress: Progress | None) -> None:
        self.late = False
        self.stopped: BaseException | None = None
        self._child, self._progress = child, progress
        self._until = time.monotonic() + seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, name="reading-watch", daemon=True)
        self._thread.start()

    def over(self) -> None:
        """The reply is in, or will never come."""
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(max(0.0, min(_LOOK, self._until - time.monotonic()))):
            if time.monotonic() >= self._until:
                self.late = True
            elif self._progress is not None:
                try:
                    self._progress(0, 1, "")
                except BaseException as error:  # raised again in the thread that asked
                    self.stopped = error
            if self.late or self.stopped is not None:
                self._child.kill()
                return


def _good(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer. Raises DocumentError where it is a problem."""
    if "happened" in answer:
        raise DocumentError(answer["happened"], answer["remedy"], answer.get("details", ""), status=answer["status"])
    return answer


def _environment(scratch: str) -> dict[str, str]:
    """What the child sees: nothing of the person's own environment but what starting Python needs.

    Few threads, because each reserves address space and that is limited.
    """
    kept = {key: os.environ[key] for key in ("SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV") if key in os.environ}
    return kept | {
        "PATH": os.defpath,
        "PYTHONPATH": str(_ROOT),
        "PYTHONIOENCODING": "utf-8",
        **({"PYTHONDONTWRITEBYTECODE": "1"} if sys.dont_write_bytecode else {}),
        "HOME": scratch,
        "TMPDIR": scratch,
        "TEMP": scratch,
        "TMP": scratch,
        "MALLOC_ARENA_MAX": "2",
        "RAYON_NUM_THREADS": "2",
        "TOKIO_WORKER_THREADS": "2",
    }


def _close_quietly(pipe: Any) -> None:
    with contextlib.suppress(OSError):  # unsent bytes to a child that is gone
        pipe.close()


def _megabytes(size: int) -> str:
    return f"{size / 1024**2:.0f} MB" if size >= 1024**2 else f"{size / 1024:.0f} KB"

"""Reader: files to text, in a child process that a hostile file may break and the program outlives."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from ragtune_ui.domain.documents import Page, Parsed
from ragtune_ui.domain.errors import DocumentError

_ROOT = Path(__file__).resolve().parents[2]
_REPLY_BYTES = 120 * 1024**2  # a reply longer than this is no reply: text is limited to 50 MB


class DocumentReader:
    """Reads PDF, DOCX, HTML, Markdown and text (``ports.Reader``).

    One child process serves file after file, because starting one costs more than reading most
    files. It is replaced after ``renew_after`` files, a crash or a time-out, and ends with this
    process: its pipe closes.
    """

    def __init__(self, file_limit: int = 200 * 1024**2, seconds: float = 90.0, renew_after: int = 500) -> None:
        self._file_limit = file_limit  # bytes
        self._seconds = seconds  # of wall time for one file
        self._renew_after = renew_after
        self._child: subprocess.Popen[bytes] | None = None
        self._scratch = ""
        self._served = 0
        self._lock = threading.Lock()

    def read(self, file: Path, kind: str) -> Parsed:
        """Title, pages and notes of one file.

        Raises:
            DocumentError: with a status of ``documents.Status`` and a sentence that starts with
                "It" or "The file", for every file that gives no text.
        """
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
        request = {"file": str(file.absolute()), "kind": kind, "stem": file.stem}
        with self._lock:
            answer = self._ask(request)
        if "happened" in answer:
            raise DocumentError(
                answer["happened"], answer["remedy"], answer.get("details", ""), status=answer["status"]
            )
        pages = tuple(Page(number, text) for number, text in enumerate(answer["pages"], start=1))
        return Parsed(answer["title"], pages, tuple(answer["notes"]))

    def close(self) -> None:
        """End the child process; the next ``read`` starts a new one."""
        with self._lock:
            self._end()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        child = self._running()
        late = threading.Event()

        def stop() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(self._seconds, stop)
        timer.daemon = True
        timer.start()
        try:
            assert child.stdin is not None and child.stdout is not None
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()
            line = child.stdout.readline(_REPLY_BYTES)
        except OSError:  # the child is gone; how it went tells why
            line = b""
        finally:
            timer.cancel()
        if not line.endswith(b"\n"):
            return self._buried(child, late.is_set())
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


def _environment(scratch: str) -> dict[str, str]:
    """What the child sees: nothing of the person's own environment but what starting Python needs.

    Few threads, because each reserves address space and that is limited.
    """
    kept = {key: os.environ[key] for key in ("SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV") if key in os.environ}
    return kept | {
        "PATH": os.defpath,
        "PYTHONPATH": str(_ROOT),
        "PYTHONIOENCODING": "utf-8",
        "PYTHONDONTWRITEBYTECODE": "1",
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

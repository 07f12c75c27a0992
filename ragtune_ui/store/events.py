"""The event log: append, read after. One file a job; what is shown of it is folded elsewhere."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ragtune_ui.domain.runs import Event, Job, Kind, fold, from_line, to_line
from ragtune_ui.store.files import append_line

_SYNCED = frozenset({"asked", "started", "checkpoint", "result", "finished", "stopped", "failed", "interrupted"})


class EventLog:
    """One append-only log. Several threads and processes may append; sequence numbers only ever grow."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._events: list[Event] = []
        self._lock = threading.RLock()

    def append(self, kind: Kind, **data: Any) -> Event:
        """One more event. State changes are on the disk when this returns; metrics may lag a moment."""
        with self._lock:
            event = Event(self._last(self.read()) + 1, time.time(), kind, _writable(data))
            append_line(self.path, to_line(event), sync=kind in _SYNCED)
        return event

    def read(self, after: int = 0) -> list[Event]:
        """Events with a sequence number above ``after``; reads only what was added since last time.

        A last line without its newline is not there yet; a line that fails its checksum is left out.
        """
        with self._lock:
            try:
                size = self.path.stat().st_size
            except FileNotFoundError:
                size = 0
            if size < self._offset:
                self._offset, self._events = 0, []
            if size > self._offset:
                self._take(self._added())
            return [e for e in self._events if e.seq > after] if after else list(self._events)

    def _added(self) -> bytes:
        with self.path.open("rb") as f:
            f.seek(self._offset)
            added = f.read()
        return added[: added.rfind(b"\n") + 1]

    def _take(self, whole: bytes) -> None:
        self._offset += len(whole)
        # Split at newlines alone: text may hold other characters that end a line for ``splitlines``.
        for line in whole.split(b"\n")[:-1]:
            event = from_line(line.decode("utf-8", errors="replace") + "\n")
            if event is None:
                continue
            # Two processes may draw the same number at once: then the place in the log decides.
            last = self._last(self._events)
            self._events.append(event if event.seq > last else replace(event, seq=last + 1))

    @staticmethod
    def _last(events: list[Event]) -> int:
        return events[-1].seq if events else 0


def _writable(data: dict[str, Any]) -> dict[str, Any]:
    """The payload with halves of characters (from broken file names) as "?": they cannot be written."""
    text = json.dumps(data, ensure_ascii=False)
    found: dict[str, Any] = json.loads(text.encode("utf-8", "replace"))
    return found


_logs: dict[Path, tuple[EventLog, Event | None, Job]] = {}
_looking = threading.Lock()


def job_of(folder: Path) -> Job | None:
    """The job that a folder's log tells of; folded again only when the log has grown."""
    path = folder / "events.jsonl"
    with _looking:
        log, seen, job = _logs.get(path, (EventLog(path), None, Job(id=folder.name)))
        events = log.read()
        if not events:
            return None
        if events[-1] != seen:
            job = fold(folder.name, events)
            _logs[path] = (log, events[-1], job)
        return job

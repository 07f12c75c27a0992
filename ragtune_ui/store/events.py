"""The event log: append, read after. One file a job; what is shown of it is folded elsewhere."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ragtune_ui.domain.runs import Event, Job, Kind, fold, from_line, to_line
from ragtune_ui.store.files import append_line

_SYNCED = frozenset({"asked", "started", "checkpoint", "result", "finished", "stopped", "failed", "interrupted"})


class EventLog:
    """One append-only log. Several processes may append; sequence numbers only ever grow."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._events: list[Event] = []

    def append(self, kind: Kind, **data: Any) -> Event:
        """One more event. State changes are on the disk when this returns; metrics may lag a moment."""
        last = self.read()[-1].seq if self.read() else 0
        event = Event(last + 1, time.time(), kind, data)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        append_line(self.path, to_line(event), sync=kind in _SYNCED)
        return event

    def read(self, after: int = 0) -> list[Event]:
        """Events with a sequence number above ``after``; reads only what was added since last time.

        A last line without its newline is not there yet; a line that fails its checksum is left out.
        """
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            self._offset, self._events = 0, []
            return []
        if size < self._offset:
            self._offset, self._events = 0, []
        if size > self._offset:
            with self.path.open("rb") as f:
                f.seek(self._offset)
                added = f.read()
            whole = added[: added.rfind(b"\n") + 1]
            self._offset += len(whole)
            for line in whole.decode("utf-8", errors="replace").splitlines(keepends=True):
                event = from_line(line)
                if event is not None:
                    self._events.append(event)
        return [e for e in self._events if e.seq > after] if after else list(self._events)


_logs: dict[Path, tuple[EventLog, int, Job]] = {}


def job_of(folder: Path) -> Job | None:
    """The job that a folder's log tells of; folded again only when the log has grown."""
    path = folder / "events.jsonl"
    log, seen, job = _logs.get(path, (EventLog(path), 0, Job(id=folder.name)))
    events = log.read()
    if not events:
        return None
    if len(events) != seen or seen == 0:
        job = fold(folder.name, events)
        _logs[path] = (log, len(events), job)
    return job

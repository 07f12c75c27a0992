"""Trash: folders moved aside, until they come back, are deleted for good, or have lain there for a week."""

from __future__ import annotations

import datetime
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ragtune_ui.domain.errors import ProjectError
from ragtune_ui.store import files

KEPT = datetime.timedelta(days=7)
_MARK = "discarded.json"  # when; times of the file system change with copies, and mean other things on Windows
_GOING = ".gone-"


def throw(folder: Path, trash: Path) -> None:
    """Move a folder to the trash; one of its name there goes."""
    trash.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(trash / folder.name, ignore_errors=True)
    _mark(folder)
    folder.replace(trash / folder.name)


def take_back(held: Path, final: Path) -> None:
    """Move a folder out of the trash."""
    held.replace(final)
    (final / _MARK).unlink(missing_ok=True)


def held(trash: Path, record: str) -> list[Path]:
    """The files of one name in the folders in the trash, the latest first."""
    paths = [p for p in trash.glob(f"*/{record}") if not p.parent.name.startswith(".")]
    return sorted(paths, key=lambda p: (_since(p.parent) or _EVER, p.parent.stat().st_ctime), reverse=True)


def delete(folder: Path) -> None:
    """Delete a folder for good.

    Raises:
        ProjectError: some of its files could not be deleted; the rest goes at the next start.
    """
    going = folder.with_name(f"{_GOING}{uuid.uuid4().hex[:8]}")  # so that no half of it can come back
    try:
        folder.replace(going)
        shutil.rmtree(going)
    except OSError as error:
        raise ProjectError(
            "Not all of it could be deleted.", "Close what has its files open; the rest goes when RAGTune starts next.",
            str(error),
        ) from error  # fmt: skip


def overdue(trash: Path) -> Iterator[str]:
    """Names of the folders that have lain there for longer than ``KEPT``; sweeps what was not wholly deleted.

    The week of what an earlier version of RAGTune moved there begins with the first look.
    """
    for folder in sorted(trash.iterdir()) if trash.is_dir() else ():
        since = _since(folder)
        if folder.name.startswith(_GOING):
            shutil.rmtree(folder, ignore_errors=True)
        elif since is None:
            with suppress(ProjectError):
                _mark(folder)
        elif _now() - since > KEPT:
            yield folder.name


_EVER = datetime.datetime.min.replace(tzinfo=datetime.UTC)


def _mark(folder: Path) -> None:
    files.write_record(folder / _MARK, {"at": _now().isoformat()})


def _since(folder: Path) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(files.read_json(folder / _MARK)["at"])
    except (ProjectError, ValueError, TypeError, KeyError):
        return None


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)

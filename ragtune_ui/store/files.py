"""Files that survive: atomic writes, strict reads, folders published whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from ragtune_ui.domain.errors import ProjectError, RagtuneError
from ragtune_ui.domain.records import from_record, to_record

T = TypeVar("T")
MANIFEST = "manifest.json"
_HIDDEN = ".new-"
_ASIDE = re.compile(r"\.new-old-[0-9a-f]{8}-(.+)")


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step: a reader sees the old text or the new, never a part."""
    # Halves of characters, as broken file names have them, cannot be written: each becomes "?".
    write_bytes(path, text.encode("utf-8", "replace"))


def write_bytes(path: Path, data: bytes) -> None:
    new = path.with_name(f"{_HIDDEN}{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new.open("wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        _replace(new, path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise _in_words(error) from error


def write_record(path: Path, thing: Any) -> None:
    """A dataclass (or plain values) as readable JSON."""
    write_text(path, json.dumps(to_record(thing), ensure_ascii=False, indent=1) + "\n")


def read_record(path: Path, kind: type[T]) -> T:
    """The dataclass in a JSON file.

    Raises:
        ProjectError: the file is missing, torn or of another make.
    """
    record = read_json(path)
    try:
        return from_record(kind, record)
    except RagtuneError as error:
        raise _unreadable(path, error) from error


def read_json(path: Path) -> Any:
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error


def read_text(path: Path) -> str:
    """The text of a file, line ends as they are. Raises ProjectError where it is missing or damaged."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise ProjectError(f"A file of this project is missing: {path.name}.", "Restore it from a backup.") from error
    except (ValueError, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ProjectError:
    return ProjectError(
        f"A file of this project cannot be read: {path.name}.",
        "Restore it from a backup; the rest of the project is untouched.",
        str(error),
    )


def write_records(path: Path, things: Iterable[Any]) -> None:
    """Many dataclasses, one JSON line each, replaced in one step."""
    write_text(path, "".join(json.dumps(to_record(t), ensure_ascii=False) + "\n" for t in things))


def read_records(path: Path, kind: type[T]) -> list[T]:
    """The dataclasses of a JSON-lines file; none where there is no file. A torn last line is left out.

    Raises:
        ProjectError: a complete line cannot be read.
    """
    if not path.exists():
        return []
    found: list[T] = []
    for number, line in _whole_lines(path):
        try:
            found.append(from_record(kind, json.loads(line)))
        except (ValueError, RagtuneError) as error:
            raise ProjectError(
                f"Line {number} of {path.name} cannot be read.", "Restore the file from a backup.", str(error)
            ) from error
    return found


def append_line(path: Path, line: str, sync: bool = True) -> None:
    """One write on an append-only descriptor. A torn tail left by a crash is first closed with a newline."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(fd).st_size
            if size and os.pread(fd, 1, size - 1) != b"\n":
                line = "\n" + line
            data = line.encode()
            if os.write(fd, data) < len(data):  # a nearly full disk takes a part and reports no error
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise _in_words(error) from error


def _whole_lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8", errors="replace", newline="\n") as f:
        for number, line in enumerate(f, start=1):
            if line.endswith("\n") and line.strip():
                yield number, line


_cache: dict[Path, tuple[tuple[int, int, int] | None, type, Any]] = {}


def cached(path: Path, kind: type[T], read: Callable[[Path, type[T]], Any]) -> Any:
    """``read(path, kind)``, done again only when the file has changed."""
    stamp = _stamp(path)
    if stamp is None:
        return read(path, kind)
    held = _cache.get(path)
    if held is None or held[0] != stamp or held[1] is not kind:
        held = (stamp, kind, read(path, kind))
        _cache[path] = held
    return held[2]


_derived: dict[Hashable, tuple[list[Any], Any]] = {}


def derived(what: Hashable, rests_on: Iterable[Path], make: Callable[[], T]) -> T:
    """``make()``, done again only when one of the files that it rests on has changed, come or gone. ``what`` names
    it, with its folder; one answer is kept of each."""
    stamps = [(path, _stamp(path)) for path in rests_on]  # before ``make``, lest a change meanwhile be missed
    held = _derived.get(what)
    if held is None or held[0] != stamps:
        held = (stamps, make())
        _derived[what] = held
    found: T = held[1]
    return found


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes with a file; None where there is none."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    # Clocks of file systems tick in milliseconds: two writes of one size may share a time, not an inode.
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def publish(final: Path, write: Callable[[Path], None]) -> None:
    """Fill a hidden sibling folder with ``write``, then make it appear whole under its name.

    The manifest (size and sha256 of every file) is written last: its presence means complete.
    An older folder of that name is replaced.
    """
    hidden = final.with_name(f"{_HIDDEN}{os.getpid()}-{uuid.uuid4().hex[:8]}-{final.name}")
    try:
        hidden.mkdir(parents=True)
        write(hidden)
        files = {}
        for path in sorted(p for p in hidden.rglob("*") if p.is_file()):
            _sync_file(path)
            files[path.relative_to(hidden).as_posix()] = [path.stat().st_size, _sha256(path)]
        write_text(hidden / MANIFEST, json.dumps(files, indent=1) + "\n")
        _exchange(hidden, final)
    except OSError as error:
        raise _in_words(error) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _exchange(hidden: Path, final: Path) -> None:
    """Give ``hidden`` its final name. Folders cannot be replaced in one step, so an older one is set
    aside first; it comes back when the new one cannot take its place (here, or in ``sweep``)."""
    old = None
    if final.exists():
        old = final.with_name(f"{_HIDDEN}old-{uuid.uuid4().hex[:8]}-{final.name}")
        _replace(final, old)
    try:
        _replace(hidden, final)
    except OSError:
        if old is not None:
            _replace(old, final)
        raise
    _sync_folder(final.parent)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def verified(folder: Path) -> bool:
    """True where a published folder is complete and unchanged since."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return all(
            (folder / name).stat().st_size == size and _sha256(folder / name) == digest
            for name, (size, digest) in files.items()
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return False


def sweep(folder: Path, older_than: float = 3600.0) -> None:
    """Remove what interrupted writes left behind, once it is older than ``older_than`` seconds; a
    folder that was set aside and never replaced comes back. Not to be called while others publish."""
    for left in list(folder.glob(f"{_HIDDEN}*")):
        aside = _ASIDE.fullmatch(left.name)
        with suppress(OSError):
            if aside and not (folder / aside[1]).exists():
                left.replace(folder / aside[1])
            elif time.time() - left.stat().st_mtime < older_than:
                continue
            elif left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink()


def _sha256(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _replace(new: Path, final: Path) -> None:
    # Virus scanners hold new files open for a moment on some systems.
    for _ in range(5):
        try:
            new.replace(final)
            return
        except PermissionError:
            time.sleep(0.05)
    new.replace(final)


def _sync_file(path: Path) -> None:
    with path.open("rb") as f:
        os.fsync(f.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _in_words(error: OSError) -> ProjectError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ProjectError("The disk is full.", "Free some space and try again; nothing was lost.", str(error))
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return ProjectError(
            "The project folder cannot be written to.",
            "Check its permissions, or move it to another disk; nothing was lost.",
            str(error),
        )
    return ProjectError(
        "The project folder cannot be reached.", "Check the disk and try again; nothing was lost.", str(error)
    )

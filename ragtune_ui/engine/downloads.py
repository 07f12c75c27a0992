"""Downloads: hub models, fetched whole and checked, or a sentence why not."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragtune_ui.domain.errors import ModelError
from ragtune_ui.domain.ports import Progress

MARK = "ragtune-model.json"  # written last: its presence means complete
WANTED = re.compile(r"^((?!consolidated)[^/]+\.(safetensors|json|txt|model|jinja)|README\.md|LICENSE[^/]*)$")
_ID = re.compile(r"^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$")
SPARE = 1.1  # of the download's size must be free


@dataclass(frozen=True)
class Part:
    """One file to fetch: bytes, and its sha256 where the hub names it."""

    name: str
    size: int
    sha256: str = ""


class Hub:
    """Models fetched from the hub into a folder of this program, one subfolder each."""

    def __init__(self, folder: Path, network: bool) -> None:
        self._home, self._network = folder, network

    def place(self, id: str) -> Path | None:
        """The folder of a model that was fetched whole; None where it is not here.

        Raises:
            ModelError: not a name that the hub could know.
        """
        if not _ID.match(id) or ".." in id:
            raise ModelError(f"“{id}” is not a model's name.", "Write owner/name, or the full path of a folder.")
        place = self._home / id.replace("/", "--")
        return place if (place / MARK).is_file() else None

    def fetch(self, id: str, progress: Progress, allowed: bool, inspect: Callable[[Path], Any]) -> Path:
        """Fetch a model, its revision pinned, check every file and publish the folder whole.

        What an interrupted try fetched is used by the next one.

        Raises:
            ModelError: not allowed, no network, unknown, not open, no room, damaged, or unsafe.
        """
        self._allow(id, allowed)
        with _in_words(id):
            revision, parts = self._ask(id)
            _refuse_without_weights(id, [p.name for p in parts])
            hidden = self._home / f".part-{id.replace('/', '--')}-{revision[:12]}"
            self._make_room(id, hidden, parts)
            total, before = sum(p.size for p in parts), 0
            progress(0, total, f"Downloading {id}")
            for part in sorted(parts, key=lambda p: p.size):
                self._get(
                    id, revision, part.name, hidden, _counting(progress, before, total, f"Downloading {part.name}")
                )
                _check(hidden / part.name, part)
                before += part.size
                progress(before, total, f"Fetched {part.name}")
        inspect(hidden)
        return self._publish(id, revision, hidden)

    def _allow(self, id: str, allowed: bool) -> None:
        if not allowed:
            raise ModelError(f"The model {id} is not on this computer yet.", "Press Download on the Train page first.")
        if not self._network:
            raise ModelError(
                "Downloads are switched off.",
                "Start RAGTune with RAGTUNE_NETWORK=on python app.py, or copy the model's folder here and choose that.",
            )
        from huggingface_hub import is_offline_mode

        if is_offline_mode():
            raise ModelError(
                "The setting HF_HUB_OFFLINE keeps this computer off the model hub.",
                "Start RAGTune without it, or copy the model's folder here and choose that.",
            )

    def _ask(self, id: str) -> tuple[str, list[Part]]:
        """The commit to pin and the files to fetch, with sizes and hashes."""
        from huggingface_hub import HfApi

        info = HfApi().model_info(id, files_metadata=True, timeout=20)
        parts = [
            Part(f.rfilename, int(f.size or 0), str(f.lfs.sha256) if f.lfs else "")
            for f in info.siblings or []
            if WANTED.match(f.rfilename)
        ]
        return str(info.sha), parts

    def _get(self, id: str, revision: str, name: str, to: Path, bar: type) -> None:
        from huggingface_hub import hf_hub_download

        hf_hub_download(id, name, revision=revision, local_dir=to, tqdm_class=bar)

    def _make_room(self, id: str, hidden: Path, parts: Sequence[Part]) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        for stale in self._home.glob(f".part-{id.replace('/', '--')}-*"):
            if stale != hidden:  # a part of an older revision is of no use any more
                shutil.rmtree(stale, ignore_errors=True)
        hidden.mkdir(exist_ok=True)
        held = sum(f.stat().st_size for f in hidden.rglob("*") if f.is_file())
        need = SPARE * sum(p.size for p in parts) - held
        free = shutil.disk_usage(self._home).free
        if free < need:
            raise ModelError(
                f"There is not enough room for {id}: {need / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free.",
                "Free some space on that disk, or choose a smaller model.",
            )

    def _publish(self, id: str, revision: str, hidden: Path) -> Path:
        final = self._home / id.replace("/", "--")
        shutil.rmtree(hidden / ".cache", ignore_errors=True)
        mark = hidden / MARK
        mark.write_text(json.dumps({"id": id, "revision": revision}) + "\n", encoding="utf-8")
        for file in hidden.iterdir():
            with file.open("rb") as f:
                os.fsync(f.fileno())
        if final.exists():  # without its mark, or place() would have found it
            shutil.rmtree(final)
        hidden.replace(final)
        return final


def _refuse_without_weights(id: str, names: Sequence[str]) -> None:
    if not any(name.endswith(".safetensors") for name in names):
        raise ModelError(
            f"{id} has no weights in the safetensors format.", "Choose another model; older formats could run code."
        )


def _check(file: Path, part: Part) -> None:
    """Size and, where known, sha256 of a fetched file; a damaged one is removed, so that it is fetched anew."""
    whole = file.stat().st_size == part.size
    if whole and part.sha256:
        with file.open("rb") as f:
            whole = hashlib.file_digest(f, "sha256").hexdigest() == part.sha256
    if not whole:
        file.unlink()
        raise ModelError(f"{part.name} arrived damaged.", "Press Download again; what arrived whole is kept.")


def _counting(progress: Progress, before: int, total: int, note: str) -> type:
    """A class with tqdm's manners that reports bytes; a Stopped from ``progress`` ends the download."""

    class Bar:
        def __init__(self, *args: Any, **given: Any) -> None:
            self.n, self.total = int(given.get("initial") or 0), given.get("total")

        def update(self, n: float = 1) -> None:
            self.n += int(n or 0)
            progress(min(before + self.n, total), total, note)

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *error: object) -> None:
            return None

        def __getattr__(self, name: str) -> Callable[..., None]:
            if name.startswith("_") or name == "update_transfer":
                raise AttributeError(name)
            return lambda *args, **given: None

    return Bar


class _in_words:
    """Turns what a download can fail of into a sentence with a remedy."""

    def __init__(self, id: str) -> None:
        self._id = id

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, ModelError) or not isinstance(error, Exception):
            return
        said = _sentence(self._id, error)
        if said is not None:
            raise ModelError(*said, f"{type(error).__name__}: {error}") from error


def _sentence(id: str, error: Exception) -> tuple[str, str] | None:
    """What happened and what to do, for the errors of the hub, the network and the disk; None for others."""
    from huggingface_hub import errors

    again = "Check the connection, then press Download again; what arrived whole is kept."
    if isinstance(error, errors.GatedRepoError):
        return (
            f"{id} is only given to people who accepted its terms.",
            "Choose an open model, or copy its folder here.",
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return (f"The hub does not know a public model named {id}.", "Check the spelling: owner/name.")
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        return ("The model hub could not be reached.", again)
    if isinstance(error, errors.HfHubHTTPError):
        code = getattr(getattr(error, "response", None), "status_code", None)
        if code == 429:
            return ("The model hub asks to slow down.", "Wait some minutes, then press Download again.")
        return (f"The model hub answered with an error{f' ({code})' if code else ''}.", "Try again in some minutes.")
    if isinstance(error, OSError) and error.errno in (28, 122):
        return ("The disk is full.", "Free some space, then press Download again; what arrived whole is kept.")
    network = type(error).__module__.split(".")[0] in ("httpx", "httpx2", "httpcore", "requests", "urllib3")
    if network or isinstance(error, ConnectionError | TimeoutError):
        return ("The connection to the model hub was lost or could not be made.", again)
    if isinstance(error, OSError):
        return ("The download broke off.", again)
    return None

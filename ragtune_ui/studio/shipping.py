"""Take-away desk: adapter and merged weights, with the prompt contract, proven to repeat themselves."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ragtune_ui.domain.errors import ShippingError
from ragtune_ui.domain.examples import Message
from ragtune_ui.domain.records import to_record
from ragtune_ui.store import files
from ragtune_ui.store.projects import Project, now
from ragtune_ui.studio.chat import ANSWER_TOKENS, fitted
from ragtune_ui.studio.jobs import Task

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

CHECKS = 5
PARTS = {"adapter": "Adapter (small; needs the original model)", "merged": "Whole model (adapter merged in)"}
WORDS = 2**20  # bytes for the model card, the prompt contract and the manifest, amply
GROWS_UP_TO = 2**31  # bytes of weights in 32 bits, up to which the exporter may turn to them
TAKEN_ALONG = (".safetensors", ".json", ".jinja", ".txt", ".model")


@dataclass(frozen=True)
class Shipment:
    """An export that lies ready."""

    folder: Path
    archive: Path
    run: str
    same: int  # answers that came out the same after loading it again
    of: int
    size: int  # bytes
    made: str
    behind: bool = False  # the run was trained on since: these are weights that it no longer has


class Shipping:
    """What a person can ask for on the Take away page."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def export(self, project: Project, run: str, parts: Sequence[str]) -> str:
        """Export a run (the latest usable one for "", or for one of another project) in the background; returns the
        job's id.

        Raises:
            ShippingError: nothing is chosen, nothing is there to export, or the disk is too full. Busy.
        """
        if not parts or any(p not in PARTS for p in parts):
            raise ShippingError("Nothing is chosen to take away.", "Choose the adapter, the whole model, or both.")
        usable = [j.id for j in self._studio.training.usable(project)]
        if not usable:
            raise ShippingError("There is no trained model to take away yet.", "Train one first.")
        chosen = self._studio.training.chosen(project, run)
        if chosen not in usable:
            raise ShippingError("This training left no result to take away.", "Choose a finished one.")

        def work(task: Task) -> str:
            shipment = self.pack(project, chosen, parts, task)
            return f"Ready: same {shipment.same} of {shipment.of} answers after loading it again."

        return self._studio.jobs.start(project, "ship", "Packing the model", work)

    def sizes(self, project: Project, run: str) -> dict[str, int]:
        """Bytes of each part that a run has, as it is written first. Raises ModelError."""
        adapter = project.adapter(run)
        if adapter is None:
            return {}
        model = self._studio.model_folder(project.sheet(run).model)
        along = [p for p in model.iterdir() if p.suffix in TAKEN_ALONG]
        return {"adapter": _bytes(adapter.rglob("*")), "merged": _bytes(along)}

    def needed(self, project: Project, run: str, parts: Sequence[str]) -> int:
        """Bytes that have to be free to pack the parts, as a folder and as a zip; 0 where there is nothing to pack.
        Raises ModelError."""
        sizes = self.sizes(project, run)
        chosen = sum(sizes.get(part, 0) for part in parts)
        if "merged" in parts and "merged" in sizes:
            chosen += _growth(self._studio.model_folder(project.sheet(run).model))
        return 2 * (chosen + WORDS) if chosen else 0

    def pack(self, project: Project, run: str, parts: Sequence[str], task: Task) -> Shipment:
        """The folder and zip of a run, loaded again and compared on up to five answers."""
        model, contract, adapter = self._studio.chat.setting(project, run)
        digest = project.adapter_digest(run)
        need = self.needed(project, run, parts)
        if shutil.disk_usage(project.folder).free < need:
            raise ShippingError(f"The disk needs {need / 1e6:,.0f} MB free for this.", "Free some space first.")
        task.progress(0, 4, "Asking five questions before packing")
        checks: list[tuple[Sequence[Message], str]] = []
        with self._studio.speakers.using(model, adapter) as speaker:
            for question in self._check_questions(project):
                found = self._studio.retrieval.search(project, [question])[0]
                given = fitted(speaker, contract, question, [p.chunk for p in found], ANSWER_TOKENS)
                prompt = contract.messages(question, given) if given else contract.closed_book(question)
                checks.append((prompt, speaker.answer([prompt], "tuned", ANSWER_TOKENS, _quiet)[0]))
        self._studio.speakers.release()
        task.progress(1, 4, "Writing the files")
        final = project.exports / run
        report: dict[str, object] = {}

        def write(folder: Path) -> None:
            found = self._studio.exporter().export(
                project.run_folder(run), model, folder, contract, list(parts), checks, task.progress
            )
            report.update(found)

        files.publish(final, write)
        task.progress(3, 4, "Making the zip")
        archive = final.with_suffix(".zip")
        _zip(final, archive)
        same, of = int(str(report["same"])), int(str(report["of"]))
        shipment = Shipment(final, archive, run, same, of, archive.stat().st_size, now())
        record = {**to_record(report), "made": shipment.made, "adapter": digest}
        files.write_record(project.exports / f"{run}.json", record)
        task.progress(4, 4, "Ready")
        task.result(run=run, same=same, of=of)
        return shipment

    def shipments(self, project: Project) -> list[Shipment]:
        """Exports that lie ready, the latest first."""
        found = []
        for path in project.exports.glob("run-*.json"):
            archive = path.with_suffix(".zip")
            if not archive.exists():
                continue
            report = files.read_json(path)
            run = path.stem
            size, now_has = archive.stat().st_size, project.adapter_digest(run)
            packed = report.get("adapter", "")  # "" in reports made before this was kept: not known to be behind
            behind = bool(packed and now_has) and packed != now_has
            found.append(
                Shipment(path.with_suffix(""), archive, run, report["same"], report["of"], size, report["made"], behind)
            )
        return sorted(found, key=lambda s: s.made, reverse=True)

    def _check_questions(self, project: Project) -> list[str]:
        held = [q.question for q in self._studio.verdicts.questions(project)]
        other = [q.question for q in project.questions() if q.accepted and q.question not in held]
        return (held + other)[:CHECKS] or ["What is this collection about?"]


def _growth(model: Path) -> int:
    """By how many bytes the merged weights may grow: in 16 bits a small model is written anew in 32 where the rounding
    changed an answer."""
    config = files.read_json(model / "config.json")
    weights = _bytes(model.glob("*.safetensors"))
    halves = (config.get("dtype") or config.get("torch_dtype")) in ("float16", "bfloat16")
    return weights if halves and 2 * weights <= GROWS_UP_TO else 0


def _bytes(paths: Iterable[Path]) -> int:
    return sum(p.stat().st_size for p in paths if p.is_file())


def _quiet(done: int, total: int, note: str) -> None:
    """Five short answers need no progress of their own."""


def _zip(folder: Path, archive: Path) -> None:
    new = archive.with_name(f".new-{archive.name}")
    try:
        # Weights do not compress: storing them is quicker by far.
        with zipfile.ZipFile(new, "w", zipfile.ZIP_STORED) as z:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                z.write(path, f"{folder.name}/{path.relative_to(folder).as_posix()}")
        new.replace(archive)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise ShippingError("The zip could not be written.", "Free some space, then pack again.", str(error)) from error

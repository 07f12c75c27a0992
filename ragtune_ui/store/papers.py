"""Papers: a project's documents on their shelf, in the trash, waiting to replace another, and replaced."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from ragtune_ui.domain.changes import Before
from ragtune_ui.domain.documents import Document, Parsed
from ragtune_ui.domain.errors import ProjectError
from ragtune_ui.domain.reports import Report, report_of
from ragtune_ui.store import files, trash

REPLACED = 20  # versions that are kept for the way back


class Papers:
    """The document shelves of a project; ``projects.Project`` is one."""

    folder: Path

    def documents(self) -> list[Document]:
        """All documents in the order they were added."""
        return sorted(_on(self.folder / "documents"), key=lambda d: (d.added, d.name))

    def shelf(self) -> list[Path]:
        """The files that change with every document on the shelf, and with which documents there are."""
        return sorted((self.folder / "documents").glob("*/document.json"))

    def document(self, id: str) -> Document:
        return next((d for d in self.documents() if d.id == id), None) or gone("That document")

    def keep_document(self, document: Document, parsed: Parsed | None, original: Path) -> None:
        """Put a document with its text, report and original on the shelf, whole or not at all. A file that
        gave no text is not copied: it may be huge, or not open at all."""
        self._keep("documents", document, parsed, original)

    def change_document(self, document: Document) -> None:
        files.write_record(self.folder / "documents" / document.id / "document.json", document)

    def text(self, document: str) -> str:
        return files.read_text(self.folder / "documents" / document / "text.md")

    def report(self, document: str) -> Report | None:
        """What reading the file gave; None for documents that were read before there were reports."""
        path = self.folder / "documents" / Path(document).name / "report.json"
        found: Report | None = files.cached(path, Report, files.read_record) if path.exists() else None
        return found

    def original(self, document: str) -> Path | None:
        """The file as it was added; None where it gave no text."""
        return next((self.folder / "documents" / Path(document).name).glob("original*"), None)

    def _keep(self, shelf: str, document: Document, parsed: Parsed | None, original: Path) -> None:
        def write(folder: Path) -> None:
            # Bytes, because text mode would change line ends, and with them every character span.
            (folder / "text.md").write_bytes((parsed.text if parsed else "").encode("utf-8", "replace"))
            if parsed is not None:
                shutil.copyfile(original, folder / f"original{Path(document.name).suffix.lower()[:12]}")
                files.write_record(folder / "report.json", report_of(parsed))
            files.write_record(folder / "document.json", document)

        files.publish(self.folder / shelf / document.id, write)

    def drop_document(self, id: str) -> None:
        """Take a row off the shelf that holds no text, as when a better copy of its file came in."""
        shutil.rmtree(self.folder / "documents" / Path(id).name, ignore_errors=True)

    def reread_document(self, document: Document, parsed: Parsed) -> None:
        """Replace the text and the report of a document by another reading of its own file."""
        original = self.original(document.id)
        if original is None:
            gone("The file of that document")
        self._keep("documents", document, parsed, original)

    # the trash -----------------------------------------------------------------------------

    def discard_document(self, id: str) -> None:
        """Move a document to the project's trash; ``restore_document`` brings it back."""
        self.document(id)
        trash.throw(self.folder / "documents" / id, self.folder / "trash")

    def restore_document(self, id: str) -> Document:
        """Bring a document back out of the trash.

        Raises:
            ProjectError: it is not there, or its file was added again since and reads otherwise: both stay.
        """
        if id not in {d.id for d in self.discarded_documents()}:
            gone("That document")
        held, final = self.folder / "trash" / id, self.folder / "documents" / id
        here = self.text(id) if final.exists() else ""
        if not here:
            self.drop_document(id)  # a row that says why the file could not be read again
            trash.take_back(held, final)
        elif here == self.discarded_text(id):  # the same file was added again in the meantime
            trash.delete(held)
        else:
            raise ProjectError(
                f"“{self.document(id).name}” was added again since and reads otherwise than the removed one.",
                "Use the one that is here. For another version of the file, add that version.",
            )
        return self.document(id)

    def discarded_text(self, id: str) -> str:
        """The text of a document in the trash; "" where there is none."""
        path = self.folder / "trash" / Path(id).name / "text.md"
        return files.read_text(path) if path.exists() else ""

    def discarded_documents(self) -> list[Document]:
        """Documents in the trash, the latest first."""
        held = trash.held(self.folder / "trash", "document.json")
        found = [(p.parent.name, files.cached(p, Document, files.read_record)) for p in held]
        return [document for name, document in found if document.id == name]  # what a file says is no path

    def delete_document(self, id: str) -> None:
        """Delete a document in the trash for good, with its earlier versions and the newer ones that wait for it.

        Raises:
            ProjectError: it is not in the trash, or not all of it could be deleted.
        """
        if id not in {d.id for d in self.discarded_documents()}:
            gone("That document")
        if id not in {d.id for d in self.documents()}:  # else the same file was added again in the meantime
            for old in self._replaced():
                if old.name.rpartition("-")[0] == id:
                    trash.delete(old)
            for newer in self.waiting():
                if newer.replaces == id:
                    self.drop_waiting(newer.id)
            self._forget_vectors()
        trash.delete(self.folder / "trash" / id)

    def empty_trash(self) -> None:
        """Delete what has lain in the trash for a week."""
        for id in trash.overdue(self.folder / "trash"):
            with suppress(ProjectError):
                self.delete_document(id)

    def _forget_vectors(self) -> None:
        """What a search model made of a text says something of it, too. The index has its own; that these are gone
        costs time where passages are cut anew, no more."""
        shutil.rmtree(self.folder / "vectors", ignore_errors=True)

    # new versions --------------------------------------------------------------------------

    def keep_waiting(self, document: Document, parsed: Parsed, original: Path) -> None:
        """Lay a new version aside until the person says what becomes of it. An older one that waits for the
        same document goes."""
        for other in self.waiting():
            if other.replaces == document.replaces:
                self.drop_waiting(other.id)
        self._keep("waiting", document, parsed, original)

    def waiting(self) -> list[Document]:
        """New versions that wait, in the order they were added."""
        return sorted(_on(self.folder / "waiting"), key=lambda d: (d.added, d.name))

    def waiting_text(self, id: str) -> str:
        return files.read_text(self.folder / "waiting" / Path(id).name / "text.md")

    def drop_waiting(self, id: str) -> None:
        shutil.rmtree(self.folder / "waiting" / Path(id).name, ignore_errors=True)

    def release_waiting(self, document: Document) -> None:
        """Put a version that waits on the shelf as a document of its own, beside the others."""
        own = replace(document, replaces="")
        self._publish(self.folder / "waiting" / document.id, self.folder / "documents" / document.id, own)
        self.drop_waiting(document.id)

    def replace_document(self, id: str, waiting: str, before: Before) -> Document:
        """Let a version that waits take the place of a document, under its id; the old one is kept with
        ``before`` for ``restore_version``."""
        old = self.document(id)
        new = next((d for d in self.waiting() if d.id == waiting), None) or gone("That new version")
        mine = replace(new, id=id, added=old.added, held_back=old.held_back, version=old.version + 1, replaces="")
        shelf, aside = self.folder / "documents" / id, self._aside(old)
        self._publish(shelf, aside, old, before)
        self._publish(self.folder / "waiting" / waiting, shelf, mine)
        self.drop_waiting(waiting)
        for left in self._replaced()[REPLACED:]:
            shutil.rmtree(left, ignore_errors=True)
        return mine

    def replaced(self) -> list[Document]:
        """Versions that were replaced and can come back, the one replaced last first."""
        here = {d.id: d.version for d in self.documents()}
        held = [files.read_record(folder / "document.json", Document) for folder in self._replaced()]
        return [d for d in held if here.get(d.id) == d.version + 1]

    def before(self, old: Document) -> Before:
        """What questions and judgements were when a version was replaced."""
        path = self._aside(old) / "before.json"
        return files.read_record(path, Before) if path.exists() else Before()

    def replaced_text(self, old: Document) -> str:
        """The text of a version that was replaced."""
        return files.read_text(self._aside(old) / "text.md")

    def restore_version(self, old: Document) -> None:
        """Put a replaced version back in its place, held back as the newer one is, which waits again."""
        shelf, aside = self.folder / "documents" / old.id, self._aside(old)
        newer = self.document(old.id)
        waits = replace(newer, id=f"{old.id}-{newer.version}", replaces=old.id, version=1)
        self._publish(shelf, self.folder / "waiting" / waits.id, waits)
        self._publish(aside, shelf, replace(old, held_back=newer.held_back))
        shutil.rmtree(aside, ignore_errors=True)

    def _aside(self, old: Document) -> Path:
        return self.folder / "replaced" / f"{old.id}-{old.version}"

    def _replaced(self) -> list[Path]:
        paths = [p.parent for p in (self.folder / "replaced").glob("*/document.json") if p.parent.name[0] != "."]
        return sorted(paths, key=lambda p: (p.stat().st_mtime_ns, p.name), reverse=True)

    def _publish(self, source: Path, final: Path, document: Document, before: Before | None = None) -> None:
        def write(folder: Path) -> None:
            for path in source.iterdir():
                if path.name not in ("document.json", "before.json", files.MANIFEST):
                    shutil.copyfile(path, folder / path.name)
            if before is not None:
                files.write_record(folder / "before.json", before)
            files.write_record(folder / "document.json", document)

        files.publish(final, write)


def _on(shelf: Path) -> list[Document]:
    paths = (p for p in shelf.glob("*/document.json") if not p.parent.name.startswith("."))
    return [files.cached(p, Document, files.read_record) for p in paths]


def gone(what: str) -> NoReturn:
    """Raise the error of something that another window removed."""
    raise ProjectError(f"{what} is no longer there.", "Reload the page; someone may have removed it.")

"""Documents desk: files in, text out, what went wrong said in words."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ragtune_ui.domain.documents import Document, Parsed, choose_held_back, kind_of
from ragtune_ui.domain.errors import DocumentError, RagtuneError
from ragtune_ui.store.projects import Project, now
from ragtune_ui.studio.jobs import Task

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

STATUS_WORDS = {
    "ready": "ready",
    "scanned": "scanned pictures",
    "password": "password",
    "empty": "empty",
    "unreadable": "not readable",
    "unsupported": "other kind of file",
    "too large": "too large",
}


@dataclass(frozen=True)
class DocumentRow:
    """One line of the table."""

    document: Document
    passages: int
    status: str  # in words
    questions: int  # accepted questions that rest on it


@dataclass(frozen=True)
class Added:
    """What became of a batch of files."""

    added: tuple[str, ...]
    already: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]  # (name, sentence)

    @property
    def sentence(self) -> str:
        """``37 files are in. 3 need you: ...``"""
        parts = [f"{_files(len(self.added))} in." if self.added else "No new file is in."]
        if self.already:
            parts.append(f"{_files(len(self.already))} already here.")
        if self.problems:
            parts.append(f"{_files(len(self.problems))} not read: see the table for what to do.")
        return " ".join(parts)


class Documents:
    """What a person can ask for on the Documents page."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def rows(self, project: Project) -> list[DocumentRow]:
        """The table, in the order of adding; files that need the person stand first."""
        passages: dict[str, int] = {}
        for chunk in project.chunks():
            passages[chunk.document] = passages.get(chunk.document, 0) + 1
        asked: dict[str, int] = {}
        for question in project.questions():
            if question.accepted:
                asked[question.document] = asked.get(question.document, 0) + 1
        rows = [
            DocumentRow(d, passages.get(d.id, 0), STATUS_WORDS[d.status], asked.get(d.id, 0))
            for d in project.documents()
        ]
        return sorted(rows, key=lambda r: r.document.ready)

    def add(self, project: Project, files: Sequence[tuple[str, Path]]) -> str:
        """Read files (name as the person knows it, place) and index them, in the background.

        Raises:
            DocumentError: there is no file. Busy: other heavy work runs.
        """
        if not files:
            raise DocumentError("No file was chosen.", "Choose PDF, Word, HTML, Markdown or text files.")
        title = f"Reading {_files(len(files))}"

        def work(task: Task) -> str:
            added = self.read(project, files, task)
            if added.added or self._studio.retrieval.behind(project):
                self._studio.retrieval.index(project, task)
            return added.sentence

        return self._studio.jobs.start(project, "documents", title, work)

    def read(self, project: Project, files: Sequence[tuple[str, Path]], task: Task) -> Added:
        """Read files onto the shelf, one by one; a bad one gets a row that says what to do and never
        stops the rest."""
        known = {d.digest: d for d in project.documents()}
        added: list[str] = []
        already: list[str] = []
        problems: list[tuple[str, str]] = []
        for done, (given, path) in enumerate(files):
            name = given.encode("utf-8", "replace").decode()  # names need not be text on every disk
            task.progress(done, len(files), f"Reading {name}")
            document, parsed = self._read_one(name, path)
            if document.digest in known and known[document.digest].ready:
                already.append(name)
                continue
            project.keep_document(document, parsed, path)
            known[document.digest] = document
            if document.ready:
                added.append(name)
            else:
                problems.append((name, document.problem))
        task.progress(len(files), len(files), "All files read")
        result = Added(tuple(added), tuple(already), tuple(problems))
        task.result(added=len(added), already=already, problems=[list(p) for p in problems])
        return result

    def _read_one(self, name: str, path: Path) -> tuple[Document, Parsed | None]:
        digest = "unread"
        try:
            if path.stat().st_size > self._studio.settings.file_limit:
                limit = self._studio.settings.file_limit // 2**20
                raise DocumentError(
                    f"It is larger than {limit} MB.", "Split it, or leave out its pictures.", status="too large"
                )
            with path.open("rb") as f:
                digest = hashlib.file_digest(f, "sha256").hexdigest()
            kind = kind_of(name)
            if kind is None:
                raise DocumentError(
                    "RAGTune does not read this kind of file.",
                    "Save it as PDF, Word (.docx), HTML, Markdown or text and add it again.",
                    status="unsupported",
                )
            parsed = self._studio.reader().read(path, kind)
        except DocumentError as error:
            return _document(name, kind_of(name) or "other", digest, path, None, error), None
        except OSError as error:
            problem = DocumentError("It could not be opened.", "Check that it still exists.", str(error))
            return _document(name, kind_of(name) or "other", digest, path, None, problem), None
        return _document(name, kind, digest, path, parsed, None), parsed

    def folder(self, folder: str) -> list[tuple[str, Path]]:
        """The readable files of a folder on this computer, sub-folders included.

        Raises:
            DocumentError: no such folder, or nothing in it that RAGTune reads.
        """
        try:
            root = Path(folder.strip()).expanduser()
        except RuntimeError:  # "~nobody"
            root = Path(folder)
        if not folder.strip() or not root.is_dir():
            raise DocumentError(f"There is no folder “{folder.strip()}” on this computer.", "Check the spelling.")
        found: list[tuple[str, Path]] = []
        for base, folders, names in os.walk(root):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            for name in sorted(names):
                path = Path(base) / name
                if kind_of(name) and not name.startswith(".") and path.is_file() and not path.is_symlink():
                    found.append((path.relative_to(root).as_posix(), path))
        if not found:
            raise DocumentError(
                "That folder holds no file that RAGTune reads.", "Choose one with PDF, Word, HTML, Markdown or text."
            )
        return found

    def remove(self, project: Project, id: str) -> str:
        """Move a document to the trash and its passages out of the index; says what that touches."""
        row = next((r for r in self.rows(project) if r.document.id == id), None)
        if row is None:
            raise DocumentError("That document is no longer there.", "Reload the page.")
        self._studio.jobs.ensure_free()  # before anything is moved: without a new index the search would still find it
        project.discard_document(id)
        project.keep_chunks([c for c in project.chunks() if c.document != id])
        self._studio.retrieval.start_index(project, f"Removing {row.document.name}")
        number = (
            "1 approved question loses its" if row.questions == 1 else f"{row.questions} approved questions lose their"
        )
        touched = f" {number} source." if row.questions else ""
        return f"“{row.document.name}” is removed.{touched}"

    def undo_remove(self, project: Project) -> str:
        """Bring the document removed last back."""
        held = project.discarded_documents()
        if not held:
            raise DocumentError("There is nothing to bring back.", "Only removed documents can be brought back.")
        self._studio.jobs.ensure_free()
        document = project.restore_document(held[0].id)
        self._studio.retrieval.start_index(project, f"Bringing {document.name} back")
        return f"“{document.name}” is back."

    def hold_back(self, project: Project, ids: Sequence[str]) -> None:
        """Set which documents are held back for measuring; all others are not."""
        for document in project.documents():
            if document.held_back != (document.id in ids):
                project.change_document(replace(document, held_back=document.id in ids))

    def ensure_held_back(self, project: Project) -> None:
        """Hold documents back, if none is and there are enough, before questions are written."""
        documents = project.documents()
        if not any(d.held_back for d in documents):
            self.hold_back(project, choose_held_back(documents))

    def text(self, project: Project, id: str) -> tuple[Document, list[tuple[int, str]]]:
        """A document and its pages as (number, text)."""
        document = project.document(id)
        if not document.ready:
            return document, []
        text = project.text(id)
        ends = [*document.page_starts[1:], len(text)]
        pages = [(n, text[a:b].strip()) for n, (a, b) in enumerate(zip(document.page_starts, ends, strict=True), 1)]
        return document, pages


def _document(
    name: str, kind: str, digest: str, path: Path, parsed: Parsed | None, error: RagtuneError | None
) -> Document:
    text = parsed.text if parsed else ""
    # The id follows name and content, so that adding a file twice lands on the same shelf.
    id = hashlib.sha256(f"{name}\n{digest}".encode()).hexdigest()[:12]
    return Document(
        id=id,
        name=name,
        title=parsed.title if parsed else name,
        kind=kind,
        digest=digest,
        size=path.stat().st_size if path.exists() else 0,
        pages=len(parsed.pages) if parsed else 0,
        words=len(text.split()),
        page_starts=parsed.page_starts if parsed else (),
        status=error.status if isinstance(error, DocumentError) else "ready",  # type: ignore[arg-type]
        problem=f"{error} {error.remedy}".strip() if error else "",
        notes=parsed.notes if parsed else (),
        added=now(),
    )


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number:,} files"

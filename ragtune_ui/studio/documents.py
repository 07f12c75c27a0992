"""Documents desk: files in, text out, what went wrong said in words."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ragtune_ui.domain.documents import HOLDERS, READABLE, Document, Parsed, choose_held_back, kind_of
from ragtune_ui.domain.errors import DocumentError, RagtuneError
from ragtune_ui.domain.languages import language_of
from ragtune_ui.domain.words import counted
from ragtune_ui.store.projects import Project, now
from ragtune_ui.studio.jobs import Task

if TYPE_CHECKING:
    from ragtune_ui.domain.ports import Progress
    from ragtune_ui.studio.studio import Studio

# An e-mail inside this many e-mails and archives is read, but what is attached to it is not; and so much may come
# out of one e-mail and those inside it. Archives have the same limits (engine/reading/archives.py).
MAIL_DEPTH = 3
MAIL_FILES = 5_000
MAIL_BYTES = 1024**3
# A file to be read: its name and place, how many archives and e-mails it is inside, and the files and bytes that came
# out of the outermost of those e-mails.
_Waiting = tuple[str, Path, int, Counter[str]]
ALIKE = 0.3  # share of words in common from which a file may be the next version of one of several of its name
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
    alike: str = ""  # a sentence about near copies of it, if there are any


@dataclass(frozen=True)
class Added:
    """What became of a batch of files."""

    added: tuple[str, ...]
    already: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]  # (name, sentence)
    newer: tuple[str, ...] = ()  # new versions of files that are here; they wait for the person
    left_out: tuple[tuple[str, str], ...] = ()  # (name inside an archive or e-mail, why)

    @property
    def sentence(self) -> str:
        """``37 files are in. 3 need you: ...``"""
        parts = [f"{counted(len(self.added), 'file')} in." if self.added else "No new file is in."]
        if self.newer:
            verb = "is a new version" if len(self.newer) == 1 else "are new versions"
            parts.append(f"{counted(len(self.newer), 'file')} {verb}: decide below.")
        if self.already:
            parts.append(f"{counted(len(self.already), 'file')} already here.")
        if self.problems:
            parts.append(f"{counted(len(self.problems), 'file')} not read: see the table for what to do.")
        if self.left_out:
            number = counted(len(self.left_out), "file")
            names = ", ".join(name for name, _ in self.left_out[:3]) + (", ..." if len(self.left_out) > 3 else "")
            parts.append(f"{number} inside archives or e-mails left out ({names}): {self.left_out[0][1]}.")
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
        alike = self._studio.reports.alike(project)
        rows = [
            DocumentRow(d, passages.get(d.id, 0), STATUS_WORDS[d.status], asked.get(d.id, 0), alike.get(d.id, ""))
            for d in project.documents()
        ]
        return sorted(rows, key=lambda r: r.document.ready)

    def add(self, project: Project, files: Sequence[tuple[str, Path]]) -> str:
        """Read files (name as the person knows it, place) and index them, in the background.

        Raises:
            DocumentError: there is no file. Busy: other heavy work runs.
        """
        if not files:
            raise DocumentError("No file was chosen.", f"Choose {READABLE}.")
        title = f"Reading {counted(len(files), 'file')}"

        def work(task: Task) -> str:
            added = self.read(project, files, task)
            if added.added or self._studio.retrieval.behind(project):
                self._studio.retrieval.index(project, task)
            return added.sentence

        return self._studio.jobs.start(project, "documents", title, work)

    def read(self, project: Project, files: Sequence[tuple[str, Path]], task: Task) -> Added:
        """Read files onto the shelf, one by one, archives file by file; a bad one gets a row that says what
        to do and never stops the rest. A new version of a file waits until the person has seen what it touches."""
        batch = _Batch(project, self._studio)
        queue, done = deque[_Waiting]((name, path, 0, Counter()) for name, path in files), 0
        place = project.folder / "incoming" / f"unpacked-{uuid.uuid4().hex[:8]}"
        try:
            while queue:
                given, path, depth, spent = queue.popleft()
                name = given.encode("utf-8", "replace").decode()  # names need not be text on every disk
                if (kind_of(name) or "") in HOLDERS:
                    inside = self._inside((name, path, depth, spent), place / str(done), batch, task)
                    queue.extendleft(reversed(inside))
                total = done + 1 + len(queue)
                task.progress(done, total, f"Reading {name}")

                def look(_: int, __: int, note: str, at: tuple[int, int, str] = (done, total, name)) -> None:
                    task.progress(at[0], at[1], f"{at[2]}: {note}" if note else f"Reading {at[2]}")

                if kind_of(name) != "zip":
                    batch.take(name, path, *self._read_one(name, path, look))
                done += 1
        finally:
            shutil.rmtree(place, ignore_errors=True)
        task.progress(done, done, "All files read")
        result = batch.result()
        task.result(
            added=len(result.added), already=list(result.already), newer=list(result.newer),
            problems=[list(p) for p in result.problems], left_out=[list(p) for p in result.left_out],
        )  # fmt: skip
        return result

    def _inside(self, file: _Waiting, place: Path, batch: _Batch, task: Task) -> list[_Waiting]:
        """The documents inside an archive or e-mail, with its name before theirs; a bad archive gets a row."""
        name, path, depth, spent = file

        def look(_: int, __: int, note: str) -> None:
            task.progress(0, 1, f"Unpacking {name}")

        kind = kind_of(name) or ""
        try:
            found = self._studio.reader().unpack(path, kind, place, look)
            if kind == "zip" and not found.files:
                raise DocumentError("The archive holds no document that RAGTune reads.", f"Pack {READABLE}.",
                                    status="empty")  # fmt: skip
        except DocumentError as error:
            if kind == "zip":  # an e-mail says itself what is wrong, when it is read
                batch.take(name, path, _document(name, kind, _digest(path), path, None, error), None)
            return []
        # The pictures of signatures that come with most e-mails are not worth a word.
        left_out = [(inside, why) for inside, why in found.left_out if kind == "zip" or kind_of(inside)]
        batch.left_out += [(f"{name}/{inside}", why) for inside, why in left_out]
        if kind == "zip":  # the engine has counted what is in it
            return [(f"{name}/{inside}", at, depth + 1, Counter()) for inside, at in found.files]
        files: list[_Waiting] = []
        for inside, at in found.files:
            if why := _too_much(depth, at.stat().st_size, spent):
                batch.left_out.append((f"{name}/{inside}", why))
            else:
                files.append((f"{name}/{inside}", at, depth + 1, spent))
        return files

    def _read_one(self, name: str, path: Path, look: Progress) -> tuple[Document, Parsed | None]:
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
            parsed = self._studio.reader().read(path, kind, progress=look)
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
            raise DocumentError("That folder holds no file that RAGTune reads.", f"Choose one with {READABLE}.")
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
        number = counted(row.questions, "approved question loses its", "approved questions lose their")
        touched = f" {number} source." if row.questions else ""
        return f"“{row.document.name}” is removed.{touched}"

    def undo_remove(self, project: Project, id: str = "") -> str:
        """Bring a removed document back; without an id, the one removed last."""
        held = [d for d in project.discarded_documents() if id in ("", d.id)]
        if not held:
            raise DocumentError("There is nothing to bring back.", "Only removed documents can be brought back.")
        self._studio.jobs.ensure_free()
        document = project.restore_document(held[0].id)
        self._studio.retrieval.start_index(project, f"Bringing {document.name} back")
        return f"“{document.name}” is back."

    def removed(self, project: Project) -> list[DocumentRow]:
        """Documents in the trash, the one removed last first, with all questions about them, checked or not."""
        asked = Counter(q.document for q in project.questions())
        return [DocumentRow(d, 0, STATUS_WORDS[d.status], asked[d.id]) for d in project.discarded_documents()]

    def delete(self, project: Project, id: str) -> str:
        """Delete a removed document for good, with what in the project quotes it. Frozen datasets, trainings,
        verdicts and packages made with it keep what they learned.

        Raises:
            DocumentError: it is not in the trash. Busy: other heavy work runs.
        """
        document = next((d for d in project.discarded_documents() if d.id == id), None)
        if document is None:
            raise DocumentError("That document is no longer there.", "Reload the page.")
        self._studio.jobs.ensure_free()
        again = id in {d.id for d in project.documents()}  # added again in the meantime: what is said of it stays
        with project.changing():
            project.delete_document(id)
            if not again:
                self._forget(project, document)
        self._studio.retrieval.start_forget(project)
        return f"“{document.name}” is deleted for good."

    def _forget(self, project: Project, document: Document) -> None:
        """Take out what quotes a document: questions and the steps back of them, judgements, mends, answers compared
        over its passages, and the map of what questions reach."""
        id = document.id
        project.keep_questions([q for q in project.questions() if q.document != id])
        project.keep_decisions([d for d in project.decisions() if all(q.document != id for q in d.before)])
        project.keep_judgements([j for j in project.judgements() if j.document != id])
        project.keep_turns([t for t in project.turns() if all(c.document != id for c in t.passages)])
        (project.folder / "coverage.json").unlink(missing_ok=True)
        self._studio.mending.forget(project, document)

    def hold_back(self, project: Project, ids: Sequence[str]) -> None:
        """Set which documents are held back for measuring; all others are not. Their questions follow."""
        with project.changing():
            turned = [d for d in project.documents() if d.held_back != (d.id in ids)]
            turned = [replace(d, held_back=not d.held_back) for d in turned]
            for document in turned:
                project.change_document(document)
            self._studio.questions.follow(project, turned)

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


def _too_much(depth: int, size: int, spent: Counter[str]) -> str:
    """Why one more file, out of an e-mail inside ``depth`` others, is left out; "" where it is not: then it counts."""
    if depth >= MAIL_DEPTH:
        return "e-mails are packed into one another too often"
    if spent["files"] + 1 > MAIL_FILES:
        return f"the e-mail and those inside it hold more than {MAIL_FILES:,} files"
    if spent["bytes"] + size > MAIL_BYTES:
        return "the e-mail and those inside it unpack to more than 1 GB"
    spent.update(files=1, bytes=size)
    return ""


class _Batch:
    """What becomes of the files of one batch."""

    def __init__(self, project: Project, studio: Studio) -> None:
        self._project, self._studio = project, studio
        self._known = {d.digest: d for d in project.documents()}
        # Files of one batch may share a name, because browsers send no folders: only what was here before counts,
        # and a document has one next version in a batch.
        self._before = project.documents()
        self._followed: set[str] = set()
        self._ids = {d.id for d in project.documents()}
        self._added: list[str] = []
        self._already: list[str] = []
        self._newer: list[str] = []
        self._problems: list[tuple[str, str]] = []
        self.left_out: list[tuple[str, str]] = []

    def take(self, name: str, path: Path, document: Document, parsed: Parsed | None) -> None:
        """Put one file where it belongs."""
        known = self._known.get(document.digest)
        if known is not None and known.ready:
            self._followed.add(known.id)
            self._already.append(name)
            return
        before = self._earlier(name, parsed)
        if document.id in self._ids and known is None:  # an earlier version of this file had the same beginnings
            document = replace(document, id=uuid.uuid4().hex[:12])
        if parsed is not None and before is not None and before.ready:
            self._project.keep_waiting(replace(document, replaces=before.id), parsed, path)
            self._followed.add(before.id)
            self._newer.append(name)
            return
        if parsed is not None and before is not None:
            self._project.drop_document(before.id)  # the row that said why an earlier copy could not be read
        with self._studio.versions.arriving(self._project, document.id):
            self._project.keep_document(document, parsed, path)
        self._known[document.digest] = document
        self._ids.add(document.id)
        if document.ready:
            self._added.append(name)
        else:
            self._problems.append((name, document.problem))

    def _earlier(self, name: str, parsed: Parsed | None) -> Document | None:
        """The document that a file is the next version of, or the row of a copy that could not be read.

        Where several have its name, its words must be much like those of the one that it follows.
        """
        named = [d for d in self._before if d.name == name and d.id not in self._followed]
        ready = [d for d in named if d.ready]
        if parsed is None or not ready:
            return named[0] if named else None
        if sum(d.name == name and d.ready for d in self._before) == 1:
            return ready[0]
        words = set(parsed.text.split())
        alike = [_shared(words, set(self._project.text(d.id).split())) for d in ready]
        best = max(range(len(ready)), key=alike.__getitem__)
        return ready[best] if alike[best] >= ALIKE else None

    def result(self) -> Added:
        return Added(tuple(self._added), tuple(self._already), tuple(self._problems), tuple(self._newer),
                     tuple(self.left_out))  # fmt: skip


def _shared(a: set[str], b: set[str]) -> float:
    """The share of their words that two texts have in common (Jaccard), 0 to 1."""
    return len(a & b) / max(1, len(a | b))


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest()
    except OSError:
        return "unread"


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
        language=language_of(text),
    )

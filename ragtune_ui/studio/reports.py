"""Reports desk: what reading each file gave, the original beside its text, and what is there twice."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.errors import DocumentError
from ragtune_ui.domain.languages import language_of
from ragtune_ui.domain.likeness import near_copies
from ragtune_ui.domain.reports import Report
from ragtune_ui.store.projects import Project
from ragtune_ui.studio.jobs import Task

if TYPE_CHECKING:
    from ragtune_ui.domain.ports import Reader
    from ragtune_ui.studio.studio import Studio

PICTURES = 24  # drawn pages that are kept in memory
WIDTH = 900  # dots of a drawn page
SOURCE = 200_000  # characters of an original that is text which are shown
PLAIN = ("markdown", "text", "csv", "html", "mail")  # kinds whose original can be shown as it is
PAGES_ALIKE = 50  # pairs of like pages that are listed


@dataclass(frozen=True)
class Alike:
    """A page, or the whole file (page 0), that says nearly the same as another."""

    page: int
    document: str
    name: str
    other_page: int
    share: float  # 0 to 1


@dataclass(frozen=True)
class Findings:
    """All there is to say about how a file was read."""

    document: Document
    report: Report | None
    files: tuple[Alike, ...]
    pages: tuple[Alike, ...]
    drawable: bool  # its pages can be shown as pictures
    replaced: Document | None  # the version that it took the place of


class Reports:
    """What a person can see of how files were read."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._drawer: Reader | None = None
        self._pictures: OrderedDict[tuple[str, str, int], bytes] = OrderedDict()
        self._files: tuple[object, list[tuple[str, str, float]]] = (None, [])
        self._pages: tuple[object, list[tuple[str, str, float]]] = (None, [])

    def of(self, project: Project, id: str) -> Findings:
        """What was found in a document. Raises ProjectError."""
        document = project.document(id)
        names = {d.id: d.name for d in project.documents()}
        files, pages = [], []
        for a, b, share in self._near_files(project):
            if id in (a, b):
                other = b if a == id else a
                files.append(Alike(0, other, names[other], 0, share))
        for a, b, share in self._near_pages(project):
            (first, page), (second, other_page) = (key.rsplit(" ", 1) for key in (a, b))
            if second == id and first != id:
                first, page, second, other_page = second, other_page, first, page
            if first == id:
                pages.append(Alike(int(page), second, names[second], int(other_page), share))
        replaced = next((d for d in project.replaced() if d.id == id), None)
        return Findings(document, project.report(id), tuple(files), tuple(pages[:PAGES_ALIKE]),
                        document.kind == "pdf" and project.original(id) is not None, replaced)  # fmt: skip

    def alike(self, project: Project) -> dict[str, str]:
        """A sentence for each document that has near copies."""
        names = {d.id: d.name for d in project.documents()}
        said: dict[str, str] = {}
        for a, b, share in self._near_files(project):
            for one, other in ((a, b), (b, a)):
                word = "the same as" if share > 0.995 else "nearly the same as"
                said.setdefault(one, f"It says {word} “{names[other]}” ({share:.0%}). One of them is enough.")
        return said

    def picture(self, project: Project, id: str, page: int) -> bytes:
        """A page of a PDF as a JPEG.

        Raises:
            DocumentError: its file is gone or has no such page.
        """
        document, original = project.document(id), project.original(id)
        if original is None:
            raise DocumentError("The original is no longer there.", "Add the file again.")
        key = (id, document.digest, page)
        if key not in self._pictures:
            # A reader of its own, because the other may be busy with a long file.
            self._drawer = self._drawer or self._studio.engines.reader()
            self._pictures[key] = self._drawer.picture(original, page, WIDTH)
            while len(self._pictures) > PICTURES:
                self._pictures.popitem(last=False)
        return self._pictures[key]

    def source(self, project: Project, id: str) -> str:
        """The beginning of an original that is text, as it was written; "" for other kinds."""
        document, original = project.document(id), project.original(id)
        if original is None or document.kind not in PLAIN:
            return ""
        with original.open("rb") as f:
            data = f.read(2 * SOURCE)
        wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
        return data.decode("utf-16" if wide else "utf-8", "replace")[:SOURCE].replace("\x00", "")

    def keep_repeated(self, project: Project, id: str, keep: bool) -> str:
        """Read a document again with (or without) its header and footer lines, in the background.

        Raises:
            Busy: other heavy work runs.
        """
        document = project.document(id)

        def work(task: Task) -> str:
            self._reread(project, document, keep, task)
            self._studio.retrieval.index(project, task)
            stay = "stay in" if keep else "are off"
            return f"Repeated lines {stay} “{document.name}” now."

        return self._studio.jobs.start(project, "documents", f"Reading {document.name} again", work)

    def _reread(self, project: Project, document: Document, keep: bool, task: Task) -> None:
        original = project.original(document.id)
        if original is None:
            raise DocumentError("The original is no longer there.", "Add the file again.")

        def look(_: int, __: int, note: str) -> None:
            task.progress(0, 1, note or f"Reading {document.name}")

        parsed = self._studio.reader().read(original, document.kind, keep_repeated=keep, progress=look)
        old, new = project.text(document.id), parsed.text
        with self._studio.versions.following(project):
            changed = replace(  # as it is now: it may have been held back while it was read
                project.document(document.id), keep_repeated=keep, words=len(new.split()), pages=len(parsed.pages),
                notes=parsed.notes, page_starts=parsed.page_starts, language=language_of(new),
            )  # fmt: skip
            project.reread_document(changed, parsed)
            self._studio.versions.follow(project, document.id, old, new)

    # what is there twice ---------------------------------------------------------------------

    def _near_files(self, project: Project) -> list[tuple[str, str, float]]:
        documents = [d for d in project.documents() if d.ready]
        key = (project.folder, [(d.id, d.digest, d.keep_repeated) for d in documents])
        if self._files[0] != key:
            reports = {d.id: project.report(d.id) for d in documents}
            self._files = (key, near_copies({id: r.sketch for id, r in reports.items() if r is not None}))
        return self._files[1]

    def _near_pages(self, project: Project) -> list[tuple[str, str, float]]:
        documents = [d for d in project.documents() if d.ready]
        key = (project.folder, [(d.id, d.digest, d.keep_repeated) for d in documents])
        if self._pages[0] != key:
            reports = {d.id: project.report(d.id) for d in documents}
            sketches = {f"{id} {p.number}": p.sketch for id, r in reports.items() if r is not None for p in r.pages}
            self._pages = (key, near_copies(sketches))
        return self._pages[1]

"""Mending desk: passages reworded, joined, left out; each change can be taken back alone, and survives re-reading."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.errors import PassageError
from ragtune_ui.domain.mends import Mend, MendKind, of_document, patches
from ragtune_ui.domain.passages import Chunk, overlaps, place_of
from ragtune_ui.store import files
from ragtune_ui.store.projects import Project, now

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio


@dataclass(frozen=True)
class Mended:
    """One change as the page shows it."""

    mend: Mend
    place: str  # file and page
    lost: bool  # its words no longer stand in the document


class Mending:
    """What a person can change in passages."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def all(self, project: Project) -> list[Mend]:
        """The project's mends, oldest first."""
        found: list[Mend] = files.cached(_shelf(project), Mend, files.read_records)
        return found

    def of(self, project: Project, document: Document) -> list[Mend]:
        """The mends of a document and of earlier versions of its file."""
        found = of_document(self.all(project), document)
        if all(m.document == document.id for m in found):
            return found  # the usual case needs no look at the other documents
        return of_document(found, document, {d.id for d in project.documents()})

    def rows(self, project: Project) -> list[Mended]:
        """All changes, the latest first, each with its place and whether it still fits."""
        # The page asks every second, and each change is looked for in the text of its document.
        rests_on = [_shelf(project), *project.shelf()]
        return files.derived(("mends", project.folder), rests_on, lambda: self._rows(project))

    def _rows(self, project: Project) -> list[Mended]:
        documents = project.documents()
        here = {d.id for d in documents}
        lost: set[str] = set()
        for document in documents:
            mine = of_document(self.all(project), document, here)
            if mine and document.ready:
                lost |= set(patches(mine, project.text(document.id))[1])
        rows = []
        for mend in self.all(project):
            home = next((d for d in documents if of_document([mend], d, here)), None)
            place = place_of(home, mend.start) if home else f"{mend.name} (removed)"
            rows.append(Mended(mend, place, home is None or mend.id in lost))
        return rows[::-1]

    def edit(self, project: Project, chunk_id: str, text: str) -> str:
        """Other words for a passage, from now on in search, chat, training data and verdict; says so."""
        chunk = self.chunk(project, chunk_id)
        text = text.replace("\r\n", "\n").strip()
        if not text:
            raise PassageError("The passage would be empty.", "Use “Leave out” to take it out of the search.")
        if text == chunk.text:
            raise PassageError("Nothing was changed.", "Change the words first, or press Cancel.")
        self._add(project, chunk, chunk.end, "edit", text)
        return "Mended. Search, chat, training data and verdict read the new words."

    def leave_out(self, project: Project, chunk_id: str) -> str:
        """Take a passage's text out of search, chat, training data and verdict."""
        chunk = self.chunk(project, chunk_id)
        self._add(project, chunk, chunk.end, "out", "")
        return "Left out. It is no longer found; the document itself is unchanged."

    def join(self, project: Project, chunk_id: str) -> str:
        """Make one passage of this one and the next on its page."""
        chunk = self.chunk(project, chunk_id)
        own = sorted((c for c in project.chunks() if c.document == chunk.document), key=lambda c: c.start)
        after = next((c for c in own if c.start > chunk.start), None)
        if after is None or after.page != chunk.page:
            raise PassageError("No passage follows this one on its page.", "Join the one before with this one.")
        self._add(project, chunk, after.end, "join", "")
        return "Joined with the passage after it."

    def undo(self, project: Project, mend_id: str) -> str:
        """Take one change back; later changes of the same words stay."""
        self._studio.jobs.ensure_free()
        with project.changing():
            kept = [m for m in self.all(project) if m.id != mend_id]
            if len(kept) == len(self.all(project)):
                raise PassageError("That change is no longer there.", "Reload the page.")
            files.write_records(_shelf(project), kept)
        self._studio.retrieval.start_index(project, "Taking a change back")
        return "Taken back: the passage reads as its document does."

    def forget(self, project: Project, document: Document) -> None:
        """Take out the mends of a document, which quote it, as it is deleted for good."""
        documents = project.documents()
        here = {d.id for d in documents}
        named = any(d.name == document.name for d in documents)  # then those by name alone are that one's
        with project.changing():
            mends = self.all(project)
            gone = {m.id for m in of_document(mends, document, here) if m.document == document.id or not named}
            if gone:
                files.write_records(_shelf(project), [m for m in mends if m.id not in gone])

    def chunk(self, project: Project, chunk_id: str) -> Chunk:
        """The passage of that id.

        Raises:
            PassageError: it is no longer there.
        """
        chunk = next((c for c in project.chunks() if c.id == chunk_id), None)
        if chunk is None:
            raise PassageError("That passage is no longer there.", "Search again.")
        return chunk

    def at(self, project: Project, document: str, start: int, end: int) -> list[Chunk]:
        """The passages that share characters with a span."""
        return [c for c in project.chunks() if overlaps(c, document, start, end)]

    def _add(self, project: Project, chunk: Chunk, end: int, kind: MendKind, text: str) -> None:
        self._studio.jobs.ensure_free()  # before anything is kept: passages are made again right away
        quote = project.text(chunk.document)[chunk.start : end]
        mend = Mend(uuid.uuid4().hex[:12], kind, chunk.document, chunk.title, chunk.start, end, quote, text, now())
        with project.changing():
            files.write_records(_shelf(project), [*self.all(project), mend])
        self._studio.retrieval.start_index(project, "Mending a passage")


def _shelf(project: Project) -> Path:
    return project.folder / "mends.jsonl"

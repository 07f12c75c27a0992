"""Retrieval desk: passages made, indexed and found; the same search for page, data, chat and verdict."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.errors import PassageError, RagtuneError
from ragtune_ui.domain.mends import mended
from ragtune_ui.domain.passages import Chunk, ChunkSettings, Passage, SearchModel, SearchSettings, Updated
from ragtune_ui.domain.ports import Progress, Searcher
from ragtune_ui.domain.records import to_record
from ragtune_ui.domain.words import counted
from ragtune_ui.store import files
from ragtune_ui.store.presets import load_search_models
from ragtune_ui.store.projects import Project
from ragtune_ui.studio.jobs import Task

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

SHOWN = 40  # passages of a preview


@dataclass(frozen=True)
class Found:
    """What one search gave."""

    question: str
    passages: tuple[Passage, ...]
    seconds: float


@dataclass(frozen=True)
class Preview:
    """How one document would be cut: its first passages, and how many there are or would be about."""

    document: Document
    passages: tuple[Chunk, ...]
    model_tokens: tuple[int, ...]  # word pieces by the model that is tuned; empty where they cannot be counted
    total: int
    whole: bool  # ``passages`` are all there are
    seconds: float


@dataclass(frozen=True)
class Trial:
    """Passages by other settings, ready to be searched, until closed."""

    chunks: list[Chunk]
    search: Callable[[Sequence[str], SearchSettings], list[list[Passage]]]
    close: Callable[[], object]


class Retrieval:
    """What a person can ask for on the Passages page, and the search all other desks use."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._searchers: dict[tuple[Path, str], Searcher] = {}
        self._lock = threading.RLock()
        self._indexing: set[Path] = set()

    # index ---------------------------------------------------------------------------------

    def start_index(self, project: Project, title: str = "Making passages") -> str:
        """Make passages and index them in the background."""

        def work(task: Task) -> str:
            updated = self.index(project, task)
            return f"{counted(len(project.chunks()), 'passage is', 'passages are')} ready: {updated.sentence}"

        return self._studio.jobs.start(project, "index", title, work)

    def start_switch(self, project: Project, source: str) -> str:
        """Index with another search model beside the index that is there, which answers until the new one is
        complete. ``source``: "" for the one of the settings, a folder or a hub id."""
        source = source.strip()
        if source == project.choices().embedder:
            raise PassageError("This search model is in use already.", "Choose another one.")

        def work(task: Task) -> str:
            self.index(project, task, source)
            return f"{counted(len(project.chunks()), 'passage is', 'passages are')} ready under the new search model."

        return self._studio.jobs.start(project, "index", "Changing the search model", work)

    def index(self, project: Project, task: Task, source: str | None = None) -> Updated:
        """Cut every ready document and make the index hold exactly these passages; says what was done.

        Only documents whose text, settings or mends changed are cut, only texts never seen are embedded.
        """
        used = project.choices().embedder
        source = used if source is None else source
        chunks, stamps = self._cut(project, task, source)
        # What only adds may be shown at once; what replaces is shown when it is complete.
        if source == used and {c.id for c in project.chunks()} <= {c.id for c in chunks}:
            project.keep_chunks(chunks)
        self._indexing.add(project.folder)
        try:
            updated = self._searcher(project, source).update(chunks, task.progress)
            project.keep_chunks(chunks)
            files.write_record(project.folder / "cut.json", stamps)
            if source != used:
                project.choose(embedder=source)
                self._searcher(project, used).update([], _unheard)
        finally:
            self._indexing.discard(project.folder)
        task.result(**to_record(updated))
        if chunks:
            with suppress(PassageError):  # loads what the first search needs
                self.search(project, [chunks[0].text[:80]], number=1)
        return updated

    def start_forget(self, project: Project) -> str:
        """Bring the index up to date, so that none of its files holds a word of what was deleted, in the background."""
        self._let_go(project)
        here = {d.name for d in project.documents()}
        with project.changing():
            tags = {n: t for n, t in self.tags(project).items() if n in here}
            if tags != self.tags(project):
                files.write_record(project.folder / "tags.json", tags)
        return self.start_index(project, "Deleting for good")

    def drop(self, project: Project) -> None:
        """Remove the index of a project that is deleted for good where it lies outside its folder, in object
        storage; one that does not answer keeps it."""
        if self._studio.settings.index and not (self._studio.home.folder / project.id).exists():  # a copy of it
            with suppress(RagtuneError):
                self._searcher(project).update([], _unheard)
        self._let_go(project)

    def _let_go(self, project: Project) -> None:
        """Forget what was loaded, and with it the vectors of texts that are no longer there."""
        with self._lock:
            for key in [key for key in self._searchers if key[0] == project.folder]:
                del self._searchers[key]

    def cut(self, project: Project, document: Document, settings: ChunkSettings, source: str = "") -> list[Chunk]:
        """The passages of one document by other settings, with its mends, nothing kept."""
        text = project.text(document.id)
        chunker = self._studio.chunker(source)
        mends = self._studio.mending.of(project, document)
        return mended(chunker.cut(document, text, settings), mends, text, chunker.count)

    def preview(self, project: Project, document: str, settings: ChunkSettings) -> Preview:
        """How a document would be cut by ``settings``; nothing is kept, nothing is indexed.

        Raises:
            PassageError: the settings do not fit together.
        """
        check(settings)
        began = time.perf_counter()
        found, text = project.document(document), project.text(document)
        chunker = self._studio.chunker(project.choices().embedder)
        chunks = chunker.cut(found, text, settings, SHOWN)
        whole = len(chunks) < SHOWN
        reach = chunks[-1].end if chunks else 1
        total = len(chunks) if whole else max(SHOWN, round(len(chunks) * len(text) / max(1, reach)))
        mends = self._studio.mending.of(project, found)
        chunks = mended(chunks, mends, text, chunker.count)
        counted: list[int] = []
        with suppress(Exception):  # a model that is not here has no word pieces to count
            counted = chunker.count([c.text for c in chunks], self._studio.model_folder(project.choices().model))
        return Preview(found, tuple(chunks), tuple(counted), total, whole, time.perf_counter() - began)

    def trial(self, project: Project, settings: ChunkSettings, progress: Progress) -> Trial:
        """The project's documents cut and indexed by other settings, beside its own index. Raises Stopped."""
        source = project.choices().embedder
        if to_record(settings) == _made_by(project) and self._whole(project):
            searcher = self._searcher(project)
            return Trial(project.chunks(), searcher.search, lambda: None)
        chunks: list[Chunk] = []
        documents = [d for d in project.documents() if d.ready]
        for done, document in enumerate(documents):
            progress(done, 10 * len(documents), f"cutting {document.name}")
            chunks += self.cut(project, document, settings, source)
        searcher = self._studio.engines.searcher(project.folder / "trial.lance", source)
        try:
            searcher.update(chunks, progress)
        except BaseException:
            searcher.update([], _unheard)
            raise
        return Trial(chunks, searcher.search, lambda: searcher.update([], _unheard))

    def behind(self, project: Project) -> bool:
        """True where a stop or a crash left passages of other settings, documents without passages, or passages
        out of the index, which is opened to see."""
        return bool(self.outdated(project)) or not self._whole(project)

    def outdated(self, project: Project) -> str:
        """What is wrong with the passages, in words; "" where nothing is, as far as can be told without the index.
        The page asks every second."""
        rests_on = [project.folder / name for name in ("cut.json", "chunks.jsonl", "choices.json")]
        make = lambda: self._outdated(project)
        return files.derived(("outdated", project.folder), [*rests_on, *project.shelf()], make)

    def _outdated(self, project: Project) -> str:
        here = {d.id for d in project.documents() if d.ready and d.words}
        if here and _made_by(project) != to_record(project.choices().chunks):
            return "The passages are still cut by your earlier settings."
        if here - (set(_stamps(project)) or {c.document for c in project.chunks()}):
            return "Search does not know all of your documents yet."
        return ""

    def _whole(self, project: Project) -> bool:
        """Whether the index holds all passages."""
        with self._lock:
            return self._searcher(project).count() == len(project.chunks())

    def change(self, project: Project, chunks: ChunkSettings, search: SearchSettings) -> bool:
        """Keep new settings; True where passages have to be made again, or were left behind by a stop (that job is
        started)."""
        if not 0 <= search.balance <= 1 or not 1 <= search.number <= 20:
            raise PassageError("The number of passages lies between 1 and 20.", "Move the slider back.")
        if not 0 <= search.threshold <= 1:
            raise PassageError("The least score lies between 0 and 1.", "Move the slider back.")
        check(chunks)
        there = bool(project.documents())
        again = there and project.choices().chunks != chunks
        if again:
            self._studio.jobs.ensure_free()
        project.choose(chunks=chunks, search=search)
        # Other work that runs does not keep a search setting from being kept: the page goes on offering the rest.
        again = again or (there and self._studio.jobs.holder() is None and self.behind(project))
        if again:
            self.start_index(project, "Making passages again")
        return again

    def models(self) -> list[SearchModel]:
        """Search models and rerankers to choose from."""
        return load_search_models(self._studio.settings.presets / "search-models.toml")

    # search --------------------------------------------------------------------------------

    def find(
        self,
        project: Project,
        question: str,
        settings: SearchSettings | None = None,
        documents: Sequence[str] | None = None,
    ) -> Found:
        """The passages for one question, best first; by other settings, from some documents only, if given.

        Raises:
            PassageError: nothing was asked, or there is no passage yet.
        """
        question = " ".join(question.split())
        if not question:
            raise PassageError("Type a question first.", "Ask one that your documents should answer.")
        if not project.chunks():
            raise PassageError("There are no passages yet.", "Add documents first.")
        began = time.perf_counter()
        found = self.search(project, [question], documents=documents, settings=settings)[0]
        return Found(question, tuple(found), time.perf_counter() - began)

    def search(
        self,
        project: Project,
        questions: Sequence[str],
        number: int | None = None,
        documents: Sequence[str] | None = None,
        settings: SearchSettings | None = None,
    ) -> list[list[Passage]]:
        """Ranked passages for many questions by the project's own settings, in one batch.

        With ``number``, so many whatever they score. While passages are being made, those that were
        there answer.

        Raises:
            PassageError: the first passages are being made, which may take minutes.
        """
        settings = settings or project.choices().search
        if number is not None:
            settings = replace(settings, number=number, threshold=0.0)
        searcher = self._searcher(project)
        if project.folder in self._indexing and not searcher.count():
            raise PassageError("The passages are being made.", "Search again when that is finished.")
        gone = _removed(project)
        if gone and documents is None:
            documents = [d.id for d in project.documents()]
        return searcher.search(questions, settings, documents)

    def plane(self, project: Project) -> dict[str, tuple[float, float]]:
        """Where each passage lies on a map of meaning, by id."""
        return self._searcher(project).plane()

    def _searcher(self, project: Project, source: str | None = None) -> Searcher:
        source = project.choices().embedder if source is None else source
        key = (project.folder, source)
        with self._lock:
            if key not in self._searchers:
                self._searchers[key] = self._studio.engines.searcher(index_folder(project, source), source)
            return self._searchers[key]

    # cutting -------------------------------------------------------------------------------

    def _cut(self, project: Project, task: Task, source: str) -> tuple[list[Chunk], dict[str, Any]]:
        """All passages, and by document what they were made of, so that what did not change is not cut again."""
        settings = project.choices().chunks
        before = _stamps(project)
        own: dict[str, list[Chunk]] = {}
        for chunk in project.chunks():
            own.setdefault(chunk.document, []).append(chunk)
        documents = [d for d in project.documents() if d.ready]
        stamps: dict[str, Any] = {"settings": to_record(settings)}
        chunks: list[Chunk] = []
        for done, document in enumerate(documents):
            task.progress(done, len(documents), f"Cutting {document.name}")
            text = project.text(document.id)
            mends = self._studio.mending.of(project, document)
            made_of = [source, to_record(settings), to_record(mends), list(document.page_starts), document.name, text]
            stamps[document.id] = hashlib.sha256(repr(made_of).encode("utf-8", "replace")).hexdigest()
            known = own.get(document.id, [])
            if before.get(document.id) == stamps[document.id] and (known or mends):
                chunks += known
                continue
            chunks += self.cut(project, document, settings, source)
        return chunks, stamps

    # narrowing -----------------------------------------------------------------------------

    def tags(self, project: Project) -> dict[str, list[str]]:
        """Tags by file name, which the next version of a file keeps."""
        path = project.folder / "tags.json"
        return dict(files.read_json(path)) if path.exists() else {}

    def tag(self, project: Project, documents: Sequence[str], text: str) -> str:
        """Give documents the tags in ``text``, commas between them; without any, take theirs away."""
        names = [project.document(id).name for id in documents]
        if not names:
            raise PassageError("No document is chosen.", "Choose documents first.")
        tags = list(dict.fromkeys(t for part in text.split(",") if (t := " ".join(part.split())[:40])))
        with project.changing():
            kept = {**self.tags(project), **dict.fromkeys(names, tags)}
            files.write_record(project.folder / "tags.json", {n: t for n, t in kept.items() if t})
        many = counted(len(names), "document")
        return f"{many} tagged: {', '.join(tags)}." if tags else f"The tags of {many} are gone."

    def narrowed(self, project: Project, documents: Sequence[str], tags: Sequence[str]) -> list[str]:
        """Ids of the documents that are chosen (none: all) and carry one of the tags (none: any)."""
        given = self.tags(project)
        return [
            d.id for d in project.documents()
            if (not documents or d.id in documents) and (not tags or set(tags) & set(given.get(d.name, [])))
        ]  # fmt: skip

    def suggestions(self, project: Project, number: int = 4) -> list[str]:
        """Example questions from the person's own material: accepted questions first, then headings."""
        asked = [q.question for q in project.questions() if q.accepted][:number]
        if len(asked) >= number:
            return asked
        headings = dict.fromkeys(
            c.heading[-1] for c in project.chunks() if c.heading and len(c.heading[-1].split()) >= 2
        )
        return asked + [_ask(h) for h in list(headings)[: number - len(asked)]]


def check(settings: ChunkSettings) -> None:
    """Raises PassageError where passages cannot be cut so."""
    if not 40 <= settings.size <= 1000 or not 0 <= settings.overlap < settings.size:
        raise PassageError("Passages are 40 to 1,000 word pieces long.", "Choose a length in that range.")
    if settings.overlap > settings.size // 2:
        raise PassageError(
            f"An overlap of {settings.overlap} does not fit passages of {settings.size} word pieces.",
            f"Choose an overlap up to {settings.size // 2}.",
        )


def index_folder(project: Project, source: str) -> Path:
    """Where the index of a search model lies: each has its own, so that one can be built beside the other."""
    if not source:
        return project.index_folder
    return project.folder / f"index-{hashlib.sha256(source.encode()).hexdigest()[:8]}.lance"


def _unheard(done: int, total: int, note: str) -> None:
    """Progress of clearing away, which takes no time and is never stopped."""


def _removed(project: Project) -> list[str]:
    """Documents that are no longer on the shelf: they may stand in the index until it is brought up to date."""
    trash, shelf = project.folder / "trash", project.folder / "documents"
    held = {p.name for p in trash.iterdir()} if trash.is_dir() else set()
    cut = set(_stamps(project)) - {"settings"}  # for what is not in the trash any more either
    return [id for id in held | cut if not (shelf / id).exists()]


def _stamps(project: Project) -> dict[str, Any]:
    path = project.folder / "cut.json"
    found = files.read_json(path) if path.exists() else {}
    return found if isinstance(found, dict) else {}


def _made_by(project: Project) -> Any:
    """The settings, as a record, by which the passages on the shelf were cut; the chosen ones where nobody noted it."""
    stamps = _stamps(project)
    return stamps.get("settings") if stamps else to_record(project.choices().chunks)


def _ask(heading: str) -> str:
    heading = re.sub(r"[*_`#]+", "", heading).strip(" .:")
    return heading if heading.endswith("?") else f"What is said about {heading[:1].lower()}{heading[1:]}?"

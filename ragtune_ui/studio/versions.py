"""Versions desk: what a newer file touches, said before it takes the place of the older one; and the way back.
What quotes a text follows it here, whatever changed it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ragtune_ui.domain.changes import Before, Impact, carried, followed, impact_of, returned, settled
from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.errors import DocumentError, ProjectError, RagtuneError
from ragtune_ui.domain.questions import Question
from ragtune_ui.store.projects import Project
from ragtune_ui.studio.jobs import Task

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio


class Versions:
    """What a person can do with new versions of files."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._impacts: dict[tuple[Path, str], tuple[object, Impact]] = {}
        self._learned: dict[tuple[Path, str], frozenset[str]] = {}
        self._settled: set[Path] = set()  # projects of which all that quotes a text is known to fit it

    def waiting(self, project: Project) -> list[Impact]:
        """What each new version that waits would touch; those whose document is gone are left out."""
        with suppress(RagtuneError):  # what stands in its way is said where something is to be changed
            self.settle(project)
        here = {d.id for d in project.documents()}
        return [self.impact(project, d) for d in project.waiting() if d.replaces in here]

    def impact(self, project: Project, new: Document) -> Impact:
        """What a new version would touch: passages, questions, judgements and trained models."""
        key = self._state(project, new)
        held = self._impacts.get((project.folder, new.id))
        if held is None or held[0] != key:
            held = (key, self._impact(project, new))
            self._impacts[project.folder, new.id] = held
        return held[1]

    def _impact(self, project: Project, new: Document) -> Impact:
        id, text = new.replaces, project.waiting_text(new.id)
        choices = project.choices()
        fresh = self._studio.chunker(choices.embedder).cut(new, text, choices.chunks)
        chunks = [c for c in project.chunks() if c.document == id]
        # Mended passages read otherwise than the document: they are compared by the words that they stand for.
        old = project.text(id)
        plain = self._studio.chunker(choices.embedder).cut(project.document(id), old, choices.chunks)
        runs = self._runs(project, id, {c.id for c in chunks})
        return impact_of(id, new.id, new.name, plain, fresh, project.questions(), project.judgements(), old, text, runs)

    def _runs(self, project: Project, document: str, chunks: set[str]) -> list[str]:
        """Trainings that left a model and learned from a document's passages or questions."""
        asked = {q.id for q in project.questions() if q.document == document}
        found = []
        for job in self._studio.training.usable(project):
            dataset = project.sheet(job.id).dataset
            if self._learned_from(project, dataset) & (asked | chunks):
                found.append(job.id)
        return found

    def _learned_from(self, project: Project, dataset: str) -> frozenset[str]:
        """Ids of the questions and passages in a frozen dataset."""
        key = (project.folder, dataset)
        if key not in self._learned:
            examples = project.examples(dataset)
            ids = {id for e in examples for id in (e.question, *e.passages)}
            self._learned[key] = frozenset(ids | set(project.dataset(dataset).questions)) - {""}
        return self._learned[key]

    def replace(self, project: Project, waiting: list[str]) -> str:
        """Let new versions take the place of the old ones, and index what changed, in the background.

        Raises:
            DocumentError: none of them waits any more. Busy: other heavy work runs.
        """
        chosen = [d for d in project.waiting() if d.id in waiting]
        if not chosen:
            raise DocumentError("That new version is no longer there.", "Reload the page.")
        self._studio.jobs.ensure_free()
        names = f"“{chosen[0].name}”" if len(chosen) == 1 else f"{len(chosen)} documents"
        for new in chosen:
            self._replace(project, new)

        def work(task: Task) -> str:
            updated = self._studio.retrieval.index(project, task)
            return f"The new version of {names} is in. Passages: {updated.sentence}"

        return self._studio.jobs.start(project, "documents", f"Replacing {names}", work)

    def _replace(self, project: Project, new: Document) -> None:
        id = new.replaces
        with self.following(project):
            old, text = project.text(id), project.waiting_text(new.id)
            asked, judged = project.questions(), project.judgements()
            questions, judgements = carried(id, old, text, asked), followed(id, old, text, judged)
            changed = tuple((a, b) for a, b in zip(asked, questions, strict=True) if a != b)
            before = Before(changed, tuple(j for j in judged if j.document == id),
                            tuple(j for j in judgements if j.document == id))  # fmt: skip
            project.replace_document(id, new.id, before)
            self.follow(project, id, old, text)

    def keep_both(self, project: Project, waiting: str) -> str:
        """Put a new version beside the old one, as a document of its own."""
        new = next((d for d in project.waiting() if d.id == waiting), None)
        if new is None:
            raise DocumentError("That new version is no longer there.", "Reload the page.")
        self._studio.jobs.ensure_free()
        with self.arriving(project, new.id):
            project.release_waiting(new)
        return self._studio.retrieval.start_index(project, f"Adding {new.name}")

    def leave_out(self, project: Project, waiting: str) -> None:
        """Forget a new version; the old one stays."""
        project.drop_waiting(waiting)

    def undo(self, project: Project) -> str:
        """Bring the version that was replaced last back, with its questions and judgements as they were.

        Raises:
            DocumentError: no version was replaced. Busy: other heavy work runs.
        """
        held = project.replaced()
        if not held:
            raise DocumentError("There is no earlier version to bring back.", "Only replaced files can come back.")
        self._studio.jobs.ensure_free()
        old = held[0]
        with self.following(project):
            before = project.before(old)
            kept = [j for j in project.judgements() if j.document != old.id or j not in before.judged_after]
            text = project.text(old.id)
            project.restore_version(old)
            back = project.text(old.id)
            self._studio.questions.amend(project, lambda asked: returned(old.id, text, back, asked, before))
            project.keep_judgements([*kept, *before.judgements])
        return self._studio.retrieval.start_index(project, f"Bringing {old.name} back")

    # what quotes a text follows it -----------------------------------------------------------

    @contextmanager
    def following(self, project: Project) -> Iterator[None]:
        """Around a change of a text and of what quotes it, lest others see the one without the other. Where only the
        first is done, as the disk is full or the power goes, ``settle`` does the second."""
        with project.changing():
            self.settle(project)
            self._settled.discard(project.folder)
            yield
            self._settled.add(project.folder)

    @contextmanager
    def arriving(self, project: Project, id: str) -> Iterator[None]:
        """Around putting a document on the shelf. What names it, because it was here before, follows into its text;
        it was perhaps read otherwise then. Held back it stays, too."""
        if id not in {q.document for q in project.questions()} | {j.document for j in project.judgements()}:
            yield
            return
        with self.following(project):
            yield
            new, old, asked = project.text(id), project.discarded_text(id), project.questions()
            if any(d.id == id and d.held_back for d in project.discarded_documents()):
                project.change_document(replace(project.document(id), held_back=True))
            if not old and settled(id, "", new, asked) == asked:
                old = new  # it is no longer known, but all evidence stands
            if new and new != old:
                self.follow(project, id, old, new)

    def follow(self, project: Project, id: str, old: str, new: str) -> None:
        """Let questions and judgements of a document follow its text from ``old`` to ``new``."""
        self._studio.questions.amend(project, partial(carried, id, old, new))
        project.keep_judgements(followed(id, old, new, project.judgements()))

    def settle(self, project: Project) -> None:
        """Once after a start or a failure, let what quotes a document follow where only the text was changed."""
        if project.folder in self._settled:
            return
        with project.changing():
            asked: dict[str, list[Question]] = {}
            for q in (*project.questions(), *(q for d in project.decisions() for q in d.before)):
                asked.setdefault(q.document, []).append(q)
            earlier = {d.id: d for d in project.replaced()}
            for id in {d.id for d in project.documents() if d.ready} & (asked.keys() | earlier.keys()):
                try:
                    old = project.replaced_text(earlier[id]) if id in earlier else project.discarded_text(id)
                    new = project.text(id)
                except ProjectError:
                    continue  # a damaged text says so where it is looked at
                own = asked.get(id, [])
                if settled(id, old, new, own) != own:
                    self._studio.questions.amend(project, partial(settled, id, old, new))
                if id in earlier:
                    self._settle_judgements(project, earlier[id], old, new)
            self._settled.add(project.folder)

    def _settle_judgements(self, project: Project, earlier: Document, old: str, new: str) -> None:
        """Judgements do not hold the words; those that stand as they did before a new version came are late."""
        before = project.before(earlier)
        late = {*before.judgements} - {*before.judged_after} & {*project.judgements()}
        if late:
            kept = [followed(earlier.id, old, new, [j]) if j in late else [j] for j in project.judgements()]
            project.keep_judgements([j for own in kept for j in own])

    def _state(self, project: Project, new: Document) -> object:
        """What an impact depends on; when it is the same, so is the impact."""
        files = ("questions.jsonl", "judgements.jsonl", "chunks.jsonl", "choices.json")
        times = [p.stat().st_mtime_ns if p.exists() else 0 for p in (project.folder / name for name in files)]
        return [new.digest, times, [job.id for job in self._studio.training.usable(project)]]

"""Projects: a home folder of project folders, each with its shelves."""

from __future__ import annotations

import datetime
import hashlib
import re
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.endpoints import Endpoint
from ragtune_ui.domain.errors import Busy, ProjectError, RagtuneError
from ragtune_ui.domain.examples import LANES, Example
from ragtune_ui.domain.mixes import Dataset, DatasetMix
from ragtune_ui.domain.passages import Chunk, ChunkSettings, Judgement, SearchSettings
from ragtune_ui.domain.plans import RunSheet, TrainingPlan
from ragtune_ui.domain.questions import Decision, Question
from ragtune_ui.domain.runs import Job
from ragtune_ui.domain.verdicts import Verdict
from ragtune_ui.domain.words import counted
from ragtune_ui.store import files, trash
from ragtune_ui.store.events import EventLog, job_of
from ragtune_ui.store.papers import Papers, gone

SCHEMA = 1
UNDO_DEPTH = 200


@dataclass(frozen=True)
class Card:
    """What a project is called and when it came to be. ``schema`` guards against newer files."""

    id: str
    name: str
    created: str
    schema: int = SCHEMA
    about: str = ""


@dataclass(frozen=True)
class Choices:
    """What the person set for the whole project."""

    chunks: ChunkSettings = field(default_factory=ChunkSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    mix: DatasetMix = field(default_factory=DatasetMix)
    preset: str = "Balanced"
    plan: TrainingPlan | None = None  # as set on the Train page; None: as the preset has it
    model: str = "built-in"
    embedder: str = ""  # the search model that the index was made with; "" is the one of the settings
    folders: tuple[str, ...] = ()  # model folders that were added
    endpoint: Endpoint = field(default_factory=Endpoint)  # the model server that writes questions, if one does


@dataclass(frozen=True)
class Turn:
    """One question asked on the Compare page, with both answers and the person's vote."""

    id: str
    run: str
    question: str
    base: str
    tuned: str
    passages: tuple[Chunk, ...]
    vote: str = ""  # "", "base", "same", "tuned", "neither"
    at: str = ""


@dataclass(frozen=True)
class Manifest:
    """A frozen dataset without its examples."""

    id: str
    mix: DatasetMix
    contract: Contract
    counts: dict[str, int]
    dev: int
    digest: str
    made: str
    questions: dict[str, str]  # question id -> what it said, to notice later changes
    passages: str = ""  # digest of the passages that it could draw from, for the same end
    model: str = ""  # whose own answers the everyday instructions have

    @property
    def sentence(self) -> str:
        """``200 examples are frozen.``"""
        number = sum(self.counts[lane] for lane in LANES)
        return f"{counted(number, 'example is', 'examples are')} frozen."


def now() -> str:
    """The time as ISO 8601 in UTC, so fine that what is made in one second still has an order."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def short_id(words: str = "") -> str:
    """A folder name: a few safe letters of ``words`` and a random part. Names are labels, never paths."""
    safe = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:24].strip("-")
    return f"{safe}-{uuid.uuid4().hex[:6]}" if safe else uuid.uuid4().hex[:12]


class Home:
    """The folder that holds all projects."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trash = folder / ".trash"

    def projects(self) -> list[Project]:
        """Readable projects, the one touched last first; a damaged one does not hide the others."""
        found = [Project(p.parent) for p in self.folder.glob("*/project.json") if not p.parent.name.startswith(".")]
        return sorted((p for p in found if p.readable), key=lambda p: p.touched, reverse=True)

    def create(self, name: str, about: str = "") -> Project:
        """A new, empty project.

        Raises:
            ProjectError: the name is empty or the folder cannot be written.
        """
        name = " ".join(name.split())
        if not name:
            raise ProjectError("The project needs a name.", "Type one, such as 'Crane handbook'.")
        id = short_id(name)
        files.write_record(self.folder / id / "project.json", Card(id, name[:80], now(), about=about))
        return Project(self.folder / id)

    def open(self, id: str) -> Project:
        """The project with that id.

        Raises:
            ProjectError: there is none, or its folder is not a RAGTune project, or is from a newer version.
        """
        if not re.fullmatch(r"[a-z0-9-]{1,64}", id):
            raise ProjectError("There is no such project.", "Choose one from the list.")
        return open_folder(self.folder / id)

    def rename(self, id: str, name: str) -> Project:
        project = self.open(id)
        name = " ".join(name.split())
        if not name:
            raise ProjectError("The project needs a name.", "Type one, such as 'Crane handbook'.")
        files.write_record(project.folder / "project.json", replace(project.card, name=name[:80]))
        return Project(project.folder)

    def model_folders(self) -> list[str]:
        """Model folders that were added in any project."""
        return list(dict.fromkeys(f for p in self.projects() for f in p.choices().folders))

    def discard(self, id: str) -> None:
        """Move a project to the trash; ``restore`` brings it back. Raises Busy while work runs in it."""
        project = self.open(id)
        if any(not job.ended for job in project.runs() + project.jobs()):
            raise Busy("Work is running in this project.", "Wait until it is finished, or stop it first.")
        if (self.trash / id).exists():  # it was copied back by hand
            raise ProjectError("A copy of this project is in the trash already.", "Delete that one for good first.")
        with project.changing():  # what is being written now is written before
            trash.throw(project.folder, self.trash)

    def restore(self, id: str) -> Project:
        if not re.fullmatch(r"[a-z0-9-]{1,64}", id) or not (self.trash / id / "project.json").exists():
            raise ProjectError("That project is no longer in the trash.", "Look for a backup of your own.")
        final = self.folder / id
        if (final / "project.json").exists():
            raise ProjectError("A project of that id is there already.", "Move that one to the trash first.")
        if final.exists():  # what was written too late, as by an earlier version of RAGTune: it stays with its project
            final.replace(self.trash / id / f"set-aside-{uuid.uuid4().hex[:6]}")
        trash.take_back(self.trash / id, final)
        return Project(final)

    def held(self, id: str) -> Project:
        """The project of that id in the trash. Raises ProjectError."""
        found = (Project(path.parent) for path in trash.held(self.trash, "project.json"))
        return next((p for p in found if p.id == id), None) or gone("That project")

    def delete(self, id: str) -> None:
        """Delete a project in the trash for good. Raises ProjectError."""
        trash.delete(self.held(id).folder)

    def tidy(self) -> None:
        """Delete the projects that have lain in the trash for a week."""
        for id in trash.overdue(self.trash):
            with suppress(RagtuneError):
                trash.delete(self.trash / id)

    def discarded(self) -> list[Card]:
        """Projects in the trash, the latest first."""
        found = [Project(path.parent) for path in trash.held(self.trash, "project.json")]
        return [project.card for project in found if project.readable]


def open_folder(folder: Path) -> Project:
    """The project in a folder.

    Raises:
        ProjectError: it is not a RAGTune project, or a newer version made it.
    """
    if not (folder / "project.json").is_file():
        raise ProjectError(
            "This folder is not a RAGTune project: it has no project.json.", "Choose a project from the Start page."
        )
    record = files.read_json(folder / "project.json")
    if isinstance(record, dict) and isinstance(record.get("schema"), int) and record["schema"] > SCHEMA:
        raise ProjectError(
            "A newer version of RAGTune made this project.", "Update RAGTune; the project stays untouched."
        )
    files.read_record(folder / "project.json", Card)
    return Project(folder)


_locks: dict[Path, threading.RLock] = {}


class Project(Papers):
    """The shelves of one project. Cheap to make; every read comes from the disk (or its unchanged copy)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index_folder = folder / "index.lance"
        self.exports = folder / "exports"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Project) and other.folder == self.folder

    def __hash__(self) -> int:
        return hash(self.folder)

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def card(self) -> Card:
        found: Card = files.cached(self.folder / "project.json", Card, files.read_record)
        return found

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def here(self) -> bool:
        """False once the project is in the trash."""
        return (self.folder / "project.json").is_file()

    @property
    def readable(self) -> bool:
        try:
            return bool(self.card)
        except RagtuneError:
            return False

    @property
    def touched(self) -> float:
        paths = [self.folder, *(self.folder / n for n in ("questions.jsonl", "choices.json", "runs", "verdicts"))]
        return max(p.stat().st_mtime for p in paths if p.exists())

    def changing(self) -> threading.RLock:
        """The lock to hold while a shelf is read, changed and written back, lest two windows undo each other."""
        return _locks.setdefault(self.folder, threading.RLock())

    def tidy(self) -> None:
        """Clear away what a crash left half-written, and what has lain in the trash for a week. For the start,
        while nothing is written here."""
        self.empty_trash()
        for shelf in ("", "documents", "waiting", "replaced", "datasets", "verdicts", "chats", "exports"):
            files.sweep(self.folder / shelf)

    # choices -------------------------------------------------------------------------------

    def choices(self) -> Choices:
        path = self.folder / "choices.json"
        if not path.exists():
            return Choices()
        found: Choices = files.cached(path, Choices, files.read_record)
        return found

    def choose(self, **changes: object) -> Choices:
        """Change some of the project's choices; returns all of them."""
        with self.changing():
            changed = replace(self.choices(), **changes)  # type: ignore[arg-type]
            files.write_record(self.folder / "choices.json", changed)
        return changed

    # passages ------------------------------------------------------------------------------

    def chunks(self) -> list[Chunk]:
        found: list[Chunk] = files.cached(self.folder / "chunks.jsonl", Chunk, files.read_records)
        return found

    def keep_chunks(self, chunks: Sequence[Chunk]) -> None:
        files.write_records(self.folder / "chunks.jsonl", chunks)

    def judgements(self) -> list[Judgement]:
        found: list[Judgement] = files.cached(self.folder / "judgements.jsonl", Judgement, files.read_records)
        return found

    def keep_judgements(self, judgements: Sequence[Judgement]) -> None:
        files.write_records(self.folder / "judgements.jsonl", judgements)

    # questions -----------------------------------------------------------------------------

    def questions(self) -> list[Question]:
        found: list[Question] = files.cached(self.folder / "questions.jsonl", Question, files.read_records)
        return found

    def keep_questions(self, questions: Sequence[Question]) -> None:
        files.write_records(self.folder / "questions.jsonl", questions)

    def decisions(self) -> list[Decision]:
        found: list[Decision] = files.cached(self.folder / "decisions.jsonl", Decision, files.read_records)
        return found

    def keep_decisions(self, decisions: Sequence[Decision]) -> None:
        files.write_records(self.folder / "decisions.jsonl", decisions[-UNDO_DEPTH:])

    # datasets ------------------------------------------------------------------------------

    def keep_dataset(
        self, dataset: Dataset, questions: Sequence[Question], passages: str = "", model: str = ""
    ) -> Manifest:
        """Freeze a dataset. The same content is kept once, under the same id, with what it was last made from."""
        said = {q.id: f"{q.question}\n{q.answer}" for q in questions}
        manifest = Manifest(
            dataset.id, dataset.mix, dataset.contract, dataset.counts, len(dataset.dev), dataset.digest, now(), said,
            passages, model,
        )  # fmt: skip

        def write(folder: Path) -> None:
            files.write_records(folder / "examples.jsonl", dataset.examples)
            files.write_records(folder / "dev.jsonl", dataset.dev)
            files.write_record(folder / "contract.json", dataset.contract)
            files.write_record(folder / "dataset.json", manifest)

        files.publish(self.dataset_folder(dataset.id), write)
        return manifest

    def dataset_folder(self, id: str) -> Path:
        return self.folder / "datasets" / id

    def datasets(self) -> list[Manifest]:
        """Frozen datasets, the latest first."""
        paths = (self.folder / "datasets").glob("*/dataset.json")
        found = [files.cached(p, Manifest, files.read_record) for p in paths if not p.parent.name.startswith(".")]
        return sorted(found, key=lambda m: m.made, reverse=True)

    def dataset(self, id: str) -> Manifest:
        return next((m for m in self.datasets() if m.id == id), None) or gone("That dataset")

    def examples(self, dataset: str) -> list[Example]:
        return files.read_records(self.dataset_folder(dataset) / "examples.jsonl", Example)

    # runs and other long work --------------------------------------------------------------

    def new_run(self, sheet: RunSheet) -> str:
        id = f"run-{len(list((self.folder / 'runs').glob('run-*'))) + 1:03d}-{uuid.uuid4().hex[:4]}"
        files.write_record(self.run_folder(id) / "sheet.json", sheet)
        return id

    def run_folder(self, id: str) -> Path:
        return self.folder / "runs" / Path(id).name

    def sheet(self, run: str) -> RunSheet:
        found: RunSheet = files.cached(self.run_folder(run) / "sheet.json", RunSheet, files.read_record)
        return found

    def runs(self) -> list[Job]:
        """Trainings, the latest first."""
        return self._jobs("runs")

    def run(self, id: str) -> Job:
        return job_of(self.run_folder(id)) or gone("That training")

    def adapter(self, run: str) -> Path | None:
        """Where a run's finished (or kept) adapter lies; None while there is none."""
        folder = self.run_folder(run) / "adapter"
        return folder if (folder / files.MANIFEST).exists() else None

    def adapter_digest(self, run: str) -> str:
        """Tells a run's adapter from the one it had before it was trained on; "" while there is none."""
        manifest = self.run_folder(run) / "adapter" / files.MANIFEST
        return hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.exists() else ""

    def new_job(self, what: str) -> Path:
        """A free name for a job's folder; it comes into being with the first line of the log."""
        return self.folder / "jobs" / f"{what}-{datetime.datetime.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"

    def jobs(self) -> list[Job]:
        """Other long work, the latest first."""
        return self._jobs("jobs")

    def log(self, folder: Path) -> EventLog:
        return EventLog(folder / "events.jsonl")

    def _jobs(self, shelf: str) -> list[Job]:
        found = [job_of(p.parent) for p in (self.folder / shelf).glob("*/events.jsonl")]
        return sorted((j for j in found if j is not None), key=lambda j: (j.started, j.id), reverse=True)

    # chats, verdicts -----------------------------------------------------------------------

    def turns(self) -> list[Turn]:
        found: list[Turn] = files.cached(self.folder / "chats" / "turns.jsonl", Turn, files.read_records)
        return found

    def keep_turns(self, turns: Sequence[Turn]) -> None:
        files.write_records(self.folder / "chats" / "turns.jsonl", turns)

    def keep_verdict(self, verdict: Verdict) -> None:
        files.write_record(self.folder / "verdicts" / f"{verdict.id}.json", verdict)

    def verdicts(self) -> list[Verdict]:
        """Verdicts, the latest first."""
        paths = (self.folder / "verdicts").glob("*.json")
        found = [files.cached(p, Verdict, files.read_record) for p in paths if not p.name.startswith(".")]
        return sorted(found, key=lambda v: v.made, reverse=True)

"""Studio: the desks, what they share, and nothing else."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from ragtune_ui.domain.errors import RagtuneError
from ragtune_ui.domain.ports import Catalog, Chunker, Engines, Exporter, Progress, Reader, Writer
from ragtune_ui.settings import Settings
from ragtune_ui.store.projects import Home, Project
from ragtune_ui.studio import sample
from ragtune_ui.studio.advisor import Advisor
from ragtune_ui.studio.authors import Authors
from ragtune_ui.studio.chat import Chat
from ragtune_ui.studio.documents import Documents
from ragtune_ui.studio.jobs import Jobs
from ragtune_ui.studio.mending import Mending
from ragtune_ui.studio.mixing import Mixing
from ragtune_ui.studio.progress import Step, steps
from ragtune_ui.studio.proving import Proving
from ragtune_ui.studio.questions import Questions
from ragtune_ui.studio.reports import Reports
from ragtune_ui.studio.retrieval import Retrieval
from ragtune_ui.studio.shipping import Shipping
from ragtune_ui.studio.speakers import Speakers
from ragtune_ui.studio.training import Training
from ragtune_ui.studio.verdict import Verdicts
from ragtune_ui.studio.versions import Versions

T = TypeVar("T")
LOW_DISK = 2 * 2**30
LOW_MEMORY = 0.10


@dataclass(frozen=True)
class Machine:
    """What this computer has left, in bytes."""

    device: str
    memory_free: int
    memory_total: int
    disk_free: int
    network: bool
    advice: str  # what to do where something runs short; "" otherwise


class Studio:
    """Everything a person can ask for, one desk a stage of the way."""

    def __init__(self, settings: Settings, engines: Engines) -> None:
        self.settings = settings
        self.engines = engines
        self.home = Home(settings.home)
        self.jobs = Jobs()
        self.speakers = Speakers(engines.speaker)
        self.documents = Documents(self)
        self.reports = Reports(self)
        self.versions = Versions(self)
        self.retrieval = Retrieval(self)
        self.proving = Proving(self)
        self.mending = Mending(self)
        self.advisor = Advisor(self)
        self.authors = Authors(self)
        self.questions = Questions(self)
        self.mixing = Mixing(self)
        self.training = Training(self)
        self.chat = Chat(self)
        self.verdicts = Verdicts(self)
        self.shipping = Shipping(self)
        self._made: dict[str, object] = {}
        self._making = threading.RLock()

    # projects ------------------------------------------------------------------------------

    def projects(self) -> list[Project]:
        """All projects, the one touched last first."""
        return self.home.projects()

    def open(self, id: str) -> Project:
        """The project with that id. Raises ProjectError."""
        return self.home.open(id)

    def delete(self, id: str) -> str:
        """Delete a project in the trash for good; says so. Raises ProjectError."""
        project = self.home.held(id)
        name = project.name
        self.retrieval.drop(project)
        self.home.delete(id)
        return f"“{name}” is deleted for good."

    def sample(self) -> Project:
        """A new project filled with the bundled sample, in the background."""
        return sample.create(self)

    def recover(self) -> None:
        """After a start: find work that died with the last app and workers that live on; empty the trash of what
        has lain there for a week."""
        self.home.tidy()
        for project in self.projects():
            project.tidy()
            with suppress(RagtuneError):  # what stands in its way is said where something is to be changed
                self.versions.settle(project)
            self.jobs.recover(project)

    def steps(self, project: Project | None) -> list[Step]:
        """The rail."""
        return steps(self, project)

    def machine(self) -> Machine:
        """What this computer has left, with advice where it runs short."""
        memory = psutil.virtual_memory()
        home = self.settings.home
        while not home.exists():
            home = home.parent
        disk = shutil.disk_usage(home).free
        advice = ""
        if disk < LOW_DISK:
            advice = "The disk is nearly full: free some space before training."
        elif memory.available < LOW_MEMORY * memory.total:
            advice = "Memory is short: close other programs before training."
        return Machine(_device(), memory.available, memory.total, disk, self.settings.network, advice)

    # doers, made when first needed -----------------------------------------------------------

    def reader(self) -> Reader:
        return self._once("reader", self.engines.reader)

    def chunker(self, embedder: str = "") -> Chunker:
        """What cuts for a search model, in whose word pieces it counts."""
        return self._once(f"chunker {embedder}", lambda: self.engines.chunker(embedder))

    def writer(self) -> Writer:
        return self._once("writer", self.engines.writer)

    def catalog(self) -> Catalog:
        return self._once("catalog", self.engines.catalog)

    def exporter(self) -> Exporter:
        return self._once("exporter", self.engines.exporter)

    def model_folder(self, model: str, progress: Progress | None = None) -> Path:
        """Where a model's checked files lie. Raises ModelError."""
        return self.catalog().folder(model, progress or _unseen)

    def _once(self, name: str, make: Callable[[], T]) -> T:
        with self._making:
            if name not in self._made:
                self._made[name] = make()
            return self._made[name]  # type: ignore[return-value]


def _unseen(done: int, total: int, note: str) -> None:
    """Progress that nobody looks at."""


def _device() -> str:
    # The driver's own device file, because asking torch would load it.
    if Path("/dev/nvidia0").exists():
        return "NVIDIA GPU"
    return f"CPU, {psutil.cpu_count(logical=False) or psutil.cpu_count() or 1} cores"

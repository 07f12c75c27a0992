"""The sample project: bundled documents and questions, read by the same desks as anyone's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ragtune_ui.domain.errors import ProjectError
from ragtune_ui.store import files
from ragtune_ui.store.projects import Project
from ragtune_ui.studio.jobs import Task

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio


def create(studio: Studio) -> Project:
    """A new project with the sample in it; reading and indexing go on in the background.

    Raises:
        ProjectError: the sample did not come with this copy of the program. Busy: other work runs.
    """
    folder = studio.settings.assets / "sample"
    if not (folder / "sample.json").exists():
        raise ProjectError("The sample is missing from this copy of RAGTune.", "Begin a project of your own.")
    about = files.read_json(folder / "sample.json")
    studio.jobs.ensure_free()  # or an empty project would stay behind
    project = studio.home.create(about["title"], about["about"])

    def work(task: Task) -> str:
        return fill(studio, project, folder, about["held_back_documents"], task)

    studio.jobs.start(project, "sample", "Reading the sample", work)
    return project


def fill(studio: Studio, project: Project, folder: Path, held_back: list[str], task: Task) -> str:
    """Read the sample's documents, hold some back, index them and bring its questions in."""
    found = sorted((folder / "documents").iterdir())
    studio.documents.read(project, [(p.name, p) for p in found], task)
    studio.documents.hold_back(project, [d.id for d in project.documents() if d.name in held_back])
    studio.retrieval.index(project, task)
    rows = [json.loads(line) for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    imported = studio.questions.import_file(project, folder / "questions.jsonl", "questions.jsonl")
    if imported.added != len(rows):
        raise ProjectError("The sample's questions do not fit its documents.", "Install RAGTune again.")
    return f"{len(found)} documents and {imported.added} approved questions are ready. Next: train."

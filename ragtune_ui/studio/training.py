"""Training desk: start, watch, stop and keep, go on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ragtune_ui.domain.errors import ModelError, TrainingError
from ragtune_ui.domain.plans import RunSheet, TrainingPlan, stages, steps_of
from ragtune_ui.domain.ports import ModelChoice
from ragtune_ui.domain.runs import Job
from ragtune_ui.store import files
from ragtune_ui.store.presets import preset_named
from ragtune_ui.store.projects import Manifest, Project
from ragtune_ui.studio.jobs import Task, worker_alive

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

ALLOWING = "RAGTUNE_NETWORK=on python app.py"  # the start with which models may be downloaded
DISK_FLOOR = 500 * 2**20  # bytes that have to be free before a training starts


@dataclass(frozen=True)
class Readiness:
    """Whether training may start, and what is missing, in words."""

    ready: bool
    reason: str  # why not; "" when ready
    examples: int
    steps: int
    seconds: float | None  # estimate, from the last training on this computer
    basis: str  # what the estimate rests on
    model: ModelChoice | None


class Training:
    """What a person can ask for on the Train page."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def plan(self, project: Project) -> TrainingPlan:
        """The plan as it was set, else that of the project's preset."""
        choices = project.choices()
        return choices.plan or preset_named(self._studio.mixing.presets(), choices.preset).plan

    def keep_plan(self, project: Project, plan: TrainingPlan) -> None:
        """Keep the plan as it stands in the form."""
        if plan != self.plan(project):
            project.choose(plan=plan)

    def models(self) -> list[ModelChoice]:
        """The models to choose from, the built-in one first."""
        return self._studio.catalog().choices()

    def keeps_apart(self, project: Project) -> int:
        """How many passages the project's model keeps apart at most; 0: as many as its positions hold."""
        chosen = project.choices().model
        return next((m.passages for m in self.models() if m.id == chosen), 0)

    def given(self, project: Project, number: int) -> int:
        """How many passages the project's model is given where the search finds ``number``."""
        return min(number, self.keeps_apart(project) or number)

    def choose_model(self, project: Project, id: str) -> ModelChoice:
        """Make a model the project's base; a folder is looked at first."""
        choice = next((m for m in self.models() if m.id == id), None)
        if choice is None:
            choice = self._studio.catalog().look(Path(id).expanduser())
            project.choose(folders=tuple(dict.fromkeys([*project.choices().folders, choice.id])))
        project.choose(model=choice.id)
        return choice

    def download(self, project: Project, id: str) -> str:
        """Fetch a hub model in the background and make it the project's base; returns the job's id.

        Raises:
            ModelError: downloads are switched off. Busy: other heavy work runs.
        """
        if not self._studio.settings.network:
            raise ModelError(
                "Downloads are switched off.",
                f"Choose a model that is on this computer, or close RAGTune and start it with: {ALLOWING}",
            )

        def work(task: Task) -> str:
            self._studio.catalog().folder(id, task.progress, allow_download=True)
            project.choose(model=id)
            return f"{id} is on this computer and chosen."

        return self._studio.jobs.start(project, "model", f"Downloading {id}", work)

    def readiness(self, project: Project, plan: TrainingPlan) -> Readiness:
        """What would happen on "Start training" now."""
        mix = project.choices().mix
        outlook = self._studio.mixing.outlook(project, mix)
        dataset = self.fitting_dataset(project)
        total = sum(dataset.counts[lane] for lane in ("raft", "plain", "dap")) if dataset else outlook.plan.total
        model = next((m for m in self.models() if m.id == project.choices().model), None)
        reason = ""
        if not project.chunks():
            reason = "Add documents first."
        elif total == 0:
            reason = "Approve some questions first: there is nothing to learn from."
        elif model is not None and model.problem:
            reason = model.problem
        elif self._studio.jobs.holder():
            reason = f"“{self._studio.jobs.holder()}” is running. One at a time on this computer."
        dap = outlook.plan.counts["dap"] if mix.order == "dap first" else 0
        passes = ((total - dap, plan.rounds), (dap, plan.reading_rounds))
        steps = sum(steps_of(number, rounds, plan.batch) for number, rounds in passes if number > 0)
        speed, basis = self._speed(project)
        tokens = (outlook.tokens - outlook.reading) * plan.rounds + outlook.reading * plan.reading_rounds
        seconds = tokens / speed if speed else None
        return Readiness(not reason, reason, total, steps, seconds, basis, model)

    def fitting_dataset(self, project: Project) -> Manifest | None:
        """The latest frozen dataset, if it is of the present mix as the model bears it, and nothing changed since."""
        dataset = self._studio.mixing.current(project)
        if dataset is None or dataset.mix != self._studio.mixing.borne(project, project.choices().mix):
            return None
        return None if self._studio.mixing.since(project, dataset) else dataset

    def start(self, project: Project, plan: TrainingPlan) -> str:
        """Start a training; composes the dataset first where what it is made from has changed.

        Returns the id of the composing job or of the run, whichever starts now.

        Raises:
            TrainingError: something is missing, in words. Busy: other heavy work runs.
        """
        ready = self.readiness(project, plan)
        self._studio.jobs.ensure_free()
        if not ready.ready:
            raise TrainingError(ready.reason, "Then come back to this page.")
        self.keep_plan(project, plan)
        dataset = self.fitting_dataset(project)
        if dataset is not None:
            return self.launch(project, dataset, plan)

        made: list[Manifest] = []

        def work(task: Task) -> str:
            frozen = self._studio.mixing.compose(project, project.choices().mix, task)
            made.append(frozen)
            self._studio.speakers.release()
            return frozen.sentence

        id = self._studio.jobs.start(project, "mix", "Composing the dataset", work)
        self._studio.jobs.then(project, id, lambda: self.launch(project, made[0], plan))
        return id

    def launch(self, project: Project, dataset: Manifest, plan: TrainingPlan) -> str:
        """Start the worker on a frozen dataset; returns the run's id."""
        self._check_disk(project)
        stages(plan, project.examples(dataset.id), dataset.mix.order)
        model = project.choices().model
        sheet = RunSheet(
            model=model,
            model_folder=str(self._studio.model_folder(model)),
            dataset=dataset.id,
            dataset_folder=str(project.dataset_folder(dataset.id)),
            order=dataset.mix.order,
            plan=plan,
        )
        self._studio.jobs.ensure_free()
        run = project.new_run(sheet)
        self._supervise(project, run)
        return run

    def _supervise(self, project: Project, run: str) -> None:
        command = self._studio.engines.worker(project.run_folder(run))
        self._studio.jobs.supervise(project, run, command, "Training")

    def stop(self, project: Project, run: str) -> None:
        """Stop at the next step and keep what was learned."""
        self._studio.jobs.stop(project, run)

    def resume(self, project: Project, run: str) -> None:
        """Go on from the last saved point.

        Raises:
            TrainingError: it is finished, or runs. Busy: other heavy work runs.
        """
        job = project.run(run)
        if not job.ended or worker_alive(project.run_folder(run)):
            raise TrainingError("This training is running.", "Watch it on the Train page.")
        if job.state == "finished":
            raise TrainingError("This training is finished.", "Compare its answers, or start another one.")
        self._check_disk(project)
        self._studio.jobs.ensure_free()
        sheet = project.sheet(run)
        # Project and model may have been moved since: the worker needs to know where they are now.
        here = replace(
            sheet,
            model_folder=str(self._studio.model_folder(sheet.model)),
            dataset_folder=str(project.dataset_folder(sheet.dataset)),
        )
        if here != sheet:
            files.write_record(project.run_folder(run) / "sheet.json", here)
        self._supervise(project, run)

    def latest(self, project: Project) -> Job | None:
        """The training started last."""
        return next(iter(project.runs()), None)

    def usable(self, project: Project) -> list[Job]:
        """Trainings that left an adapter, the latest first. One of which no step was better than the original left
        none; an earlier version kept one all the same."""
        return [j for j in project.runs() if j.result.get("kept_step") != 0 and project.adapter(j.id) is not None]

    def chosen(self, project: Project, run: str) -> str:
        """``run`` where it is a training of this project, else the latest usable one; "" where there is none."""
        known = any(j.id == run for j in project.runs())
        return run if known else next((j.id for j in self.usable(project)), "")

    def _speed(self, project: Project) -> tuple[float, str]:
        """Tokens a second, and what that rests on; 0 where nothing is known."""
        now = project.choices().model
        for job in project.runs():
            seconds, tokens = job.result.get("seconds"), job.result.get("tokens")
            if not seconds or not tokens:
                continue
            before = project.sheet(job.id).model
            if before == now:
                return tokens / seconds, "from the last training on this computer"
            sizes = {m.id: m.size for m in self.models()}
            if sizes.get(before) and sizes.get(now):
                scaled = tokens / seconds * sizes[before] / sizes[now]
                return scaled, "a rough guess from the last training here, with a model of another size"
        return 0.0, "known after the first five steps"

    def _check_disk(self, project: Project) -> None:
        free = shutil.disk_usage(project.folder).free
        if free < DISK_FLOOR:
            raise TrainingError(
                f"Only {free / 2**20:,.0f} MB of disk are free; saved points need {DISK_FLOOR / 2**20:,.0f} MB.",
                "Free some space, then start again.",
            )

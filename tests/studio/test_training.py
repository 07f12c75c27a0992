"""Train desk: what is missing in words, compose then launch, refuse the second, stop and go on."""

from __future__ import annotations

import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from ragtune_ui.domain.errors import Busy, ModelError, ProjectError, TrainingError
from ragtune_ui.domain.mixes import DatasetMix
from ragtune_ui.domain.plans import stages
from ragtune_ui.settings import Settings
from ragtune_ui.studio import training
from tests.studio.conftest import PLAN, ROOT, House, facts, wait_until


def reason(house: House) -> str:
    found = house.studio.training.readiness(house.project, PLAN)
    assert found.ready == (not found.reason)
    return found.reason


def test_readiness_says_what_is_missing(house: House) -> None:
    assert reason(house) == "Add documents first."
    house.add()
    house.project.choose(mix=DatasetMix(raft=100, plain=0))
    assert reason(house).startswith("Approve some questions first")
    with pytest.raises(TrainingError, match="Approve some questions"):
        house.studio.training.start(house.project, PLAN)
    house.ask()
    assert reason(house) == ""
    house.fakes.catalog.problem = "It does not fit in memory."
    assert reason(house) == "It does not fit in memory."
    house.fakes.catalog.problem = ""
    gate = house.fakes.gate
    gate.clear()
    house.studio.jobs.start(house.project, "index", "Making passages", lambda task: str(gate.wait(10)))
    assert reason(house).startswith("“Making passages, in Harbour” is running.")
    with pytest.raises(Busy, match="Making passages"):
        house.studio.training.start(house.project, PLAN)


def test_the_estimate_comes_from_the_last_training(full: House) -> None:
    before = full.studio.training.readiness(full.project, PLAN)
    assert before.seconds is None and "first five steps" in before.basis
    assert before.model is not None and before.model.id == "built-in"
    full.train()
    after = full.studio.training.readiness(full.project, PLAN)
    tokens = full.studio.mixing.outlook(full.project, full.project.choices().mix).tokens
    assert after.seconds == pytest.approx(tokens * PLAN.rounds / 200)  # 800 word pieces in 4 s
    assert "last training" in after.basis
    full.project.choose(model="big/one")  # twice the size: half the speed, and said to be a guess
    big = full.studio.training.readiness(full.project, PLAN)
    assert big.seconds == pytest.approx(2 * after.seconds) and "rough guess" in big.basis


@pytest.mark.parametrize("order", ["mixed", "dap first"])
def test_the_steps_promised_are_the_steps_trained(full: House, order: str) -> None:
    mix = DatasetMix(raft=50, plain=20, dap=30, size=50, order=order)  # type: ignore[arg-type]
    plan = replace(PLAN, rounds=0.7, reading_rounds=1)
    full.wait(full.studio.mixing.freeze(full.project, mix))
    ready = full.studio.training.readiness(full.project, plan)
    examples = full.project.examples(full.project.datasets()[0].id)
    assert ready.examples == len(examples) == 50
    assert ready.steps == sum(s.steps for s in stages(plan, examples, order))


def test_start_composes_then_launches(full: House) -> None:
    id = full.studio.training.start(full.project, PLAN)
    assert id.startswith("mix-")
    wait_until(lambda: any(j.ended for j in full.project.runs()))
    full.idle()
    (run,) = full.project.runs()
    assert run.state == "finished"
    manifest, sheet = full.project.datasets()[0], full.project.sheet(run.id)
    assert (sheet.dataset, sheet.plan, sheet.model, sheet.order) == (manifest.id, PLAN, "built-in", "mixed")
    assert sheet.dataset_folder == str(full.project.dataset_folder(manifest.id))
    assert sheet.model_folder == str(full.fakes.model)
    again = full.studio.training.start(full.project, PLAN)  # nothing has changed: no second composing
    assert again.startswith("run-002-")
    full.wait(again)
    assert len(full.project.datasets()) == 1
    assert full.studio.training.latest(full.project).id == again
    assert [j.id for j in full.studio.training.usable(full.project)] == [again, run.id]


def test_what_follows_composing_fails_in_its_log(full: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full.fakes.catalog, "folder", lambda *a, **k: (_ for _ in ()).throw(ModelError("It is gone.")))
    full.project.choose(mix=DatasetMix(raft=100, plain=0, size=20))
    id = full.studio.training.start(full.project, PLAN)
    full.idle()
    job = full.wait(id)
    assert (job.state, job.problem) == ("failed", "It is gone.") and full.project.runs() == []


def test_the_second_start_is_refused_in_words(full: House) -> None:
    full.wait(full.studio.mixing.freeze(full.project, full.project.choices().mix))
    full.fakes.mode = "hang"
    run = full.studio.training.start(full.project, PLAN)
    for ask in (
        lambda: full.studio.training.start(full.project, PLAN),
        lambda: full.studio.training.launch(full.project, full.project.datasets()[0], PLAN),
        lambda: full.studio.documents.add(full.project, full.files({"x.md": "x"})),
    ):
        with pytest.raises(Busy, match="“Training, in Harbour” is running"):
            ask()
    with pytest.raises(TrainingError, match="is running"):
        full.studio.training.resume(full.project, run)
    full.studio.training.stop(full.project, run)
    assert full.wait(run).state == "stopped"
    assert len(list((full.project.folder / "runs").iterdir())) == 1


def test_resume_rules(tuned: House) -> None:
    run = tuned.project.runs()[0].id
    with pytest.raises(TrainingError, match="finished"):
        tuned.studio.training.resume(tuned.project, run)
    for id in ("", "run-none", "../jobs"):
        with pytest.raises(ProjectError, match="training"):
            tuned.studio.training.resume(tuned.project, id)


def test_a_training_that_never_beat_the_original_is_no_model(tuned: House) -> None:
    """Also one of an earlier version, which kept its adapter."""
    trained = tuned.project.runs()[0]
    assert tuned.project.adapter(trained.id) is not None
    tuned.project.log(tuned.project.run_folder(trained.id)).append("result", kept_step=8)
    assert [job.id for job in tuned.studio.training.usable(tuned.project)] == [trained.id]
    tuned.project.log(tuned.project.run_folder(trained.id)).append("result", kept_step=0)
    assert tuned.studio.training.usable(tuned.project) == []


def test_the_training_of_another_project_is_taken_as_the_latest(tuned: House) -> None:
    """The pages may still hold what was picked in the project before."""
    project, studio, foreign = tuned.project, tuned.studio, "run-009-beef"
    run = project.runs()[0].id
    assert studio.training.chosen(project, foreign) == studio.training.chosen(project, "") == run
    asked = project.questions()[0].question
    assert list(studio.chat.ask(project, asked, run=foreign))[-1].turn.run == run
    assert tuned.wait(studio.verdicts.measure(project, foreign)).state == "finished"
    assert project.verdicts()[0].run == run
    assert tuned.wait(studio.shipping.export(project, foreign, ["adapter"])).result["run"] == run


def test_a_training_stopped_before_its_first_step_is_no_model_and_may_go_on(tuned: House) -> None:
    trained = tuned.project.runs()[0]
    run = tuned.project.new_run(tuned.project.sheet(trained.id))
    log = tuned.project.log(tuned.project.run_folder(run))
    log.append("asked", what="train", title="Training")
    log.append("started", pid=1, total=8)
    log.append("stopped", note="Stopped before the first step. Nothing was learned yet.")
    assert tuned.studio.training.latest(tuned.project).id == run
    assert [job.id for job in tuned.studio.training.usable(tuned.project)] == [trained.id]
    tuned.studio.training.resume(tuned.project, run)
    assert tuned.wait(run).state == "finished"
    assert [job.id for job in tuned.studio.training.usable(tuned.project)] == [run, trained.id]


def test_a_moved_project_goes_on_where_it_lies_now(full: House) -> None:
    run = full.train("crash")
    old = full.project
    old.folder.replace(old.folder.with_name("moved-1"))
    studio = full.restarted()
    moved = studio.open("moved-1")
    full.project = moved
    full.fakes.mode = "train"
    studio.training.resume(moved, run)
    assert studio.jobs.wait(moved, run).state == "finished"
    sheet = moved.sheet(run)
    assert sheet.dataset_folder == str(moved.dataset_folder(sheet.dataset)) and Path(sheet.dataset_folder).is_dir()
    assert not old.folder.exists()


def test_a_model_that_is_gone_is_said_before_going_on(full: House) -> None:
    mine = full.folder / "mine"
    mine.mkdir()
    (mine / "config.json").write_text("{}")
    full.studio.training.choose_model(full.project, str(mine))
    run = full.train("crash")
    shutil.rmtree(mine)
    with pytest.raises(ModelError, match="not on this computer"):
        full.studio.training.resume(full.project, run)
    assert full.studio.jobs.holder() is None and full.project.run(run).state == "failed"


def test_models_are_chosen_from_the_list_or_a_folder(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = house.studio.training
    assert [m.id for m in desk.models()] == ["built-in", "big/one"]
    assert desk.choose_model(house.project, "big/one").title == "Big" and house.project.choices().model == "big/one"
    assert reason(house) == "Add documents first."
    with pytest.raises(ModelError, match="no model in that folder"):
        desk.choose_model(house.project, str(tmp_path / "empty"))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "config.json").write_text("{}")
    monkeypatch.setenv("HOME", str(tmp_path))
    for typed in (str(mine), str(mine), "~/mine"):
        assert desk.choose_model(house.project, typed).source == "folder"
    assert (house.project.choices().model, house.project.choices().folders) == (str(mine), (str(mine),))


def test_the_command_that_allows_downloads_is_the_one_that_settings_and_readme_know() -> None:
    setting, _, program = training.ALLOWING.partition(" ")
    name, _, value = setting.partition("=")
    assert Settings.from_env({name: value}).network and not Settings.from_env({}).network
    assert program == "python app.py"
    assert f"`{training.ALLOWING}`" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_hub_model_is_fetched_in_the_background_where_that_is_allowed(house: House, monkeypatch) -> None:
    with pytest.raises(ModelError, match="switched off") as caught:
        house.studio.training.download(house.project, "big/one")
    assert "start it with: RAGTUNE_NETWORK=on python app.py" in caught.value.remedy and house.project.jobs() == []
    monkeypatch.setattr(house.studio, "settings", replace(house.settings, network=True))
    job = house.wait(house.studio.training.download(house.project, "big/one"))
    assert (job.state, job.problem) == ("failed", "The model big/one is not on this computer.")
    assert house.project.choices().model == "built-in"
    allowed: list[bool] = []
    monkeypatch.setattr(
        house.fakes.catalog, "folder", lambda id, progress, allow_download: allowed.append(allow_download)
    )
    job = house.wait(house.studio.training.download(house.project, "big/one"))
    assert (job.state, job.what, house.project.choices().model, allowed) == ("finished", "model", "big/one", [True])


def test_too_little_disk_is_said_before_starting(full: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run = full.train("crash")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, 100 * 2**20))
    with pytest.raises(TrainingError, match="Only 100 MB of disk are free") as caught:
        full.studio.training.start(full.project, PLAN)
    assert "Free some space" in caught.value.remedy
    with pytest.raises(TrainingError, match="Only 100 MB"):
        full.studio.training.resume(full.project, run)
    assert full.studio.jobs.holder() is None and len(full.project.runs()) == 1


def test_the_plan_is_that_of_the_preset(house: House) -> None:
    for preset in house.studio.mixing.presets():
        house.project.choose(preset=preset.name)
        assert house.studio.training.plan(house.project) == preset.plan
    assert house.studio.training.latest(house.project) is None


def test_a_plan_that_was_set_is_kept_and_told(full: House) -> None:
    """What the page says of time and steps is what "Start" does, after a reload, too."""
    desk, project = full.studio.training, full.project
    before = desk.readiness(project, desk.plan(project))
    desk.keep_plan(project, replace(desk.plan(project), rounds=20))
    assert full.studio.open(project.id).choices().plan == desk.plan(project)
    after = desk.readiness(project, desk.plan(project))
    assert after.steps == pytest.approx(before.steps * 20 / 4, abs=5)
    full.studio.mixing.use_preset(project, "Specialist")
    assert desk.plan(project) == next(p.plan for p in full.studio.mixing.presets() if p.name == "Specialist")


def test_a_reading_stage_has_rounds_of_its_own(tuned: House) -> None:
    """Time is told from the speed of the last training: reading once takes a tenth of reading ten times."""
    desk, project = tuned.studio.training, tuned.project
    project.choose(mix=DatasetMix(raft=0, plain=0, dap=100, order="dap first", size=20))
    times = [
        desk.readiness(project, replace(PLAN, rounds=r, reading_rounds=n)).seconds for r, n in ((1, 1), (9, 1), (1, 10))
    ]
    assert times[0] and times[1] == times[0] and times[2] == pytest.approx(10 * times[0])


def test_a_training_needs_its_questions_as_they_are(tuned: House) -> None:
    assert tuned.studio.training.fitting_dataset(tuned.project) is not None
    tuned.project.choose(mix=replace(tuned.project.choices().mix, seed=9))
    assert tuned.studio.training.fitting_dataset(tuned.project) is None
    tuned.add({"new.md": facts(["odd crane"])})
    run = tuned.train()
    assert tuned.project.sheet(run).dataset == tuned.project.datasets()[0].id and len(tuned.project.datasets()) == 2

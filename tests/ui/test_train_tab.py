"""Train: shows and does alone."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from ragtune_ui.domain.errors import RagtuneError
from ragtune_ui.domain.plans import RunSheet, TrainingPlan, halved
from ragtune_ui.domain.ports import ModelChoice
from ragtune_ui.domain.runs import Job
from ragtune_ui.ui import model_choice, train_tab
from tests.studio.conftest import House

RUNNING = Job(
    id="run-003-ab12",
    what="train",
    state="running",
    done=81,
    total=240,
    saved=80,
    left=20.0,
    started=0,
    updated=10,
    steps=tuple((n, 3 - n / 50) for n in range(1, 82)),
    checks=((20, 2.2), (40, 1.9)),
    speed=412.0,
)
READER = ModelChoice(
    "built-in", "Built-in <reader>", "built-in", 44_000_000, 700_000_000, "Apache-2.0", "Small.", 1024, True
)
HUB = replace(READER, id="owner/name", title="Name", source="hub", here=False, memory=30_000_000_000)


def test_live_tiles_say_progress_time_error_and_speed() -> None:
    shown = train_tab.live_tiles(RUNNING, 20)
    for words in ("34 %", "step 81 of 240", "about 20 s", "1.900", "best 1.900 at step 40", "412"):
        assert words in shown
    assert "getting the model ready" in train_tab.live_tiles(Job(id="run-001-a", state="running"), 20)


def test_the_sentence_under_the_chart_reads_the_curve() -> None:
    assert "Still improving." in train_tab.reading(RUNNING) and "Last saved point: step 80." in train_tab.reading(
        RUNNING
    )
    assert train_tab.reading(replace(RUNNING, state="finished")) == ""


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("finished", "Compare answers"),
        ("stopped", "Continue from step 80"),
        ("interrupted", "Nothing before step 80 is lost"),
        ("failed", "Continue from step 80"),
    ],
)
def test_every_end_says_what_can_be_done_now(state: str, words: str) -> None:
    job = replace(RUNNING, state=state, problem="Training <stopped>.", remedy="Go on.", details="Trace")  # type: ignore[arg-type]
    assert words in train_tab.outcome(job)
    assert "<stopped>" not in train_tab.outcome(job)


def test_a_training_stopped_before_its_first_step_offers_nothing_to_compare() -> None:
    job = replace(RUNNING, state="stopped", done=0, saved=0, steps=(), note="Stopped before the first step.")
    shown = train_tab.outcome(job)
    assert "before the first step" in shown and "Start it again from the beginning" in shown
    assert "Compare answers" not in shown and "Measure it" not in shown
    assert "Compare answers" in train_tab.outcome(replace(job, done=3))


def test_a_training_that_never_beat_the_original_offers_nothing_to_compare() -> None:
    job = replace(RUNNING, state="finished", note="There is no tuned one.", result={"kept_step": 0})
    assert "no tuned one" in train_tab.outcome(job) and "Compare answers" not in train_tab.outcome(job)


def test_a_shortage_of_memory_offers_half_the_batch() -> None:
    job = replace(RUNNING, state="failed", problem="This computer ran out of memory.", saved=0)
    assert 'data-do="half"' in train_tab.outcome(job) and "from the beginning" in train_tab.outcome(job)
    assert 'data-do="half"' not in train_tab.outcome(job, 1) and "from the beginning" in train_tab.outcome(job, 1)


def test_the_form_follows_a_plan_that_changed_elsewhere_and_is_left_alone_else(tmp_path: Path) -> None:
    house = House(tmp_path)
    studio, project = house.studio, house.project
    batch = train_tab.FORM.names.index("batch")
    *_, shown = train_tab.follow(studio, project, "")
    shown = train_tab.keep(studio, project, replace(studio.training.plan(project), rounds=2))
    assert train_tab.follow(studio, project, shown) == gr.skip()  # the form shows what was typed into it
    studio.training.keep_plan(project, halved(studio.training.plan(project)))  # "Start again with half the batch"
    written = train_tab.follow(studio, project, shown)
    assert written[batch]["value"] == 4
    assert train_tab.follow(studio, project, written[-1]) == gr.skip()
    assert train_tab.use_preset(studio, project, "Specialist")[-1] == train_tab.mark_of(studio, project)
    assert train_tab.keep(studio, None, TrainingPlan()) == gr.skip()


def test_a_page_offers_no_half_of_a_batch_of_one(tmp_path: Path) -> None:
    house = House(tmp_path)
    for batch in (2, 1):
        plan = TrainingPlan(batch=batch)
        run = house.project.new_run(RunSheet("built-in", str(house.fakes.model), "d", "d", "mixed", plan))
        log = house.project.log(house.project.run_folder(run))
        log.append("asked", what="train", title="Training")
        log.append("failed", sentence="This computer ran out of memory.", remedy="Close programs.")
        assert ('data-do="half"' in train_tab.look(house.studio, house.project)[1]) == (batch > 1)


def test_a_blocked_start_says_why_and_shows_the_way() -> None:
    blocked = SimpleNamespace(ready=False, reason="Approve some questions first: there is nothing to learn from.")
    assert 'data-go="ask"' in train_tab.reason_words(blocked)
    assert 'data-go="docs"' in train_tab.reason_words(SimpleNamespace(ready=False, reason="Add documents first."))
    assert "close this window" in train_tab.reason_words(SimpleNamespace(ready=True, reason=""))


def test_costs_have_a_basis() -> None:
    ready = SimpleNamespace(seconds=840.0, basis="from the last training", model=READER, examples=1000, steps=375)
    shown = train_tab.plan_tiles(ready, 18_000_000_000, 70_000_000_000)
    assert "about 14 min" in shown and "from the last training" in shown and "needs about 700 MB" in shown
    assert "not known yet" in train_tab.plan_tiles(replace_space(ready, seconds=None), 1, 1)


def replace_space(space: SimpleNamespace, **changes: object) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(space), **changes})


def test_models_say_where_they_are_and_what_they_need() -> None:
    off = model_choice.model_cards([READER, HUB], "built-in", False, 8_000_000_000)
    assert "on this computer" in off and "chosen" in off and "Built-in &lt;reader&gt;" in off
    assert "1 more model can be downloaded" in off and "Downloads are switched off" in off and "data-ask" not in off
    assert "needs 22.0 GB more memory" in off
    on = model_choice.model_cards([READER, HUB], "built-in", True, 8_000_000_000)
    assert 'data-ask="download-owner/name"' in on and 'data-id="owner/name"' in on
    assert 'data-do="choose"' in model_choice.model_card(READER, False, False, 10**10)


def test_where_downloads_are_off_the_whole_command_can_be_copied() -> None:
    card = model_choice.model_card(HUB, False, False, 10**11)
    assert "<code>RAGTUNE_NETWORK=on python app.py</code>" in card
    assert 'data-copy="RAGTUNE_NETWORK=on python app.py"' in card
    assert "RAGTUNE_NETWORK" not in model_choice.model_card(HUB, False, True, 10**11)


def test_the_question_before_a_download_names_the_model_and_its_size() -> None:
    huge = replace(HUB, id="owner/huge", title="Huge <b>", size=3_090_000_000)
    asked = model_choice.dialogs([READER, HUB, huge])
    assert asked.count("<dialog") == 2
    assert 'data-name="train-download-owner/name"' in asked and 'data-name="train-download-owner/huge"' in asked
    assert "Download Huge &lt;b&gt;?" in asked and "3.1 GB are fetched from the Hugging Face hub once" in asked
    assert "Its files are fetched" in model_choice.download_words(replace(HUB, size=0))


def test_the_button_of_a_model_opens_its_own_question(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.studio.settings = replace(house.settings, network=True)
    shown, asked = model_choice.look(house.studio, house.project)
    button = re.search(r'data-ask="([^"]+)" aria-label="Download Big"', shown)
    assert button and f'data-name="train-{button[1]}"' in asked and "Download Big?" in asked
    assert model_choice.look(house.studio, None) == ["", ""]


def test_a_larger_model_says_what_it_costs() -> None:
    far = model_choice.model_card(replace(HUB, size=10 * READER.size), False, True, 10**10, READER.size)
    assert "Download" in far and "about 10 times as long as the built-in reader" in far
    assert "Passages at once" in model_choice.model_card(replace(HUB, passages=2), False, True, 10**10)
    assert "Passages at once" not in far
    assert "Time to train" not in model_choice.model_card(READER, True, True, 10**10, READER.size)
    assert model_choice.time_beside(0, READER.size) == model_choice.time_beside(READER.size, 0) == ""


def test_history_names_state_verdict_and_the_way_on() -> None:
    jobs = [
        (RUNNING, "Built-in reader", "Balanced", ""),
        (replace(RUNNING, id="run-002-x", state="failed"), "m", "d", "It helped."),
    ]
    shown = train_tab.history(jobs)
    assert "Training 3" in shown and "not measured" in shown and "It helped." in shown
    assert shown.count('data-do="resume"') == 1 and 'data-id="run-002-x"' in shown
    assert "None yet." in train_tab.history([])


class Desk:
    """A training desk that remembers what it was asked for."""

    def __init__(self, job: Job) -> None:
        self.job, self.asked = job, []

    def latest(self, project: object) -> Job:
        return self.job

    def __getattr__(self, name: str) -> object:
        return lambda project, *values: self.asked.append((name, *values))


def test_handlers_ask_the_desk_once() -> None:
    desk = Desk(RUNNING)
    studio, project = (
        SimpleNamespace(training=desk),
        SimpleNamespace(sheet=lambda run: SimpleNamespace(plan=TrainingPlan())),
    )
    train_tab.start(studio, project, TrainingPlan(rank=4))
    train_tab.stop(studio, project, {"choice": "stop"})
    train_tab.stop(studio, project, {"choice": "other"})
    train_tab.go_on(studio, project, {"do": "resume", "id": "r"})
    train_tab.go_on(studio, project, {"do": "half", "id": "r"})
    model_choice.choose(studio, project, {"do": "choose", "id": "built-in"})
    model_choice.download(studio, project, {"choice": "download", "id": "owner/name"})
    assert model_choice.add_folder(studio, project, " /models/x ") == ""
    assert desk.asked == [
        ("start", TrainingPlan(rank=4)),
        ("stop", RUNNING.id),
        ("resume", "r"),
        ("start", TrainingPlan(batch=4)),
        ("choose_model", "built-in"),
        ("download", "owner/name"),
        ("choose_model", "/models/x"),
    ]
    with pytest.raises(RagtuneError):
        model_choice.add_folder(studio, project, "  ")


def test_the_border_between_reading_and_tuning_is_counted_in_steps() -> None:
    sheet = SimpleNamespace(dataset="d", order="dap first", plan=TrainingPlan(batch=8, reading_rounds=1))
    manifest = SimpleNamespace(id="d", counts={"dap": 30})
    project = SimpleNamespace(sheet=lambda run: sheet, datasets=lambda: [manifest])
    assert train_tab.border_of(project, RUNNING) == 4
    sheet.order = "mixed"
    assert train_tab.border_of(project, RUNNING) == 0

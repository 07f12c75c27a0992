"""Start: what is offered, and what renaming, trash and opening do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from ragtune_ui.domain.errors import Busy, ProjectError
from ragtune_ui.studio.progress import Step
from ragtune_ui.studio.studio import Machine
from ragtune_ui.ui import home_tab as tab
from tests.studio.conftest import House
from tests.ui.pages import HOSTILE, Bench, clean

STEPS = [
    Step("home", "Start", "done", "Harbour"),
    Step("docs", "Documents", "done", "3 files"),
    Step("find", "Passages", "done", "30 passages"),
    Step("ask", "Questions", "part", "2 of 9 checked"),
    Step("mix", "Mix", "ready", "Balanced"),
    Step("train", "Train", "blocked", "Needs questions"),
]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.idle()


def test_the_next_step_is_the_first_that_is_open() -> None:
    assert tab.next_step(STEPS).key == "ask"
    done = [Step(s.key, s.title, "done", s.line) for s in STEPS]
    assert tab.next_step(done).key == "train"


def test_continue_names_project_and_step_and_turns_the_page() -> None:
    shown = clean(tab.going_on("p-1", HOSTILE, STEPS))
    assert "Next: Questions. 2 of 9 checked." in shown and 'data-go="ask"' in shown and 'data-id="p-1"' in shown
    assert "Needs questions" not in shown  # only what was begun is listed


def test_names_of_people_are_text_everywhere() -> None:
    rows = [("p-1", HOSTILE, STEPS[3]), ("p-2", "Other", None)]
    assert "&lt;img" in clean(tab.projects(rows, "p-1"))
    assert clean(tab.dialogs([("p-1", HOSTILE)], [("p-2", HOSTILE)])).count("&lt;img") == 2
    assert "&lt;img" in clean(tab.trash([("p-1", HOSTILE)]))
    assert tab.projects([], "") == "" and tab.trash([]) == ""


def test_the_sample_holds_the_main_button_only_at_first() -> None:
    assert "primary" in tab.sample(True) and "primary" not in tab.sample(False)


def test_the_computer_is_told_with_its_advice() -> None:
    fine = Machine("CPU, 2 cores", 17_400_000_000, 25_000_000_000, 82_000_000_000, False, "")
    assert "17 of 25 GB" in tab.computer(fine) and "enough for the sample" in tab.computer(fine)
    short = Machine("CPU, 2 cores", 10**9, 25 * 10**9, 10**9, False, "The disk is nearly full.")
    assert "The disk is nearly full." in tab.computer(short) and "enough" not in tab.computer(short)


def test_a_name_makes_a_project_and_an_empty_one_says_what_to_type(house: House) -> None:
    bench = Bench(tab, "home", house)
    id, name, message, way = bench.press(tab.create, 2, "  Crane   handbook ")
    assert house.studio.open(id).name == "Crane handbook" and name == "" and message == "" and way["look"] == "home"
    failed = bench.press(tab.create, 2, "")
    assert failed[0] == gr.skip() and "needs a name" in failed[2]


def test_rename_shows_the_field_with_the_name_and_keeps_the_new_one(house: House) -> None:
    act = {"do": "rename", "id": house.project.id}
    skipped, id, name, box = tab.choose(house.studio, None, act)
    assert skipped == gr.skip() and (id, name, box["visible"]) == (house.project.id, "Harbour", True)
    assert tab.rename(house.studio, None, id, "Quay")["visible"] is False
    assert house.studio.open(id).name == "Quay"
    with pytest.raises(ProjectError):
        tab.rename(house.studio, None, id, " ")
    assert tab.leave(house.studio, None)["visible"] is False


def test_open_answers_the_project(house: House) -> None:
    assert tab.choose(house.studio, None, {"do": "open", "id": house.project.id})[0] == house.project.id
    with pytest.raises(ProjectError):
        tab.choose(house.studio, None, {"do": "open", "id": "gone-1"})


def test_trash_and_back(house: House) -> None:
    id = house.project.id
    opened, note = tab.discard(house.studio, house.project, {"choice": "discard", "id": id})
    assert opened == "" and 'data-do="restore"' in note and house.studio.projects() == []
    assert "Harbour" in Bench(tab, "home", house).look("")[7]
    assert "is back" in tab.restore(house.studio, None, {"do": "restore", "id": id})
    assert [p.id for p in house.studio.projects()] == [id]


def test_a_project_in_the_trash_is_deleted_for_good_after_a_dialog(house: House) -> None:
    id = house.project.id
    tab.confirmed(house.studio, house.project, {"choice": "discard", "id": id})
    shown = Bench(tab, "home", house).look("")
    assert f'data-ask="delete-{id}"' in shown[7] and 'data-do="delete"' not in shown[7] and "7 days" in shown[7]
    assert f'data-name="home-delete-{id}"' in shown[6] and "cannot be undone" in shown[6] and "packages" in shown[6]
    opened, note = tab.confirmed(house.studio, None, {"choice": "delete", "id": id})
    assert opened == gr.skip() and "“Harbour” is deleted for good." in note
    assert house.studio.home.discarded() == [] and list(house.studio.home.trash.iterdir()) == []
    with pytest.raises(ProjectError, match="no longer there"):
        tab.confirmed(house.studio, None, {"choice": "delete", "id": id})


def test_trash_of_another_project_leaves_the_open_one_open(house: House) -> None:
    other = house.studio.home.create("Other")
    assert tab.discard(house.studio, house.project, {"choice": "discard", "id": other.id})[0] == gr.skip()


def test_a_project_at_work_is_not_thrown_away(house: House) -> None:
    house.fakes.gate.clear()
    house.studio.documents.add(house.project, house.files({"a.md": "The red crane weighs 12 tonnes."}))
    with pytest.raises(Busy, match="still running"):
        tab.discard(house.studio, house.project, {"choice": "discard", "id": house.project.id})
    house.fakes.gate.set()
    house.idle()
    assert house.studio.open(house.project.id).name == "Harbour"


def test_the_page_shows_the_home_folder(house: House) -> None:
    bench = Bench(tab, "home", house)
    what, machine, latest, resume, sample, listed, _, trash, message = bench.look(house.project.id)
    assert message == gr.skip() and machine == "" and trash == "" and "details" in what
    assert "Continue: Harbour" in latest and resume["visible"] is True and "open" in listed and "primary" not in sample
    assert {"home-name", "home-create", "home-sample", "home-projects"} <= bench.ids()


def test_the_first_look_explains_and_offers(house: House) -> None:
    house.studio.home.discard(house.project.id)
    what, machine, latest, resume, sample, listed, *_ = Bench(tab, "home", house).look("")
    assert "Retrieval" in what and "details" not in what and "This computer" in machine
    assert latest == "" and resume["visible"] is False and "primary" in sample and listed == ""

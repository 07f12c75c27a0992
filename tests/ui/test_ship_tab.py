"""Take away: shows and does alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.errors import ShippingError
from ragtune_ui.domain.plans import RunSheet, TrainingPlan
from ragtune_ui.domain.runs import Job
from ragtune_ui.store import files
from ragtune_ui.ui import ship_tab
from tests.studio.conftest import House
from tests.ui.pages import Bench

DONE = SimpleNamespace(
    folder=Path("/home/<me>/x"),
    archive=Path("/home/x.zip"),
    run="run-002-x",
    same=5,
    of=5,
    size=51_000_000,
    made="2026-01-02T03:04:05",
    behind=False,
)


def test_what_lies_ready_is_proven_and_escaped() -> None:
    shown = ship_tab.ready(DONE)
    assert (
        "Same 5 of 5 answers" in shown and "pill ok" in shown and "/home/&lt;me&gt;/x" in shown and "data-copy" in shown
    )
    changed = ship_tab.ready(SimpleNamespace(**{**vars(DONE), "same": 4}))
    assert "pill warn" in changed and "Some answers changed" in changed


def test_costs_say_the_parts_the_room_they_need_and_the_room_there_is() -> None:
    shown = ship_tab.costs({"adapter": 3_000_000, "merged": 45_000_000}, 98_000_000, 70_000_000_000)
    assert all(words in shown for words in ("about 3 MB", "about 45 MB", "about 98 MB", "70.0 GB"))
    assert "–" in ship_tab.costs({}, 0, 1)


def test_the_prompt_is_shown_as_it_is() -> None:
    shown = ship_tab.contract_words(Contract(instruction="Answer <only>."))
    assert "Answer &lt;only&gt;." in shown and "[{number}] {title}: {text}" in shown


def test_progress_and_failure() -> None:
    running = Job(id="j", state="running", title="Packing", note="Writing the files", done=1, total=4)
    assert "Writing the files" in ship_tab.progress(running) and 'aria-valuenow="25"' in ship_tab.progress(running)
    failed = replace(running, state="failed", problem="Disk full.", remedy="Free some.")
    assert "Free some." in ship_tab.progress(failed) and ship_tab.progress(None) == ""


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((False, ["adapter"], None), "trained model"),
        ((True, [], None), "Choose"),
        ((True, ["adapter"], "Training"), "running"),
    ],
)
def test_a_blocked_button_says_why(args: tuple[bool, list[str], str | None], words: str) -> None:
    assert words in ship_tab.why_not(*args)
    assert ship_tab.why_not(True, ["adapter"], None) == ""


CRANE = SimpleNamespace(id="crane-1")


def studio_with(shipments: list[SimpleNamespace], asked: list[object]) -> SimpleNamespace:
    return SimpleNamespace(
        training=SimpleNamespace(usable=lambda project: [Job(id="run-002-x")]),
        shipping=SimpleNamespace(
            shipments=lambda project: shipments, export=lambda project, run, parts: asked.append((run, parts))
        ),
    )


def test_packing_asks_the_desk_once() -> None:
    asked: list[object] = []
    assert ship_tab.pack(studio_with([], asked), None, "run-002-x", ["adapter"]) == ship_tab.NOTHING
    assert asked == [("run-002-x", ["adapter"])]


def test_the_zip_is_copied_only_when_it_is_asked_for() -> None:
    copied: list[Path] = []
    served = lambda file: copied.append(file) or "/served/x.zip"
    _, place, label = ship_tab.fetch(studio_with([DONE], []), CRANE, "", served)
    assert copied == [DONE.archive] and place == "/served/x.zip" and label == "Save Training 2 (51 MB)"
    with pytest.raises(ShippingError):
        ship_tab.fetch(studio_with([], []), None, "", served)


def test_the_zip_is_offered_only_where_the_page_is_about_it(tmp_path: Path) -> None:
    later = SimpleNamespace(**{**vars(DONE), "made": "2026-01-02T04:00:00"})
    other = SimpleNamespace(**{**vars(DONE), "run": "run-001-x"})
    studio, place = studio_with([DONE, other], []), tmp_path / "x.zip"
    studio.training.usable = lambda project: [Job(id="run-002-x"), Job(id="run-001-x")]
    place.write_bytes(b"zip")
    fetched = ship_tab.fetch(studio, CRANE, "", lambda file: str(place))
    shown = ship_tab.offered(studio, CRANE, "run-002-x", fetched)
    assert shown["visible"] and shown["value"] == str(place) and "Training 2" in shown["label"]
    hidden = [
        ship_tab.offered(studio, SimpleNamespace(id="other-2"), "", fetched),  # has a training of the same name
        ship_tab.offered(studio, None, "", fetched),
        ship_tab.offered(studio, CRANE, "run-001-x", fetched),
        ship_tab.offered(studio_with([later], []), CRANE, "", fetched),
        ship_tab.offered(studio, CRANE, "", ship_tab.NOTHING),
    ]
    place.unlink()
    hidden.append(ship_tab.offered(studio, CRANE, "", fetched))
    assert [(update["visible"], update["value"]) for update in hidden] == [(False, None)] * 6


def test_an_answer_that_comes_late_shows_no_zip_of_another_project(tmp_path: Path) -> None:
    bench = Bench(ship_tab, "share", House(tmp_path))
    writers = {fn.name for fn in bench.app.fns.values() if "share-zip" in [c.elem_id for c in fn.outputs]}
    assert writers == {"look"}  # no handler writes the button: it is drawn for the project that is open


def test_no_room_for_the_copy_is_said_in_words() -> None:
    def full(file: Path) -> str:
        raise OSError(28, "No space left on device")

    with pytest.raises(ShippingError, match="no room"):
        ship_tab.fetch(studio_with([DONE], []), None, "run-002-x", full)


def trained_house(folder: Path) -> tuple[House, str]:
    """A house with one training that left an adapter, and its run."""
    house = House(folder)
    dataset, plan = house.project.dataset_folder("d"), TrainingPlan()
    files.write_record(dataset / "contract.json", Contract())
    run = house.project.new_run(RunSheet("built-in", str(house.fakes.model), "d", str(dataset), "mixed", plan))
    log = house.project.log(house.project.run_folder(run))
    log.append("asked", what="train", title="Training")
    log.append("finished", note="Trained.")
    train_on(house, run, "adapter")
    return house, run


def train_on(house: House, run: str, weights: str) -> None:
    adapter = house.project.run_folder(run) / "adapter"
    files.publish(adapter, lambda to: (to / "adapter_model.safetensors").write_text(weights))


def test_the_page_and_the_packing_reckon_with_the_same_room(tmp_path: Path) -> None:
    tuned, run = trained_house(tmp_path)
    project = tuned.project
    (tuned.fakes.model / "model.safetensors").write_bytes(b"w" * 8_000_000)
    for parts, words in ((["adapter"], "about 2 MB"), (["adapter", "merged"], "about 18 MB"), ([], "–")):
        shown = str(ship_tab.look(tuned.studio, project, run, parts)[2])
        assert words in shown.rsplit("Needed", 1)[1].split("Disk free")[0]
        assert words == "–" or words[6:] in f"{tuned.studio.shipping.needed(project, run, parts) / 1e6:.0f} MB"


def test_weights_of_before_are_not_offered_as_those_of_now(tmp_path: Path) -> None:
    house, run = trained_house(tmp_path)
    studio, project = house.studio, house.project
    project.exports.mkdir(parents=True, exist_ok=True)
    (project.exports / f"{run}.zip").write_bytes(b"zip")
    report = {"same": 5, "of": 5, "made": "2026-01-02T03:04:05", "adapter": project.adapter_digest(run)}
    files.write_record(project.exports / f"{run}.json", report)
    served = lambda file: str(file)
    fetched, stood = ship_tab.fetch(studio, project, run, served), ship_tab.stand(studio, project)
    pill, result, *_, downloads, _, _, past = ship_tab.look(studio, project, run, ["adapter"])
    assert "packed" in pill and "Trained on since" not in result and downloads["visible"]
    assert ship_tab.offered(studio, project, run, fetched)["visible"]
    train_on(house, run, "adapter, trained on")
    assert ship_tab.stand(studio, project) != stood  # so that the page looks again
    pill, result, *_, downloads, _, _, past = ship_tab.look(studio, project, run, ["adapter"])
    assert "packed" not in pill and "Trained on since" in pill and "Trained on since: pack it again." in result
    assert not downloads["visible"] and "trained on since" in past
    assert not ship_tab.offered(studio, project, run, fetched)["visible"]
    with pytest.raises(ShippingError, match="Trained on since"):
        ship_tab.fetch(studio, project, run, served)

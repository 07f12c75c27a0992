"""Take away: shows and does alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.errors import ShippingError
from ragtune_ui.domain.runs import Job
from ragtune_ui.ui import ship_tab

DONE = SimpleNamespace(
    folder=Path("/home/<me>/x"),
    archive=Path("/home/x.zip"),
    run="run-002-x",
    same=5,
    of=5,
    size=51_000_000,
    made="2026-01-02T03:04:05",
)


def test_what_lies_ready_is_proven_and_escaped() -> None:
    shown = ship_tab.ready(DONE)
    assert (
        "Same 5 of 5 answers" in shown and "pill ok" in shown and "/home/&lt;me&gt;/x" in shown and "data-copy" in shown
    )
    changed = ship_tab.ready(SimpleNamespace(**{**vars(DONE), "same": 4}))
    assert "pill warn" in changed and "Some answers changed" in changed


def test_costs_count_folder_and_zip() -> None:
    shown = ship_tab.costs({"adapter": 3_000_000, "merged": 45_000_000}, ["adapter", "merged"], 70_000_000_000)
    assert "about 96 MB" in shown and "70.0 GB" in shown
    assert "–" in ship_tab.costs({}, ["adapter"], 1)


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


def studio_with(shipments: list[SimpleNamespace], asked: list[object]) -> SimpleNamespace:
    return SimpleNamespace(
        training=SimpleNamespace(usable=lambda project: [Job(id="run-002-x")]),
        shipping=SimpleNamespace(
            shipments=lambda project: shipments, export=lambda project, run, parts: asked.append((run, parts))
        ),
    )


def test_packing_asks_the_desk_once() -> None:
    asked: list[object] = []
    ship_tab.pack(studio_with([], asked), None, "run-002-x", ["adapter"])
    assert asked == [("run-002-x", ["adapter"])]


def test_the_zip_is_copied_only_when_it_is_asked_for() -> None:
    copied: list[Path] = []
    served = lambda file: copied.append(file) or "/served/x.zip"
    update = ship_tab.fetch(studio_with([DONE], []), None, "", served)
    assert copied == [DONE.archive] and update["value"] == "/served/x.zip" and "51 MB" in update["label"]
    with pytest.raises(ShippingError):
        ship_tab.fetch(studio_with([], []), None, "", served)


def test_no_room_for_the_copy_is_said_in_words() -> None:
    def full(file: Path) -> str:
        raise OSError(28, "No space left on device")

    with pytest.raises(ShippingError, match="no room"):
        ship_tab.fetch(studio_with([DONE], []), None, "run-002-x", full)

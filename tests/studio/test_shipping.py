"""Take-away desk: what is packed is what was trained, or a sentence why not."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.errors import ShippingError
from ragtune_ui.engine.exporter import _may_grow, _stored_precision
from ragtune_ui.store import files
from ragtune_ui.studio.shipping import WORDS
from tests.studio.conftest import Exporter, House

BOTH = ["adapter", "merged"]


def packed(house: House, parts: list[str] = BOTH):
    return house.wait(house.studio.shipping.export(house.project, "", parts))


def test_both_parts_are_packed_and_repeat_themselves(tuned: House) -> None:
    assert tuned.studio.shipping.shipments(tuned.project) == []
    job = packed(tuned)
    run = tuned.project.runs()[0].id
    assert (job.state, job.note) == ("finished", "Ready: same 5 of 5 answers after loading it again.")
    assert job.result == {"run": run, "same": 5, "of": 5}
    (shipment,) = tuned.studio.shipping.shipments(tuned.project)
    assert (shipment.run, shipment.same, shipment.of) == (run, 5, 5) and shipment.made
    assert shipment.size == shipment.archive.stat().st_size and files.verified(shipment.folder)
    with zipfile.ZipFile(shipment.archive) as z:
        assert z.testzip() is None
        assert sorted(z.namelist()) == [
            f"{run}/adapter/weights.safetensors", f"{run}/contract.json", f"{run}/manifest.json",
            f"{run}/merged/weights.safetensors",
        ]  # fmt: skip
        z.extractall(tuned.folder / "elsewhere")
    assert files.verified(tuned.folder / "elsewhere" / run)
    assert files.read_record(tuned.folder / "elsewhere" / run / "contract.json", Contract) == Contract()


def test_the_checks_are_held_back_questions_asked_of_the_tuned_side(tuned: House) -> None:
    tuned.fakes.asked.clear()
    packed(tuned)
    tests = {q.question for q in tuned.studio.verdicts.questions(tuned.project)}
    asked = [p[-1].content.rsplit("Question: ", 1)[1] for _, p in tuned.fakes.asked]
    assert {side for side, _ in tuned.fakes.asked} == {"tuned"} and len(asked) == 5
    assert set(asked) <= tests or tests <= set(asked)
    assert tuned.studio.speakers._speaker is None  # two models at once may not fit


def test_without_questions_something_is_asked_all_the_same(tuned: House) -> None:
    tuned.project.keep_questions([])
    assert packed(tuned, ["adapter"]).result["of"] == 1


def test_packing_again_replaces_the_older_one(tuned: House) -> None:
    packed(tuned)
    packed(tuned, ["adapter"])
    (shipment,) = tuned.studio.shipping.shipments(tuned.project)
    with zipfile.ZipFile(shipment.archive) as z:
        assert not any("merged" in n for n in z.namelist())
    shipment.archive.unlink()
    assert tuned.studio.shipping.shipments(tuned.project) == []


def test_an_export_of_a_run_that_was_trained_on_since_is_known(tuned: House) -> None:
    """ "Continue" gives a stopped run other weights under the same name."""
    project, desk = tuned.project, tuned.studio.shipping
    packed(tuned)
    run = project.runs()[0].id
    (first,) = desk.shipments(project)
    adapter = project.run_folder(run) / "adapter"
    files.publish(adapter, lambda to: (to / "adapter_model.safetensors").write_text("adapter, trained on"))
    (later,) = desk.shipments(project)
    packed(tuned)
    (again,) = desk.shipments(project)
    assert (first.behind, later.behind, again.behind) == (False, True, False)
    report = files.read_json(project.exports / f"{run}.json")
    del report["adapter"]  # as reports were before: nobody knows
    files.write_record(project.exports / f"{run}.json", report)
    files.publish(adapter, lambda to: (to / "adapter_model.safetensors").write_text("adapter, once more"))
    assert not desk.shipments(project)[0].behind


def test_what_cannot_be_packed_is_said(full: House) -> None:
    for parts in ([], ["gguf"], ["adapter", "x"]):
        with pytest.raises(ShippingError, match="Nothing is chosen"):
            full.studio.shipping.export(full.project, "", parts)
    with pytest.raises(ShippingError, match="no trained model"):
        full.studio.shipping.export(full.project, "", BOTH)
    bad = full.train("crash")
    full.train()
    with pytest.raises(ShippingError, match="left no result"):
        full.studio.shipping.export(full.project, bad, BOTH)


def test_too_little_disk_is_said(tuned: House, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, 2**20))
    job = packed(tuned)
    assert job.state == "failed" and "disk needs 2 MB" in job.problem and job.remedy


def test_the_adapter_alone_needs_no_room_for_the_whole_model(tuned: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tuned.fakes.model / "model.safetensors").open("wb") as weights:
        weights.truncate(3 * 10**9)  # all holes: it takes no room itself
    desk, run = tuned.studio.shipping, tuned.project.runs()[0].id
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, 10**8))
    assert desk.needed(tuned.project, run, ["adapter"]) == 2 * (desk.sizes(tuned.project, run)["adapter"] + WORDS)
    assert packed(tuned, ["adapter"]).state == "finished"
    job = packed(tuned)
    assert job.state == "failed" and "disk needs 6,002 MB" in job.problem
    assert f"{desk.needed(tuned.project, run, BOTH) / 1e6:,.0f} MB" == "6,002 MB"


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", ""])
@pytest.mark.parametrize("size", [10**9, 2**30, 2**30 + 1])
def test_there_is_room_where_the_exporter_may_turn_to_32_bits(tuned: House, kind: str, size: int) -> None:
    model, run = tuned.fakes.model, tuned.project.runs()[0].id
    (model / "config.json").write_text(json.dumps({"torch_dtype": kind} if kind else {}))
    with (model / "model.safetensors").open("wb") as weights:
        weights.truncate(size)
    once = 2 * (tuned.studio.shipping.sizes(tuned.project, run)["merged"] + WORDS)
    grows = _may_grow(model, _stored_precision(model))
    assert grows == (kind not in ("float32", "") and size <= 2**30)
    assert tuned.studio.shipping.needed(tuned.project, run, ["merged"]) == once + (2 * size if grows else 0)


def test_a_zip_that_does_not_fit_is_said_and_cleared_away(tuned: House, monkeypatch: pytest.MonkeyPatch) -> None:
    real = zipfile.ZipFile.write

    def full_disk(self: zipfile.ZipFile, path: Path, name: str) -> None:
        if name.endswith("safetensors"):
            raise OSError(28, "full")
        real(self, path, name)

    monkeypatch.setattr(zipfile.ZipFile, "write", full_disk)
    job = packed(tuned)
    assert job.state == "failed" and "zip could not be written" in job.problem and "Free some space" in job.remedy
    assert list(tuned.project.exports.glob(".new-*")) == [] == tuned.studio.shipping.shipments(tuned.project)


def test_an_export_that_is_stopped_leaves_nothing(tuned: House, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Exporter.export

    def export(self, *args):
        tuned.studio.jobs.stop(tuned.project, tuned.project.jobs()[0].id)
        return real(self, *args)

    monkeypatch.setattr(Exporter, "export", export)
    assert packed(tuned).state == "stopped"
    assert list(tuned.project.exports.iterdir()) == []

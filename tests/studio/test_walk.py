"""The way without a window, the sample, the rail, and the studio around them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ragtune_ui.domain.errors import Busy, ProjectError
from ragtune_ui.domain.mixes import DatasetMix
from ragtune_ui.domain.runs import Event, fold
from ragtune_ui.domain.scores import METRICS
from ragtune_ui.domain.verdicts import CELLS, Verdict
from ragtune_ui.store import files
from ragtune_ui.store.presets import preset_named
from ragtune_ui.studio import studio as studio_module
from ragtune_ui.studio import walk
from ragtune_ui.studio.walk import Order, run_command
from tests.studio.conftest import PLAN, ROOT, House, library, wait_until


@pytest.fixture
def order(house: House, monkeypatch: pytest.MonkeyPatch) -> Order:
    """Documents in a folder, a short plan, and a place for the report."""
    folder = house.folder / "Harbour papers"
    folder.mkdir()
    for name, text in {**library(), "locked.md": "!locked"}.items():
        (folder / name).write_text(text)
    preset = replace(preset_named(house.studio.mixing.presets(), "Balanced"), mix=DatasetMix(size=40), plan=PLAN)
    monkeypatch.setattr(walk, "preset_named", lambda presets, name: preset)
    house.said = []  # type: ignore[attr-defined]
    return Order(folder, report=house.folder / "out" / "report.json", say=house.said.append)  # type: ignore[attr-defined]


def walked(house: House, order: Order):
    assert run_command(house.studio, order) == 0
    house.project = next(p for p in house.studio.projects() if p != house.project)
    return json.loads(order.report.read_text()) if order.report else {}


def test_the_whole_way_ends_in_a_report(house: House, order: Order) -> None:
    report = walked(house, order)
    project = house.project
    assert project.name == "Harbour papers" and report["project"] == project.id
    assert set(report["cells"]) == set(CELLS)
    for cell in (*report["cells"].values(), report["difference"]):
        assert set(cell) == set(METRICS)
        for figures in cell.values():
            assert set(figures) == {"mean", "low", "high", "n"} and figures["low"] <= figures["high"]
    verdict = project.verdicts()[0]
    assert report["sentence"] == f"{verdict.headline} {verdict.sentence}" and report["decision"] == verdict.decision
    assert report["questions_measured"] == verdict.n > 0 and report["questions_from"] == ["written"]
    assert set(report["retrieval"]) == {"hit@1", "hit@3", "hit@5", "hit@k", "mrr", "k"}
    assert report["training"] == {"loss_start": 8.0, "loss_end": 1.0, "seconds": 4.0, "tokens": 800, "steps": 8}
    counts = report["counts"]
    assert (counts["documents"], counts["documents_not_read"], counts["documents_held_back"]) == (5, 1, 1)
    assert counts["passages"] == 30 and counts["questions_accepted"] == 30
    assert counts["examples_raft"] + counts["examples_plain"] + counts["examples_dap"] == 40
    assert counts["questions_test"] == verdict.n
    assert [c["figure"] for c in report["checks"]][1] == f"0 of {verdict.n}"
    assert report["adapter"] == str(project.adapter(report["run"]))
    assert report["model"] == "built-in"
    text = "\n".join(house.said)  # type: ignore[attr-defined]
    assert "Reading the documents: 5 files in. 1 file not read" in text and "nobody has checked" in text
    assert "Training: Trained 8 steps." in text and verdict.sentence in text and "Report:" in text


def test_questions_may_be_brought_along(house: House, order: Order) -> None:
    rows = [f"How much does the {c} crane weigh?,{10 + 20 * n} tonnes,part-{n}.md" for n, c in enumerate(
        ["red", "blue", "green", "grey", "white"])]  # fmt: skip
    path = house.folder / "mine.csv"
    path.write_text("question,answer,source\n" + "\n".join(rows))
    report = walked(house, replace(order, questions=path, name="Mine", report=order.report))
    assert house.project.name == "Mine" and report["questions_from"] == ["import"]
    assert report["counts"]["questions_all"] == 5 and report["questions_measured"] == 1


def test_written_test_questions_are_capped(house: House, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "WRITTEN_TEST", 2)
    report = walked(house, order)
    assert report["questions_measured"] == 2 and report["counts"]["questions_rejected"] == 4


@pytest.mark.parametrize("case", ["no folder", "nothing to read", "nothing read", "bad questions", "crash", "no model"])
def test_a_desk_that_fails_is_exit_one_and_a_sentence(
    house: House, order: Order, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, wanted = house.folder / "other", case
    folder.mkdir()
    if case == "no folder":
        order, wanted = replace(order, documents=house.folder / "none"), "There is no folder"
    elif case == "nothing to read":
        order, wanted = replace(order, documents=folder), "no file that RAGTune reads"
    elif case == "nothing read":
        (folder / "a.md").write_text("!locked")
        order, wanted = replace(order, documents=folder), "None of the files could be read"
    elif case == "bad questions":
        (folder / "q.csv").write_text("question,answer\nWhy?,\n")
        order, wanted = replace(order, questions=folder / "q.csv"), "No row of the questions file"
    elif case == "crash":
        house.fakes.mode, wanted = "crash", "ended unexpectedly at step 5"
    else:
        order, wanted = replace(order, model=str(folder)), "no model in that folder"
    assert run_command(house.studio, order) == 1
    said = capsys.readouterr().err
    assert wanted in said and "What was finished is kept" in said and "Traceback" not in said
    assert order.report is not None and not order.report.exists()
    house.idle()


def test_progress_is_told_when_it_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, said = [0.0], []
    monkeypatch.setattr(walk.time, "monotonic", lambda: clock[0])
    tell = walk._teller(said.append, "Training")
    events = [Event(1, 0.0, "asked", {"what": "train", "title": "x"}), Event(2, 0.0, "started", {"total": 40})]
    for n in range(1, 11):
        events.append(Event(n + 2, n, "step", {"step": n, "loss": 2.5, "tokens": 9, "seconds": 2.0}))
    tell(fold("j", events))
    clock[0] = 6.0
    tell(fold("j", events))
    clock[0] = 12.0
    tell(fold("j", events))
    assert said == ["Training: 25% (10 of 40), error (loss) 2.500, about 1 min left"]


# the sample -----------------------------------------------------------------------------------


def test_the_sample_fills_a_project(house: House) -> None:
    house.studio = type(house.studio)(replace(house.settings, assets=ROOT / "assets"), house.fakes.engines())
    project = house.studio.sample()
    with pytest.raises(Busy, match="Reading the sample"):
        house.studio.sample()
    house.project = project
    wait_until(lambda: project.jobs()[0].ended)
    job = project.jobs()[0]
    assert (job.state, job.what) == ("finished", "sample"), job
    assert job.note == "12 documents and 205 approved questions are ready. Next: train."
    about = json.loads((ROOT / "assets" / "sample" / "sample.json").read_text())
    documents, questions = project.documents(), project.questions()
    assert len(documents) == 12 and all(d.ready for d in documents) and project.name == about["title"]
    assert {d.name for d in documents if d.held_back} == set(about["held_back_documents"])
    counts = house.studio.questions.counts(project)
    assert (counts["all"], counts["accepted"], counts["train"], counts["dev"], counts["test"]) == (
        205,
        205,
        120,
        25,
        60,
    )
    held = {d.id for d in documents if d.held_back}
    assert all(q.supported for q in questions)
    assert sum(not q.answerable for q in questions) == 45
    for q in questions:
        if q.evidence:
            assert project.text(q.document)[q.start : q.end] == q.evidence and (q.document in held) == (
                q.split == "test"
            )
    assert len(house.studio.projects()) == 2  # the refused one left no empty project


def test_a_copy_without_the_sample_says_so(house: House) -> None:
    with pytest.raises(ProjectError, match="sample is missing"):
        house.studio.sample()
    assert len(house.studio.projects()) == 1


def test_a_sample_that_does_not_fit_is_said(house: House) -> None:
    sample = house.settings.assets / "sample"
    (sample / "documents").mkdir(parents=True)
    (sample / "documents" / "a.md").write_text("The red crane weighs 3 tonnes.")
    (sample / "sample.json").write_text(json.dumps({"title": "S", "about": "", "held_back_documents": []}))
    (sample / "questions.jsonl").write_text(json.dumps({"question": "Why?", "answer": ""}) + "\n")
    house.project = house.studio.sample()
    wait_until(lambda: house.project.jobs()[0].ended)
    assert "do not fit" in house.project.jobs()[0].problem


# the rail -------------------------------------------------------------------------------------


def rail(house: House) -> dict[str, tuple[str, str]]:
    steps = house.studio.steps(house.project)
    assert [s.title for s in steps] == [
        "Start", "Documents", "Passages", "Questions", "Mix", "Train", "Compare", "Verdict", "Take away",
    ]  # fmt: skip
    return {s.key: (s.state, s.line) for s in steps}


def test_without_a_project_all_but_the_first_are_blocked(house: House) -> None:
    steps = house.studio.steps(None)
    assert [s.state for s in steps] == ["ready"] + ["blocked"] * 8 and len({s.key for s in steps}) == 9


def test_the_rail_of_an_empty_project(house: House) -> None:
    assert rail(house) == {
        "home": ("done", "Harbour"), "docs": ("ready", "Add your first files"), "find": ("blocked", "Needs documents"),
        "ask": ("blocked", "Needs passages"), "mix": ("blocked", "Needs questions"),
        "train": ("blocked", "Needs questions"), "chat": ("blocked", "Needs documents"),
        "verdict": ("blocked", "Needs a trained model"), "share": ("blocked", "Needs a trained model"),
    }  # fmt: skip


def test_the_rail_half_way(house: House) -> None:
    house.add({**library(), "locked.md": "!locked"})
    found = rail(house)
    assert found["docs"] == ("needs", "6 files, 1 need help") and found["find"] == ("done", "30 passages")
    assert found["ask"] == ("ready", "Write or import some") and found["train"] == ("blocked", "Needs questions")
    assert found["chat"] == ("ready", "Original model only")
    house.wait(house.studio.questions.write(house.project))
    first = next(q for q in house.project.questions() if q.split == "train")
    house.studio.questions.approve(house.project, first.id, first.question, first.answer)
    found = rail(house)
    assert found["ask"] == ("part", "1 of 30 checked") and found["train"] == ("ready", "Ready to start")
    assert found["mix"][0] == "ready" and found["mix"][1].startswith("Balanced: ")
    house.studio.questions.approve_supported(house.project)
    assert rail(house)["ask"] == ("done", "30 of 30 checked")


def test_the_rail_of_a_finished_project(tuned: House) -> None:
    found = rail(tuned)
    assert found["mix"][0] == "done" and found["train"] == ("done", "Finished")
    assert found["chat"] == ("ready", "Ready to compare") and found["verdict"] == ("ready", "Ready to measure")
    assert found["share"] == ("ready", "Ready to pack")
    list(tuned.studio.chat.ask(tuned.project, "How much does the red crane weigh?"))
    tuned.wait(tuned.studio.verdicts.measure(tuned.project))
    tuned.wait(tuned.studio.shipping.export(tuned.project, "", ["adapter"]))
    found = rail(tuned)
    assert found["chat"] == ("done", "1 question compared") and found["share"] == ("done", "Packed")
    assert found["verdict"] == ("done", "Not enough to say")
    verdict = tuned.project.verdicts()[0]
    words = {"use": "Training helped", "careful": "Helped, with care", "no difference": "No clear difference",
             "do not use": "Worse: keep original"}  # fmt: skip
    for n, (decision, line) in enumerate(words.items()):
        tuned.project.keep_verdict(replace(verdict, id=f"v{n}", decision=decision, made=f"9{n}"))  # type: ignore[arg-type]
        assert rail(tuned)["verdict"] == ("done", line)
    assert isinstance(verdict, Verdict)
    (adapter,) = (tuned.project.adapter(j.id) for j in tuned.studio.training.usable(tuned.project))
    assert adapter is not None
    files.publish(adapter, lambda to: (to / "adapter_model.safetensors").write_bytes(b"trained on"))
    for step in ("verdict", "share"):
        assert rail(tuned)[step] == ("ready", "Trained on since")


@pytest.mark.parametrize("what", ["documents", "index", "questions", "mix", "verdict", "ship"])
def test_running_work_is_on_the_rail(house: House, what: str) -> None:
    gate = house.fakes.gate
    gate.clear()

    def work(task) -> str:
        task.progress(1, 4)
        return str(gate.wait(10))

    id = house.studio.jobs.start(house.project, what, "Working", work)
    key = {"documents": "docs", "index": "find", "questions": "ask", "ship": "share"}.get(what, what)
    wait_until(lambda: rail(house)[key] == ("running", "Working: 25%"))
    gate.set()
    house.wait(id)
    assert rail(house)[key][0] != "running"


@pytest.mark.parametrize(
    ("mode", "state", "line"),
    [
        ("crash", "needs", "Failed at step 5"),
        ("kill", "needs", "Interrupted at step 5"),
        ("hang", "part", "Stopped at step 3"),
    ],
)
def test_a_training_on_the_rail(house: House, mode: str, state: str, line: str) -> None:
    run = house.launch(mode)
    if mode == "hang":
        wait_until(lambda: rail(house)["train"] == ("running", "Step 3 of 8"))
        house.studio.training.stop(house.project, run)
    house.wait(run)
    assert rail(house)["train"] == (state, line)


# the studio -----------------------------------------------------------------------------------


def test_the_machine_says_what_runs_short(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    found = house.studio.machine()
    assert 0 < found.memory_free <= found.memory_total and found.disk_free > 0 and found.device and not found.network
    monkeypatch.setattr(studio_module, "LOW_DISK", found.disk_free * 10)
    assert "disk is nearly full" in house.studio.machine().advice
    monkeypatch.setattr(studio_module, "LOW_DISK", 0)
    monkeypatch.setattr(studio_module, "LOW_MEMORY", 2.0)
    assert "Memory is short" in house.studio.machine().advice
    monkeypatch.setattr(studio_module, "LOW_MEMORY", 0.0)
    assert house.studio.machine().advice == ""
    far = type(house.studio)(replace(house.settings, home=house.folder / "not" / "there"), house.fakes.engines())
    assert far.machine().disk_free > 0 and far.projects() == []
    monkeypatch.setattr(Path, "exists", lambda self: str(self) == "/dev/nvidia0" or self == house.settings.home)
    assert house.studio.machine().device == "NVIDIA GPU"


def test_doers_are_made_once_and_only_when_needed(house: House) -> None:
    made: list[str] = []
    engines = replace(house.fakes.engines(), reader=lambda: made.append("reader") or object())
    studio = type(house.studio)(house.settings, engines)
    studio.steps(house.project)
    assert made == []
    assert studio.reader() is studio.reader() and made == ["reader"]

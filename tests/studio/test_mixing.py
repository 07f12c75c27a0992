"""Mix desk: counts that hold, samples that are real, nothing held back in any example, frozen once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ragtune_ui.domain.errors import MixError, PlanError, Stopped
from ragtune_ui.domain.mixes import DatasetMix
from ragtune_ui.domain.questions import Question
from ragtune_ui.studio import mixing
from ragtune_ui.studio.mixing import OWN_ANSWER_TOKENS
from tests.studio.conftest import House, Speaker, everything

SMALL = DatasetMix(raft=50, plain=30, dap=20, size=40)


def usable(house: House) -> int:
    return len(house.studio.mixing.pools(house.project).questions)


def test_the_outlook_counts_exactly(full: House) -> None:
    outlook = full.studio.mixing.outlook(full.project, SMALL)
    assert outlook.plan.counts == {"raft": 20, "plain": 12, "dap": 8} and outlook.plan.shortages == ()
    # A fact has 6 words and a passage 14 more for its heading; of 20, 15 % stand alone, the rest among three.
    wanted = 20 * ((0.85 * 3 + 1) * (6 + 14) + 30) + 12 * 45 + 8 * 6
    assert outlook.tokens == pytest.approx(wanted, abs=1)
    assert any("short" in a for a in outlook.advice) and any("Fewer than 100" in a for a in outlook.advice)


def test_a_model_practises_with_as_many_passages_as_it_keeps_apart(full: House) -> None:
    asked = full.studio.mixing.outlook(full.project, SMALL)
    full.fakes.passages = 2
    outlook = full.studio.mixing.outlook(full.project, SMALL)
    said = "The chosen model keeps 2 passages apart: it practises with 1 misleading passage instead of 3."
    assert said in outlook.advice and said not in asked.advice and outlook.tokens < asked.tokens
    assert all(len(s.passages) <= 2 for s in full.studio.mixing.samples(full.project, SMALL))
    full.wait(full.studio.mixing.freeze(full.project, SMALL))
    frozen = full.studio.training.fitting_dataset(full.project)
    assert frozen is not None and frozen.mix == replace(SMALL, distractors=1) and full.project.choices().mix == SMALL
    assert max(len(e.passages) for e in full.project.examples(frozen.id)) == 2
    full.wait(full.studio.mixing.update(full.project, frozen.id))
    assert full.project.choices().mix == SMALL  # the wish stays what it was
    full.fakes.passages = 0  # a larger model is chosen: the dataset is composed anew
    assert full.studio.training.fitting_dataset(full.project) is None


def test_updating_a_frozen_mix_leaves_the_mix_that_a_person_set(full: House) -> None:
    """The sliders say 50/50, the frozen set is 70/30: it is frozen anew as it was, and training takes 50/50."""
    desk, project = full.studio.mixing, full.project
    frozen, wished = replace(SMALL, raft=70, dap=0), replace(SMALL, raft=50, plain=50, dap=0)
    full.wait(desk.freeze(project, frozen))
    desk.keep(project, wished)
    full.studio.questions.reject(project, next(q.id for q in project.questions() if q.split == "train"))
    full.wait(desk.update(project, project.datasets()[0].id))
    latest = desk.current(project)
    assert latest is not None and latest.mix == frozen and desk.since(project, latest) == ""
    assert project.choices().mix == wished and full.studio.training.fitting_dataset(project) is None


def test_shortages_are_said_in_words(full: House) -> None:
    mix = DatasetMix(raft=60, plain=15, dap=25, size=1000)
    outlook = full.studio.mixing.outlook(full.project, mix)
    chunks = len(full.studio.mixing.pools(full.project).chunks)
    n = usable(full)
    share = 4 * n / 600  # the other lanes keep their ratio to the answers from sources
    assert outlook.plan.counts == {"raft": 4 * n, "plain": round(150 * share), "dap": chunks}
    words = [s.sentence for s in outlook.plan.shortages]
    assert words == [
        f"only {n} approved questions to learn from: {4 * n} instead of 600",
        f"only {chunks} passages to read: {chunks} instead of {round(250 * share)}",
    ]
    assert set(words) <= set(outlook.advice) and any("Below 20 %" in a for a in outlook.advice)


def test_an_empty_project_has_nothing_to_mix(house: House) -> None:
    outlook = house.studio.mixing.outlook(house.project, DatasetMix(raft=100, plain=0))
    assert outlook.plan.total == 0 and outlook.tokens == 0
    with pytest.raises(MixError, match="nothing to learn"):
        house.studio.mixing.freeze(house.project, DatasetMix(raft=100, plain=0))
    with pytest.raises(MixError):
        house.studio.mixing.samples(house.project, DatasetMix(raft=100, plain=0))


def test_samples_are_one_of_each_kind(full: House) -> None:
    loaded = list(full.fakes.loaded)
    samples = full.studio.mixing.samples(full.project, SMALL)
    assert [s.kind for s in samples] == ["answer", "clean", "refusal", "plain", "text"]
    others = full.studio.mixing.samples(full.project, SMALL, turn=1)
    assert [s.kind for s in others] == [s.kind for s in samples] and others != samples
    assert full.studio.mixing.samples(full.project, SMALL) == samples
    only = full.studio.mixing.samples(full.project, DatasetMix(raft=100, plain=0, withheld=0, clean=0))
    assert [s.kind for s in only] == ["answer"]
    assert full.fakes.loaded == loaded  # looking at samples loads no model


@pytest.mark.parametrize(("withheld", "clean"), [(5, 95), (1, 90), (50, 50), (0, 100)])
def test_samples_of_any_valid_mix_can_be_shown(full: House, withheld: int, clean: int) -> None:
    mix = DatasetMix(withheld=withheld, clean=clean)
    assert full.studio.mixing.samples(full.project, mix)


def test_freezing_twice_gives_the_same_digest(full: House) -> None:
    digests = []
    for _ in range(2):
        job = full.wait(full.studio.mixing.freeze(full.project, SMALL))
        assert (job.state, job.note) == ("finished", "40 examples are frozen.")
        digests.append(full.project.datasets()[0].digest)
    assert digests[0] == digests[1] and len(full.project.datasets()) == 1
    manifest = full.studio.mixing.current(full.project)
    assert manifest is not None and job.result == {"dataset": manifest.id, "counts": manifest.counts}
    assert {k: manifest.counts[k] for k in ("raft", "plain", "dap")} == {"raft": 20, "plain": 12, "dap": 8}
    assert manifest.counts["raft/refusal"] == 5 and manifest.counts["raft/clean"] == 3
    assert full.project.choices().mix == SMALL
    other = full.wait(full.studio.mixing.freeze(full.project, replace(SMALL, seed=7)))
    assert other.result["dataset"] != manifest.id and len(full.project.datasets()) == 2


def test_nothing_held_back_ever_enters_an_example(full: House) -> None:
    held = {d.id for d in full.project.documents() if d.held_back}
    assert held
    secret = [c for c in full.project.chunks() if c.document in held]
    tests = [q for q in full.project.questions() if q.split == "test"]
    assert secret and tests
    for mix in (SMALL, DatasetMix(raft=100, plain=0, size=400, distractors=9), DatasetMix(raft=0, plain=0, dap=100)):
        full.wait(full.studio.mixing.freeze(full.project, mix))
        full.studio.mixing.samples(full.project, mix)
    kept = everything(full.project)
    for manifest in full.project.datasets():
        folder = full.project.dataset_folder(manifest.id)
        kept += (folder / "dev.jsonl").read_text() + (folder / "dataset.json").read_text()
    assert kept.count("weighs") > 100
    for chunk in secret:
        assert chunk.text not in kept and chunk.id not in kept
    for question in tests:
        assert question.question not in kept and question.id not in kept


def test_dev_questions_draw_the_dashed_line_and_are_not_trained_on(full: House) -> None:
    dev = full.studio.mixing.dev(full.project)
    assert dev and all(q.split == "dev" for q in dev)
    full.wait(full.studio.mixing.freeze(full.project, SMALL))
    manifest = full.project.datasets()[0]
    assert manifest.dev > 0
    trained = {e.question for e in full.project.examples(manifest.id)}
    assert trained.isdisjoint(q.id for q in dev)


def test_changes_are_counted_by_question(full: House) -> None:
    desk, project = full.studio.mixing, full.project
    full.wait(desk.freeze(project, SMALL))
    manifest = project.datasets()[0]
    assert desk.changes(project, manifest) == 0 and full.studio.training.fitting_dataset(project) == manifest
    one, two, *_ = [q for q in project.questions() if q.split == "train"]
    full.studio.questions.approve(project, one.id, "How heavy, then?", one.answer)
    assert desk.changes(project, manifest) == 1
    full.studio.questions.reject(project, two.id)
    assert desk.changes(project, manifest) == 2
    project.keep_questions([*project.questions(), replace(one, id="new", question="And why?")])
    assert desk.changes(project, manifest) == 3
    assert full.studio.training.fitting_dataset(project) is None
    full.studio.questions.undo(project)
    assert desk.changes(project, manifest) == 2


def test_a_frozen_set_is_behind_where_the_words_or_the_model_changed(full: House) -> None:
    """A mended passage must reach training, and the everyday answers must be the chosen model's own."""
    desk, project = full.studio.mixing, full.project
    full.wait(desk.freeze(project, replace(SMALL, plain_targets="own")))
    manifest = project.datasets()[0]
    assert desk.since(project, manifest) == "" and full.studio.training.fitting_dataset(project) == manifest
    chunks = project.chunks()
    held = {d.id for d in project.documents() if d.held_back}
    at = next(n for n, c in enumerate(chunks) if c.document not in held)
    project.keep_chunks([replace(c, text=c.text.upper()) if n == at else c for n, c in enumerate(chunks)])
    assert desk.since(project, manifest) == "the passages changed"
    assert full.studio.training.fitting_dataset(project) is None
    project.keep_chunks(chunks)
    assert desk.since(project, manifest) == ""
    project.choose(model=str(full.fakes.model))
    assert desk.since(project, manifest) == "the model changed"
    full.wait(desk.update(project, manifest.id))
    assert desk.since(project, desk.current(project)) == ""


def test_own_answers_are_asked_once_and_kept(full: House) -> None:
    mix = replace(SMALL, plain_targets="own")
    full.wait(full.studio.mixing.freeze(full.project, mix))
    asked = [prompt for side, prompt in full.fakes.asked]
    assert len(asked) == 12 and full.fakes.loaded == [(full.fakes.model, None)]
    plain = [e for e in full.project.examples(full.project.datasets()[0].id) if e.lane == "plain"]
    assert {e.target for e in plain} == {"It is heavy"}
    full.wait(full.studio.mixing.freeze(full.project, mix))
    assert len(full.fakes.asked) == 12
    full.wait(full.studio.mixing.freeze(full.project, replace(mix, plain_targets="written")))
    plain = [e for e in full.project.examples(full.project.datasets()[0].id) if e.lane == "plain"]
    assert all(e.target.startswith("It is ") and e.target != "It is heavy" for e in plain)


def plain_targets(house: House) -> dict[str, str]:
    """What the newest dataset teaches as everyday answers, by the prompt's number."""
    plain = [e for e in house.project.examples(house.project.datasets()[0].id) if e.lane == "plain"]
    return {e.id.removeprefix("plain-e"): e.target for e in plain}


def test_an_own_answer_that_found_no_end_gives_way_to_the_written_one(
    full: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut answers would teach a model to stop in mid-sentence."""
    long = " ".join(f"word{n}" for n in range(OWN_ANSWER_TOKENS + 1))
    monkeypatch.setattr(Speaker, "reply", lambda self, prompt, side: long if "2" in prompt[-1].content else "Yes.")
    full.wait(full.studio.mixing.freeze(full.project, replace(SMALL, plain_targets="own")))
    targets = plain_targets(full)
    assert {n: t for n, t in targets.items() if t != "Yes."} == {n: f"It is {int(n)}." for n in targets if "2" in n}
    assert OWN_ANSWER_TOKENS >= 256 and any("2" in n for n in targets)


def test_own_answers_kept_by_an_older_version_may_be_cut_and_are_asked_anew(full: House) -> None:
    mix, kept = replace(SMALL, plain_targets="own"), full.project.folder / "own-answers.json"
    old = {f"e{n:03}": "It was to be heavy, but" for n in range(60)}
    kept.write_text(json.dumps({"built-in": old, "big/one": old}))
    full.wait(full.studio.mixing.freeze(full.project, mix))
    assert set(plain_targets(full).values()) == {"It is heavy"} and len(full.fakes.asked) == 12
    assert json.loads(kept.read_text())["big/one"] == old
    full.wait(full.studio.mixing.freeze(full.project, mix))
    assert len(full.fakes.asked) == 12


def test_a_preset_becomes_the_mix_of_the_project(house: House) -> None:
    preset = house.studio.mixing.use_preset(house.project, "specialist")
    assert house.project.choices().mix == preset.mix and house.project.choices().preset == "Specialist"
    assert house.studio.mixing.presets()[0].recommended
    assert house.studio.mixing.keep(house.project, SMALL) == house.project.choices().mix == SMALL
    with pytest.raises(PlanError, match="no preset"):
        house.studio.mixing.use_preset(house.project, "Wizard")


def test_a_question_without_evidence_is_not_promised(house: House) -> None:
    house.project.keep_questions([Question("x", "Why?", "because", status="approved")])
    assert house.studio.mixing.outlook(house.project, DatasetMix()).plan.counts["raft"] == 0


def test_composing_says_how_far_it_is_and_a_stop_freezes_nothing(full: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixing, "BLOCK", 7)
    project, desk = full.project, full.studio.mixing
    heard: list[tuple[int, int, str]] = []

    class Listener:
        stop_at = ""

        def progress(self, done: int, total: int, note: str = "") -> None:
            heard.append((done, total, note))
            if note == self.stop_at and done > 1:
                raise Stopped("Stopped.")

        def result(self, **data: object) -> None:
            pass

    task, asked = Listener(), usable(full)
    for task.stop_at in ("Finding misleading passages", "Choosing misleading passages"):
        with pytest.raises(Stopped):
            desk.compose(project, replace(SMALL, plain_targets="written"), task)  # type: ignore[arg-type]
        assert project.datasets() == []
    task.stop_at = ""
    heard.clear()
    full.fakes.searches.clear()
    whole = desk.compose(project, replace(SMALL, plain_targets="written"), task)  # type: ignore[arg-type]
    assert asked == 20 and [len(part) for part in full.fakes.searches][:3] == [7, 7, 6]
    assert [said[:2] for said in heard if said[2].startswith("Finding")] == [(0, 1), (0, 20), (7, 20), (14, 20)]
    assert (19, 20, "Choosing misleading passages") in heard
    monkeypatch.setattr(mixing, "BLOCK", 10_000)
    assert desk.compose(project, replace(SMALL, plain_targets="written"), task).id == whole.id  # type: ignore[arg-type]


def test_passages_are_read_through_only_when_they_changed(full: House, monkeypatch: pytest.MonkeyPatch) -> None:
    project, desk = full.project, full.studio.mixing
    full.wait(desk.freeze(project, project.choices().mix))
    manifest, read = project.datasets()[0], []
    real = mixing.digest_of_passages
    monkeypatch.setattr(mixing, "digest_of_passages", lambda chunks: read.append(len(chunks)) or real(chunks))
    assert [desk.since(project, manifest) for _ in range(3)] == ["", "", ""] and len(read) <= 1
    read.clear()
    chunks = project.chunks()
    project.keep_chunks([replace(c, text=f"{c.text} Mended.") for c in chunks])
    assert [desk.since(project, manifest) for _ in range(2)] == ["the passages changed"] * 2 and len(read) == 1
    project.keep_chunks(chunks)
    assert desk.since(project, manifest) == "" and len(read) == 2
    full.studio.documents.hold_back(project, [d.id for d in project.documents()][:3])
    assert "the passages" in desk.since(project, manifest) and len(read) == 3


def test_the_outlook_says_where_unanswerable_questions_make_more_refusals_than_the_mix(full: House) -> None:
    mix = DatasetMix(raft=100, plain=0, withheld=25, clean=0, size=40)
    before = full.studio.mixing.outlook(full.project, mix).advice
    moons = [
        replace(full.project.questions()[0], id=f"m{n}", question=f"Who owns moon {n}?", answer="", evidence="",
                document="", start=0, end=0, answerable=False, split="train") for n in range(30)
    ]  # fmt: skip
    full.project.keep_questions([*full.project.questions(), *moons])
    (said,) = set(full.studio.mixing.outlook(full.project, mix).advice) - set(before)
    assert said.startswith("30 questions that your documents do not answer come on top: 50 %")
    full.wait(full.studio.mixing.freeze(full.project, mix))
    assert full.project.datasets()[0].counts["raft/refusal"] == 20

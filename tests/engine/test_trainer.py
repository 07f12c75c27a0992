"""The trainer on a tiny model: what is learned, how it goes on, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ragtune_ui.domain.errors import TrainingError
from ragtune_ui.domain.examples import Example, Message
from ragtune_ui.domain.plans import RunSheet, Stage, TrainingPlan
from ragtune_ui.domain.runs import Event, fold
from ragtune_ui.engine.learner import Learner, Pace, Row, micro_batches
from ragtune_ui.engine.models import load_tokenizer
from ragtune_ui.engine.tokens import encode, prompt_ids
from ragtune_ui.engine.trainer import step_rows, train
from ragtune_ui.store.files import publish, verified
from tests.engine.conftest import example, reading, write_examples

PACE = Pace(1, "float32")
PLAN = TrainingPlan(
    rank=4, learning_rate=5e-3, reading_rate=2e-3, rounds=2, reading_rounds=2, batch=4, max_length=512,
    dropout=0.1, check_every=2, save_every=3,
)  # fmt: skip


def never() -> bool:
    return False


class Log:
    """Events in a list, and a stop after a given step, or when it was asked for so many times."""

    def __init__(self, stop_after: int | None = None, stop_when_asked: int | None = None) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.stop_after, self.stop_when_asked, self.asked = stop_after, stop_when_asked, 0

    def emit(self, kind: str, **data: Any) -> None:
        json.dumps(data, allow_nan=False)
        self.events.append((kind, data))

    def should_stop(self) -> bool:
        self.asked += 1
        if self.stop_when_asked is not None:
            return self.asked >= self.stop_when_asked
        return self.stop_after is not None and len(self.of("step")) >= self.stop_after

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [data for k, data in self.events if k == kind]

    def job(self) -> Any:
        return fold("r", [Event(n, float(n), k, d) for n, (k, d) in enumerate(self.events)])  # type: ignore[arg-type]


def sheet_of(model: Path, dataset: Path, plan: TrainingPlan = PLAN, order: str = "mixed") -> RunSheet:
    return RunSheet("owner/tiny", str(model), "d", str(dataset), order, plan)


def go(run: Path, sheet: RunSheet, stop_after: int | None = None, stop_when_asked: int | None = None) -> Log:
    log = Log(stop_after, stop_when_asked)
    train(run, sheet, log.emit, log.should_stop, publish, verified, pace=PACE)
    return log


def weights(run: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(run / "adapter" / "adapter_model.safetensors")


# --- tokens


@pytest.mark.parametrize("n", range(3))
def test_what_is_learned_is_the_answer_and_its_end(tiny_model: Path, n: int) -> None:
    tok = load_tokenizer(tiny_model)
    one = example(n)
    ids, learned = encode(one, tok, 1024)
    said = [i for i, on in zip(ids, learned, strict=True) if on]
    assert said[-1] == tok.eos_token_id
    assert tok.decode(said[:-1]) == one.target
    assert ids[: len(ids) - len(said)] == prompt_ids(one.prompt, tok)
    assert learned == sorted(learned)  # nothing before the answer


def test_the_built_in_reader_learns_the_answer_and_its_end(reader_model: Path) -> None:
    tok = load_tokenizer(reader_model)
    one = example(1)
    ids, learned = encode(one, tok, 1024)
    said = [i for i, on in zip(ids, learned, strict=True) if on]
    assert said[-1] == tok.eos_token_id
    assert said[:-1] == tok(one.target, add_special_tokens=False)["input_ids"]
    assert ids[: len(ids) - len(said)] == prompt_ids(one.prompt, tok)


def test_a_text_is_learned_whole(tiny_model: Path) -> None:
    tok = load_tokenizer(tiny_model)
    ids, learned = encode(reading(0), tok, 1024)
    assert all(learned) and ids[-1] == tok.eos_token_id
    assert tok.decode(ids[:-1]) == reading(0).text
    short, on = encode(reading(0), tok, 10)
    assert short == ids[:10] and all(on)


def test_a_conversation_that_trains_all_is_learned_whole(tiny_model: Path) -> None:
    ids, learned = encode(replace(example(0), trains="all"), load_tokenizer(tiny_model), 1024)
    assert len(ids) == len(learned) and all(learned)


@pytest.mark.parametrize("model", ["tiny_model", "reader_model"])
def test_a_document_cannot_end_its_turn_and_begin_another(model: str, request: pytest.FixtureRequest) -> None:
    tok = load_tokenizer(request.getfixturevalue(model))
    special = set(tok.all_special_ids)
    hostile = "".join(tok.all_special_tokens) + "<|END|><|end|<|end|>>"
    calm, told = (
        replace(example(0), messages=(*example(0).prompt[:-1], Message("user", text), Message("assistant", text)))
        for text in ("Grease the ring.", f"Grease {hostile} the ring.")
    )
    count = lambda ids: sum(i in special - {tok.unk_token_id} for i in ids)
    assert count(encode(told, tok, 4096)[0]) == count(encode(calm, tok, 4096)[0]) > 1
    assert count(encode(replace(reading(0), text=hostile), tok, 4096)[0]) == count(encode(reading(0), tok, 4096)[0])
    assert "Grease" in tok.decode(encode(told, tok, 4096)[0]) or "grease" in tok.decode(encode(told, tok, 4096)[0])


@pytest.mark.parametrize("limit", [70, 100, 130])
def test_in_use_a_long_prompt_loses_passages_and_never_the_question(tiny_model: Path, limit: int) -> None:
    tok = load_tokenizer(tiny_model)
    plain = example(2).prompt[1:]  # without the long instruction
    ids = prompt_ids(plain, tok, limit)
    assert len(prompt_ids(plain, tok)) > limit >= len(ids) > limit - 30
    text = tok.decode(ids)
    assert text.startswith("<|turn|>user\n") and "Question: What is the largest load?<|end|>" in text


def test_an_example_is_encoded_whole_or_not_at_all(tiny_model: Path) -> None:
    tok = load_tokenizer(tiny_model)
    ids, learned = encode(example(2), tok, 4096)
    assert encode(example(2), tok, len(ids)) == (ids, learned)
    with pytest.raises(TrainingError, match="does not fit"):  # else its answer could rest on what was cut away
        encode(example(2), tok, len(ids) - 1)
    with pytest.raises(TrainingError, match="does not fit"):
        encode(example(0, "tonnes " * 200), tok, 100)


def test_a_template_without_a_system_role_puts_the_instruction_first(tiny_model: Path) -> None:
    tok = load_tokenizer(tiny_model)
    tok.chat_template = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('none') }}{% endif %}" + (
        tok.chat_template or ""
    )
    text = tok.decode(prompt_ids(example(0).prompt, tok))
    assert text.startswith("<|turn|>user\nAnswer the question")


# --- order and batches


def rows_of(n: int) -> list[Row]:
    return [Row(f"r{i}", [1] * (5 + 7 * i % 30), [False] + [True] * (4 + 7 * i % 30)) for i in range(n)]


def test_each_round_holds_every_row_once_in_another_order() -> None:
    rows, stage = rows_of(10), Stage("tuning", 5, 1e-3, 2.0)
    seen = [row.id for step in range(5) for row in step_rows(rows, step, stage, 4, 42)]
    assert len(seen) == 20
    assert sorted(seen[:10]) == sorted(seen[10:]) == sorted(r.id for r in rows)
    assert seen[:10] != seen[10:]
    again = [row.id for step in range(5) for row in step_rows(rows[::-1], step, stage, 4, 42)]
    assert again == seen  # whatever the order of the file
    assert [r.id for step in range(5) for r in step_rows(rows, step, stage, 4, 43)] != seen


def test_the_last_batch_is_cut_where_the_rounds_end() -> None:
    stage = Stage("tuning", 4, 1e-3, 1.5)
    assert [len(step_rows(rows_of(10), s, stage, 4, 1)) for s in range(4)] == [4, 4, 4, 3]


def test_micro_batches_hold_every_row_once_with_little_padding() -> None:
    rows = rows_of(40)
    groups = list(micro_batches(rows, 64))
    assert sorted(r.id for g in groups for r in g) == sorted(r.id for r in rows)
    assert all(len(g) == 1 or len(g) * max(len(r.ids) for r in g) <= 64 for g in groups)


def test_the_size_of_micro_batches_does_not_change_the_loss(tiny_model: Path, monkeypatch: Any) -> None:
    tok = load_tokenizer(tiny_model)
    rows = [Row(f"e{n}", *encode(example(n), tok, 512)) for n in range(6)]
    learner = Learner(tiny_model, replace(PLAN, dropout=0), PACE)
    together = learner.check(rows, never)
    monkeypatch.setattr("ragtune_ui.engine.learner.MICRO_TOKENS", {"cpu": 1, "cuda": 1})
    assert learner.check(rows, never) == pytest.approx(together, rel=1e-5)
    monkeypatch.setattr("ragtune_ui.engine.learner.LOGITS_AT_ONCE", 600)
    assert learner.check(rows, never) == pytest.approx(together, rel=1e-5)
    learner._halves = None
    assert learner.check(rows, never) == pytest.approx(together, rel=1e-5)


def test_the_loss_is_that_of_transformers(tiny_model: Path) -> None:
    import torch

    ids, learned = encode(example(1), load_tokenizer(tiny_model), 512)
    learner = Learner(tiny_model, PLAN, PACE)
    labels = [i if on else -100 for i, on in zip(ids, learned, strict=True)]
    with torch.no_grad():
        theirs = learner.model(input_ids=torch.tensor([ids]), labels=torch.tensor([labels])).loss.item()
    assert learner.check([Row("a", ids, learned)], never) == pytest.approx(theirs, rel=1e-5)


# --- runs


def test_a_run_learns_checks_saves_and_leaves_an_adapter_peft_can_load(
    tiny_model: Path, dataset: Path, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from ragtune_ui.engine.models import without_known_notices

    run = tmp_path / "run"
    log = go(run, sheet_of(tiny_model, dataset))
    job = log.job()
    assert job.state == "finished" and job.total == 8 and [s for s, _ in job.steps] == list(range(1, 9))
    assert log.of("started") == [{"pid": os.getpid(), "total": 8}]
    assert [s for s, _ in job.checks] == [0, 2, 4, 6, 8]
    assert job.checks[-1][1] < job.checks[0][1]
    assert job.result["loss_last"] < job.result["loss_first"]
    assert [d["step"] for d in log.of("checkpoint")] == [3, 6, 8]
    assert sorted(f.name for f in (run / "checkpoints").iterdir()) == ["step-000006", "step-000008"]
    config = json.loads((run / "adapter" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["base_model_name_or_path"]) == (4, 8, "owner/tiny")
    assert str(tmp_path) not in (run / "adapter" / "adapter_config.json").read_text()
    base = AutoModelForCausalLM.from_pretrained(
        tiny_model, trust_remote_code=False, use_safetensors=True, local_files_only=True
    )
    ids = torch.tensor([prompt_ids(example(0).prompt, load_tokenizer(tiny_model))])
    before = base(input_ids=ids).logits
    with without_known_notices():
        tuned = PeftModel.from_pretrained(base, str(run / "adapter"))(input_ids=ids).logits
    assert (tuned - before).abs().max() > 1e-3


@pytest.mark.parametrize("stop_after", [2, 3, 5])
def test_a_stopped_and_resumed_run_ends_with_the_same_bytes(
    tiny_model: Path, dataset: Path, tmp_path: Path, stop_after: int
) -> None:
    sheet = sheet_of(tiny_model, dataset, order="dap first")
    whole = go(tmp_path / "whole", sheet)
    first = go(tmp_path / "parts", sheet, stop_after=stop_after)
    assert first.job().state == "stopped"
    assert (tmp_path / "parts" / "adapter" / "adapter_model.safetensors").exists()
    second = go(tmp_path / "parts", sheet)
    assert second.of("started")[0]["resumed"] == stop_after
    assert second.job().state == "finished"
    assert [d["step"] for d in second.of("step")] == list(range(stop_after + 1, 9))
    assert [d["loss"] for d in first.of("step") + second.of("step")] == [d["loss"] for d in whole.of("step")]
    assert [d["loss"] for d in first.of("check") + second.of("check")] == [d["loss"] for d in whole.of("check")]
    a, b = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert a.keys() == b.keys() and all((a[k] == b[k]).all() for k in a)


@pytest.mark.parametrize(
    ("asked", "taken", "checked"),
    [(2, 0, []), (6, 0, [0]), (10, 1, [0]), (13, 2, [0]), (21, 3, [0, 2]), (23, 4, [0, 2]), (46, 8, [0, 2, 4, 6])],
)
def test_a_stop_is_heard_within_a_step_and_within_a_check_and_changes_nothing(
    tiny_model: Path, dataset: Path, tmp_path: Path, monkeypatch: Any, asked: int, taken: int, checked: list[int]
) -> None:
    # Every row goes alone, so that a stop is asked for three times in a check and four times in a step.
    monkeypatch.setattr("ragtune_ui.engine.learner.MICRO_TOKENS", {"cpu": 1, "cuda": 1})
    sheet = sheet_of(tiny_model, dataset, replace(PLAN, patience=9, save_every=2), "dap first")
    whole = go(tmp_path / "whole", sheet)
    first = go(tmp_path / "parts", sheet, stop_when_asked=asked)
    assert first.job().state == "stopped" and first.asked == asked  # it was not asked for again
    assert (len(first.of("step")), [d["step"] for d in first.of("check")]) == (taken, checked)
    second = go(tmp_path / "parts", sheet)
    assert second.job().state == "finished" and second.of("started")[0].get("resumed", 0) == taken
    for kind in ("step", "check"):
        later = [d for d in second.of(kind) if taken or kind == "step" or d["step"] not in checked]
        assert [(d["step"], d["loss"]) for d in first.of(kind) + later] == [
            (d["step"], d["loss"]) for d in whole.of(kind)
        ]
    assert second.of("result")[0]["kept_step"] == whole.of("result")[0]["kept_step"]
    a, b = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert a.keys() == b.keys() and all((a[k] == b[k]).all() for k in a)


def test_subject_reading_comes_first_and_with_its_own_rate(tiny_model: Path, dataset: Path, tmp_path: Path) -> None:
    log = go(tmp_path / "run", sheet_of(tiny_model, dataset, order="dap first"))
    assert log.of("stage") == [{"name": "reading", "steps": 2}, {"name": "tuning", "steps": 6}]
    rates = [d["rate"] for d in log.of("step")]
    assert max(rates[:2]) == PLAN.reading_rate and max(rates[2:]) == PLAN.learning_rate


def test_a_run_stopped_before_its_first_step_ends_in_words(tiny_model: Path, dataset: Path, tmp_path: Path) -> None:
    log = go(tmp_path / "run", sheet_of(tiny_model, dataset), stop_after=0)
    assert log.job().state == "stopped" and not log.of("checkpoint")
    assert log.job().note == "Stopped before the first step. Nothing was learned yet."
    assert not (tmp_path / "run" / "adapter").exists()  # it would be taken for the latest trained model
    assert go(tmp_path / "run", sheet_of(tiny_model, dataset)).job().state == "finished"
    assert (tmp_path / "run" / "adapter").exists()


@pytest.mark.parametrize("torn", ["adapter_model.safetensors", "position.json", "manifest.json"])
def test_a_damaged_checkpoint_is_passed_over(tiny_model: Path, dataset: Path, tmp_path: Path, torn: str) -> None:
    run = tmp_path / "run"
    go(run, sheet_of(tiny_model, dataset), stop_after=4)
    file = run / "checkpoints" / "step-000004" / torn
    file.write_bytes(file.read_bytes()[:-7])
    log = go(run, sheet_of(tiny_model, dataset))
    assert log.of("started")[0]["resumed"] == 3
    assert log.job().state == "finished"


def test_a_run_whose_examples_or_plan_changed_is_refused(tiny_model: Path, dataset: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    go(run, sheet_of(tiny_model, dataset), stop_after=3)
    with pytest.raises(TrainingError, match="training plan changed"):
        go(run, sheet_of(tiny_model, dataset, replace(PLAN, learning_rate=1e-4)))
    write_examples(dataset / "examples.jsonl", [example(n) for n in range(5)])
    with pytest.raises(TrainingError, match="training examples changed") as error:
        go(run, sheet_of(tiny_model, dataset))
    assert "new run" in error.value.remedy


def test_a_loss_that_is_not_a_number_is_skipped_three_times_and_then_told(
    tiny_model: Path, dataset: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    import torch

    real, calls = Learner._loss, []

    def poisoned(learner: Learner, rows: Any) -> Any:
        calls.append(torch.is_grad_enabled())
        bad = torch.is_grad_enabled() and 2 <= sum(calls) <= bad_until
        return real(learner, rows) * (float("nan") if bad else 1)

    monkeypatch.setattr(Learner, "_loss", poisoned)
    bad_until = 4
    log = go(tmp_path / "a", sheet_of(tiny_model, dataset))
    assert log.job().state == "finished"
    assert [d["step"] for d in log.of("step")] == [1, 5, 6, 7, 8]
    calls.clear()
    bad_until = 5
    with pytest.raises(TrainingError, match="not a number") as error:
        go(tmp_path / "b", sheet_of(tiny_model, dataset))
    assert "lower learning rate" in error.value.remedy
    assert not (tmp_path / "b" / "adapter").exists()


def test_memory_that_runs_out_is_told_in_words(
    tiny_model: Path, dataset: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    def full(learner: Learner, rows: Any) -> Any:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Learner, "_loss", full)
    with pytest.raises(TrainingError, match="not enough memory"):
        go(tmp_path / "run", sheet_of(tiny_model, dataset))


def test_patience_ends_a_run_and_keeps_the_best(tiny_model: Path, dataset: Path, tmp_path: Path) -> None:
    plan = replace(PLAN, learning_rate=0.1, rounds=20, check_every=1, patience=2, dropout=0)
    wrong = [example(n, "Zq" * 9) for n in range(3)]  # what is learned makes these worse
    write_examples(dataset / "dev.jsonl", wrong)
    log = go(tmp_path / "run", sheet_of(tiny_model, dataset, plan))
    job = log.job()
    assert job.state == "finished" and job.done < job.total
    best = job.best
    assert best is not None and job.result["kept_step"] == best[0] == job.checks[-3][0]
    if best[0]:
        assert "was kept" in job.note and (tmp_path / "run" / "adapter").exists()
    else:
        assert "no tuned one" in job.note


@pytest.mark.parametrize("stopped_before", [False, True])
def test_a_run_that_never_beat_the_original_leaves_no_model(
    tiny_model: Path, dataset: Path, tmp_path: Path, monkeypatch: Any, stopped_before: bool
) -> None:
    worse = iter(range(1, 100))
    monkeypatch.setattr(Learner, "check", lambda self, rows, should_stop: float(next(worse)))
    sheet = sheet_of(tiny_model, dataset, replace(PLAN, check_every=1, patience=2))
    if stopped_before:
        go(tmp_path / "run", sheet, stop_after=1)
        assert (tmp_path / "run" / "adapter").exists()
    job = go(tmp_path / "run", sheet).job()
    assert job.state == "finished" and job.result["kept_step"] == 0
    assert not (tmp_path / "run" / "adapter").exists() and "no tuned one" in job.note


def test_a_stop_before_the_first_step_leaves_an_earlier_model(tiny_model: Path, dataset: Path, tmp_path: Path) -> None:
    sheet = sheet_of(tiny_model, dataset)
    go(tmp_path / "run", sheet, stop_after=1)
    shutil.rmtree(tmp_path / "run" / "checkpoints")  # lost: it begins anew
    assert go(tmp_path / "run", sheet, stop_after=0).job().state == "stopped"
    assert (tmp_path / "run" / "adapter").exists()


@pytest.mark.parametrize("stop_after", [1, 4, 5, 6])
def test_patience_and_the_best_begin_with_tuning(
    tiny_model: Path, dataset: Path, tmp_path: Path, monkeypatch: Any, stop_after: int
) -> None:
    def told(losses: list[float]) -> None:
        said = iter(losses)
        monkeypatch.setattr(Learner, "check", lambda *_: next(said))

    plan = replace(PLAN, reading_rounds=5, check_every=1, patience=2)
    reading_losses, losses = [1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 5.0, 4.0, 7.0, 8.0]  # worse and worse, then better
    told([*reading_losses, *losses])
    sheet = sheet_of(tiny_model, dataset, plan, "dap first")
    whole = go(tmp_path / "whole", sheet)
    assert [d["name"] for d in whole.of("stage")] == ["reading", "tuning"]
    assert whole.job().state == "finished" and whole.job().done == 9 < whole.job().total
    assert whole.of("result")[0]["kept_step"] == 7  # of the lowest loss while tuning, not of the lowest of all
    told([*reading_losses, *losses])
    assert go(tmp_path / "parts", sheet, stop_after=stop_after).job().state == "stopped"
    told([*reading_losses, *losses][stop_after + 1 :])
    assert go(tmp_path / "parts", sheet).of("result")[0]["kept_step"] == 7
    a, b = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert a.keys() == b.keys() and all((a[k] == b[k]).all() for k in a)


def test_a_run_out_of_patience_that_could_not_close_has_none_when_it_goes_on(
    tiny_model: Path, dataset: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    said = iter([3.0, 1.0, 2.0, 2.0])
    monkeypatch.setattr(Learner, "check", lambda *_: next(said))
    sheet, log = sheet_of(tiny_model, dataset, replace(PLAN, check_every=1, patience=2)), Log()

    def full_disk(to: Path, fill: Any) -> None:
        if to.name == "adapter":
            raise OSError("full")
        publish(to, fill)

    with pytest.raises(OSError, match="full"):
        train(tmp_path / "run", sheet, log.emit, never, full_disk, verified, pace=PACE)
    again = go(tmp_path / "run", sheet)
    assert not again.of("step") and again.of("result")[0]["kept_step"] == 1


def test_an_example_whose_passages_do_not_fit_is_left_out_and_a_text_is_cut(
    tiny_model: Path, dataset: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    tok = load_tokenizer(tiny_model)
    lengths = {n: len(encode(example(n), tok, 4096)[0]) for n in range(12)}
    plan = replace(PLAN, max_length=sorted(lengths.values())[8])
    fit = {f"e{n}" for n, length in lengths.items() if length <= plan.max_length}
    long = replace(reading(0), id="long", text=reading(0).text * 99)
    write_examples(dataset / "examples.jsonl", [*(example(n) for n in range(12)), long])
    real, seen = Learner.step, {}

    def watched(learner: Learner, rows: list[Row], *rest: Any) -> Any:
        seen.update({row.id: len(row.ids) for row in rows})
        return real(learner, rows, *rest)

    monkeypatch.setattr(Learner, "step", watched)
    result = go(tmp_path / "run", sheet_of(tiny_model, dataset, plan)).of("result")[0]
    assert 0 < len(fit) < 12 and seen.keys() == fit | {"long"} and seen["long"] == plan.max_length
    assert (result["examples"], result["left_out"]) == (len(fit) + 1, 12 - len(fit))


def test_a_plan_too_short_for_every_answer_from_sources_is_refused_in_words(
    tiny_model: Path, dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="Not one answer from sources fits into the 64 word pieces") as error:
        go(tmp_path / "a", sheet_of(tiny_model, dataset, replace(PLAN, max_length=64)))  # the texts would fit
    assert "Raise the longest example" in error.value.remedy and "fewer or shorter passages" in error.value.remedy
    write_examples(dataset / "examples.jsonl", [example(0, "word " * 2000), example(1, "word " * 2000)])
    with pytest.raises(TrainingError, match="1,024 word pieces that the model can read") as error:
        go(tmp_path / "b", sheet_of(tiny_model, dataset, replace(PLAN, max_length=4096)))
    assert "Choose a model" in error.value.remedy
    long = Example("long", "plain", "plain", (Message("user", "Say it."), Message("assistant", "word " * 900)))
    write_examples(dataset / "examples.jsonl", [long])
    with pytest.raises(TrainingError, match="Not one example fits"):
        go(tmp_path / "c", sheet_of(tiny_model, dataset))
    assert not list(tmp_path.rglob("adapter"))


def test_examples_that_do_not_fit_are_counted_and_missing_unseen_ones_are_said(
    tiny_model: Path, dataset: Path, tmp_path: Path
) -> None:
    long = Example("long", "plain", "plain", (Message("user", "Say it."), Message("assistant", "word " * 900)))
    write_examples(dataset / "examples.jsonl", [*(example(n) for n in range(8)), long])
    (dataset / "dev.jsonl").unlink()
    log = go(tmp_path / "run", sheet_of(tiny_model, dataset))
    assert log.of("result")[0]["left_out"] == 1 and log.of("result")[0]["examples"] == 8
    assert not log.of("check")
    assert "too long" in log.of("finished")[0]["note"] and "no unseen examples" in log.of("finished")[0]["note"]

"""The speaker: the same words from a stream, a batch and transformers itself; capitals given back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.errors import ModelError, Stopped
from ragtune_ui.domain.examples import Message
from ragtune_ui.domain.ports import Reply
from ragtune_ui.engine.models import load_tokenizer
from ragtune_ui.engine.speaker import LOOP, ModelSpeaker, _banned, _Row
from ragtune_ui.engine.tokens import encode, prompt_ids, restore
from tests.engine.conftest import CORPUS, chunk, example

LIMIT = 24


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter that changes what the tiny model says."""
    import torch

    from ragtune_ui.domain.plans import TrainingPlan
    from ragtune_ui.engine.learner import Learner, Pace

    folder = tmp_path_factory.mktemp("adapter")
    learner = Learner(tiny_model, TrainingPlan(rank=4), Pace(1, "float32"))
    torch.manual_seed(1)
    learner.put_adapter({n: torch.randn_like(t) * 0.2 for n, t in learner.adapter().items()})
    learner.write_adapter(folder, "owner/tiny")
    return folder


def prompts() -> list[tuple[Message, ...]]:
    return [example(n).prompt for n in range(5)] + [Contract().closed_book("When does lifting stop?")]


def quiet(done: int, total: int, note: str) -> None:
    return None


def last(replies: Sequence[Reply], side: str) -> Reply:
    return [r for r in replies if r.side == side][-1]


class Guard:
    """Our rule against going round in circles, for transformers' own generate."""

    def __init__(self, prompt: int) -> None:
        self.prompt = prompt

    def __call__(self, ids: Any, scores: Any) -> Any:
        banned = _banned(ids[0, self.prompt :].tolist(), LOOP)
        if banned:
            scores[0, list(banned)] = float("-inf")
        return scores


def by_generate(model: Any, tok: Any, messages: Sequence[Message]) -> str:
    import torch

    ids = torch.tensor([prompt_ids(messages, tok)])
    said = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=LIMIT, do_sample=False,
        logits_processor=[Guard(ids.shape[1])], pad_token_id=0,
    )  # fmt: skip
    return tok.decode(said[0, ids.shape[1] :], skip_special_tokens=True).strip()


def test_a_stream_a_batch_and_transformers_say_the_same(tiny_model: Path, adapter: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from ragtune_ui.engine.models import without_known_notices

    speaker, tok = ModelSpeaker(tiny_model, adapter), load_tokenizer(tiny_model)
    model = AutoModelForCausalLM.from_pretrained(
        tiny_model, trust_remote_code=False, use_safetensors=True, local_files_only=True
    ).eval()
    wanted = {"base": [by_generate(model, tok, p) for p in prompts()]}
    with without_known_notices():
        model = PeftModel.from_pretrained(model, str(adapter)).eval()
    wanted["tuned"] = [by_generate(model, tok, p) for p in prompts()]
    assert wanted["base"] != wanted["tuned"] and len(set(wanted["base"])) > 1
    for side in ("base", "tuned"):
        assert speaker.answer(prompts(), side, LIMIT, quiet) == wanted[side]
    for n, prompt in enumerate(prompts()):
        both = list(speaker.stream(prompt, ["base", "tuned"], LIMIT, lambda: False))
        alone = list(speaker.stream(prompt, ["tuned"], LIMIT, lambda: False))
        assert last(both, "base").text == wanted["base"][n]
        assert last(both, "tuned").text == last(alone, "tuned").text == wanted["tuned"][n]


def test_sides_grow_in_step_and_each_ends_once(tiny_model: Path, adapter: Path) -> None:
    replies = list(ModelSpeaker(tiny_model, adapter).stream(prompts()[0], ["tuned", "base"], LIMIT, lambda: False))
    for side in ("base", "tuned"):
        mine = [r for r in replies if r.side == side]
        assert [r.done for r in mine] == [False] * (len(mine) - 1) + [True]
        assert [r.tokens for r in mine][:5] == [1, 2, 3, 4, 5]
        assert all(b.seconds >= a.seconds for a, b in pairwise(mine))
    assert [r.side for r in replies[:4]] == ["base", "tuned", "base", "tuned"]


def test_a_side_that_ends_early_leaves_the_other_as_it_was(tiny_model: Path, adapter: Path) -> None:
    speaker = ModelSpeaker(tiny_model, adapter)
    prompt = prompts()[1]
    whole = {s: last(list(speaker.stream(prompt, [s], LIMIT, lambda: False)), s) for s in ("base", "tuned")}
    row = _Row(speaker._prompt(prompt, LIMIT), tuned=False)
    list(speaker._grow([row], LIMIT))
    said = row.said  # as ids: what a random model says is not always text that would give them back
    speaker._ends = {*speaker._ends, said[4]}
    replies = list(speaker.stream(prompt, ["base", "tuned"], LIMIT, lambda: False))
    assert last(replies, "base").tokens <= 4
    if said[4] not in load_tokenizer(tiny_model)(whole["tuned"].text, add_special_tokens=False)["input_ids"]:
        assert last(replies, "tuned").text == whole["tuned"].text


def test_answers_that_found_no_end_are_told_from_whole_ones(tiny_model: Path) -> None:
    speaker = ModelSpeaker(tiny_model)
    row = _Row(speaker._prompt(prompts()[1], LIMIT), tuned=False)
    list(speaker._grow([row], LIMIT))
    speaker._ends = {row.said[4]}  # the model never ends by itself; now its second answer does
    answers, whole = (ask(prompts(), "base", LIMIT, quiet) for ask in (speaker.answer, speaker.whole))
    ended = [n for n, text in enumerate(answers) if text == whole[n]]
    assert 1 in ended and len(ended) < len(answers)
    for n, prompt in enumerate(prompts()):
        tokens = last(list(speaker.stream(prompt, ["base"], LIMIT, lambda: False)), "base").tokens
        assert (n in ended) == (tokens < LIMIT) and whole[n] == (answers[n] if n in ended else "")


def test_a_stop_ends_both_sides_where_they_are(tiny_model: Path, adapter: Path) -> None:
    calls: list[int] = []

    def stop() -> bool:
        calls.append(1)
        return len(calls) >= 3

    replies = list(ModelSpeaker(tiny_model, adapter).stream(prompts()[0], ["base", "tuned"], LIMIT, stop))
    assert [(r.side, r.tokens) for r in replies if r.done] == [("base", 3), ("tuned", 3)]


def test_progress_counts_answers_and_can_stop_them(tiny_model: Path) -> None:
    speaker, seen = ModelSpeaker(tiny_model), []
    speaker.answer(prompts(), "base", 4, lambda done, total, note: seen.append((done, total)))
    assert seen[0] == (0, 6) and seen[-1] == (6, 6)

    def stop(done: int, total: int, note: str) -> None:
        raise Stopped("Stopped.")

    with pytest.raises(Stopped):
        speaker.answer(prompts(), "base", 4, stop)


def test_fits_counts_prompt_and_room_and_a_longer_prompt_is_cut_at_the_left(tiny_model: Path) -> None:
    speaker, tok = ModelSpeaker(tiny_model), load_tokenizer(tiny_model)
    length = len(prompt_ids(prompts()[0], tok))
    assert speaker.fits(prompts()[0], 1024 - length) and not speaker.fits(prompts()[0], 1025 - length)
    long = Contract().messages("When does lifting stop?", [chunk(n, CORPUS[n % 3] * 4) for n in range(12)])
    assert not speaker.fits(long, LIMIT)
    cut = tok.decode(speaker._prompt(long, LIMIT))
    assert len(speaker._prompt(long, LIMIT)) <= 1024 - LIMIT
    assert cut.count("Question: When does lifting stop?") == 2 and "[12]" in cut and "Answer the question" in cut
    assert speaker.answer([long], "base", LIMIT, quiet)[0]


def test_a_model_says_itself_how_many_passages_it_keeps_apart(tiny_model: Path, tmp_path: Path) -> None:
    assert ModelSpeaker(tiny_model).passages == 0
    copy = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    config = json.loads((copy / "config.json").read_text())
    hint = {"task_specific_params": {"retrieval": {"passages": 3}}}
    (copy / "config.json").write_text(json.dumps({**config, **hint}))
    assert ModelSpeaker(copy).passages == 3


def test_training_and_speaking_see_the_same_prompt(tiny_model: Path) -> None:
    speaker = ModelSpeaker(tiny_model)
    ids, learned = encode(example(3), speaker.tokenizer, 1024)
    assert ids[: learned.index(True)] == speaker._prompt(example(3).prompt, LIMIT)


def test_asking_the_tuned_side_without_one_is_told(tiny_model: Path) -> None:
    speaker = ModelSpeaker(tiny_model)
    with pytest.raises(ModelError, match="no tuned model"):
        list(speaker.stream(prompts()[0], ["base", "tuned"], 4, lambda: False))
    speaker.close()
    with pytest.raises(ModelError, match="put away"):
        speaker.answer(prompts()[:1], "base", 4, quiet)


@pytest.mark.parametrize("damage", ["missing", "torn", "other kind", "other shape"])
def test_an_adapter_that_does_not_fit_is_refused(tiny_model: Path, adapter: Path, tmp_path: Path, damage: str) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    config, tensors = (adapter / "adapter_config.json").read_text(), load_file(adapter / "adapter_model.safetensors")
    if damage == "other kind":
        config = config.replace('"use_dora": false', '"use_dora": true')
    if damage == "other shape":
        tensors = {k: torch.zeros(4, 96) if "lora_A" in k else v for k, v in tensors.items()}
    (tmp_path / "adapter_config.json").write_text(config)
    if damage != "missing":
        save_file(tensors, tmp_path / "adapter_model.safetensors")
    if damage == "torn":
        (tmp_path / "adapter_model.safetensors").write_bytes(b"\x80\x04")
    with pytest.raises(ModelError):
        ModelSpeaker(tiny_model, tmp_path)


def test_a_run_that_was_said_is_not_said_again() -> None:
    assert _banned([1, 2, 3, 4, 1, 2], 3) == {3}
    assert _banned([7] * 5, 6) == set() and _banned([7] * 6, 6) == {7}
    assert _banned([1, 2], 3) == set()


SOURCE = (
    "Answer from the passages. Write exactly: Your documents do not say.\n"
    "[1] Crane handbook, Wind limits: The Orrelmouth harbour crane lifts 12.5 t. Lifting stops at 14 m/s, and "
    "lifting of persons never.\n[2] Zürich yard: Call Søren (ext. 42) on the VHF radio."
)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("orrelmouth", "Orrelmouth"),
        ("the orrelmouth harbour crane", "The Orrelmouth harbour crane"),
        ("it is the orrelmouth harbour crane", "it is the Orrelmouth harbour crane"),
        ("12. 5 t [ 1 ]", "12.5 t [1]"),
        ("14 m / s [1]", "14 m/s [1]"),
        ("when lifting stops", "when lifting stops"),
        ("zurich yard", "Zürich yard"),
        ("søren on the vhf radio", "Søren on the VHF radio"),
        ("your documents do not say.", "Your documents do not say."),
        ("nothing of this", "nothing of this"),
        ("", ""),
    ],
)
def test_words_get_back_the_case_and_spacing_of_their_source(said: str, wanted: str) -> None:
    assert restore(said, SOURCE) == wanted


def test_restored_words_are_the_words_that_were_said() -> None:
    said = "the crane of zurich lifts 12. 5 t , and søren stops at 14 m / s !"
    squeezed = restore(said, SOURCE).lower().replace("ü", "u").replace(" ", "")
    assert squeezed == said.replace(" ", "")


def test_the_built_in_reader_speaks_with_capitals_and_like_itself(reader_model: Path) -> None:
    speaker = ModelSpeaker(reader_model)
    assert speaker._lowers
    asked = [example(n).prompt for n in range(4)]
    answers = speaker.answer(asked, "base", LIMIT, quiet)
    for prompt, answer in zip(asked, answers, strict=True):
        assert last(list(speaker.stream(prompt, ["base"], LIMIT, lambda: False)), "base").text == answer

"""The exporter: what is taken away loads elsewhere, says the same, and names no place on this computer."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.errors import ShippingError, Stopped
from ragtune_ui.domain.examples import Message
from ragtune_ui.domain.plans import RunSheet, TrainingPlan
from ragtune_ui.domain.records import from_record, to_record
from ragtune_ui.engine.exporter import ANSWER_TOKENS, ModelExporter
from ragtune_ui.engine.learner import Learner, Pace
from ragtune_ui.engine.speaker import ModelSpeaker
from tests.engine.conftest import example

CONTRACT = Contract()
Checks = list[tuple[tuple[Message, ...], str]]


def quiet(done: int, total: int, note: str) -> None:
    return None


@pytest.fixture(scope="module")
def run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with an adapter that changes what the tiny model says."""
    return run_of(tiny_model, tmp_path_factory.mktemp("run"), str(tiny_model))


def run_of(model: Path, folder: Path, name: str) -> Path:
    import torch

    learner = Learner(model, TrainingPlan(rank=4), Pace(1, "float32"))
    torch.manual_seed(1)
    learner.put_adapter({n: torch.randn_like(t) * 0.2 for n, t in learner.adapter().items()})
    (folder / "adapter").mkdir()
    learner.write_adapter(folder / "adapter", "x")
    sheet = RunSheet(name, str(model), "d", "", "mixed", TrainingPlan())
    (folder / "sheet.json").write_text(json.dumps(to_record(sheet)))
    return folder


def checks_of(model: Path, run: Path) -> Checks:
    speaker, prompts = ModelSpeaker(model, run / "adapter"), [example(n).prompt for n in range(4)]
    return list(zip(prompts, speaker.answer(prompts, "tuned", ANSWER_TOKENS, quiet), strict=True))


def test_both_parts_load_again_and_answer_alike(tiny_model: Path, run: Path, tmp_path: Path) -> None:
    checks, seen = checks_of(tiny_model, run), []
    report = ModelExporter().export(
        run, tiny_model, tmp_path, CONTRACT, ["adapter", "merged"], checks,
        lambda done, total, note: seen.append((done, total)),
    )  # fmt: skip
    assert (report["same"], report["of"]) == (4, 4)
    assert report["answers"] == {"adapter": 4, "merged": 4}
    files = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert report["files"] == files
    assert report["bytes"] == sum((tmp_path / f).stat().st_size for f in files)
    assert {"README.md", "contract.json", "adapter/adapter_config.json", "model/model.safetensors"} <= set(files)
    assert seen[-1][0] == seen[-1][1] and [d for d, _ in seen] == sorted(d for d, _ in seen)


def test_an_answer_that_differs_is_counted(tiny_model: Path, run: Path, tmp_path: Path) -> None:
    checks = checks_of(tiny_model, run)
    checks[1] = (checks[1][0], "something else")
    report = ModelExporter().export(run, tiny_model, tmp_path, CONTRACT, ["adapter"], checks, quiet)
    assert (report["same"], report["of"]) == (3, 4)


def test_nothing_names_a_place_on_this_computer(tiny_model: Path, run: Path, tmp_path: Path) -> None:
    ModelExporter().export(run, tiny_model, tmp_path, CONTRACT, ["adapter", "merged"], [], quiet)
    for file in (f for f in tmp_path.rglob("*") if f.is_file()):
        data = file.read_bytes()
        for place in (tiny_model.parent, run, tmp_path, Path.home()):
            assert str(place).encode() not in data, file.name
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == tiny_model.name


def test_the_contract_comes_along_and_can_be_read_back(tiny_model: Path, run: Path, tmp_path: Path) -> None:
    ModelExporter().export(run, tiny_model, tmp_path, CONTRACT, ["adapter"], [], quiet)
    record = json.loads((tmp_path / "contract.json").read_text())
    prompt = record.pop("example_prompt")
    assert "[1] crane, Loads: The crane lifts 12.5 tonnes" in prompt and prompt.endswith("assistant\n")
    assert record.pop("example_reply") == "12.5 tonnes [1]" and record.pop("base_model") == tiny_model.name
    assert from_record(Contract, record) == CONTRACT


TURN = "{% for m in messages %}<|turn|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
ASKS = "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
TEMPLATES = {
    "a system role": TURN + ASKS,
    # As Gemma 2: no system role, and a token of its own at the end of a turn.
    "no system role": "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    + TURN.replace("<|end|>", "<|turn|>") + ASKS,
    # As Qwen 3: thinks aloud unless it is told not to.
    "thinking": TURN + ASKS[:-11]
    + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}",
}  # fmt: skip
ASKED = (
    Message("system", CONTRACT.instruction),
    Message(
        "user",
        "Question: How much may it lift?\n\n[1] crane, Loads: The crane lifts 12.5 tonnes in calm weather.\n\n"
        "Question: How much may it lift?",
    ),
)


def speaking(model: Path, folder: Path, template: str, **declared: Any) -> Path:
    """A copy of a model with another chat template, and with more in its generation_config.json."""
    shutil.copytree(model, folder)
    (folder / "chat_template.jinja").write_text(template)
    file = folder / "generation_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **declared}))
    return folder


def run_as_printed(out: Path, model: Path, monkeypatch: Any) -> dict[str, Any]:
    """What the names of the card's only program stand for once it has run."""
    from ragtune_ui.engine.models import without_known_notices

    card = (out / "README.md").read_text(encoding="utf-8")
    program = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(program) == 1
    place = re.search(r'^base = "(.*)"$', program[0], re.MULTILINE)
    if place:  # the reader puts the model where the card says
        (out / place[1]).parent.mkdir(parents=True)
        (out / place[1]).symlink_to(model)
    monkeypatch.chdir(out)
    names: dict[str, Any] = {}
    with without_known_notices():
        exec(program[0], names)
    return names


@pytest.mark.parametrize("part", ["merged", "adapter"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_the_program_in_the_model_card_asks_as_ragtune_does(
    tiny_model: Path, run: Path, tmp_path: Path, template: str, part: str, monkeypatch: Any, capsys: Any
) -> None:
    from ragtune_ui.engine.tokens import end_ids, prompt_ids

    model = speaking(tiny_model, tmp_path / "tiny", TEMPLATES[template], repetition_penalty=1.5)
    ModelExporter().export(run, model, tmp_path / "out", CONTRACT, [part], [], quiet)
    capsys.readouterr()
    names = run_as_printed(tmp_path / "out", model, monkeypatch)
    speaker = ModelSpeaker(model, run / "adapter")
    assert names["prompt"]["input_ids"][0].tolist() == prompt_ids(ASKED, speaker.tokenizer)
    card = (tmp_path / "out" / "README.md").read_text()
    ends = end_ids(speaker.tokenizer, speaker.model)
    assert f"eos_token_id={sorted(ends)}" in card and (template == "no system role") == (len(ends) == 2)
    ours = speaker.answer([ASKED], "tuned", ANSWER_TOKENS, quiet)[0]
    theirs = capsys.readouterr().out.strip()
    same = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    assert same > 10  # alike until the random model begins to go round in circles
    if part == "merged":
        assert names["model"].generation_config.repetition_penalty in (None, 1.0)


def test_the_card_says_where_the_base_is_found_and_what_its_code_needs(
    tiny_model: Path, run: Path, tmp_path: Path
) -> None:
    import transformers

    cards = {}
    for name in ("built-in", "owner/tiny", str(tiny_model)):
        sheet = RunSheet(name, str(tiny_model), "d", "", "mixed", TrainingPlan())
        mine = tmp_path / "run"
        shutil.copytree(run, mine, dirs_exist_ok=True)
        (mine / "sheet.json").write_text(json.dumps(to_record(sheet)))
        ModelExporter().export(mine, tiny_model, tmp_path / "out", CONTRACT, ["adapter"], [], quiet)
        cards[name] = (tmp_path / "out" / "README.md").read_text()
    assert 'base = "path/to/RAGTune/assets/models/reader"' in cards["built-in"]
    assert "take the whole model" in cards["built-in"]
    assert 'base = "owner/tiny"' in cards["owner/tiny"] and "on the Hugging Face hub" in cards["owner/tiny"]
    assert f'base = "path/to/{tiny_model.name}"' in cards[str(tiny_model)]
    for card in cards.values():
        assert "transformers, 5.0 or newer" in card and transformers.__version__ in card and "peft" in card


def test_the_card_asks_for_transformers_5_only_where_the_tokenizer_does(
    tiny_model: Path, run: Path, tmp_path: Path
) -> None:
    older = speaking(tiny_model, tmp_path / "tiny", TEMPLATES["a system role"])
    file = older / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "tokenizer_class": "PreTrainedTokenizerFast"}))
    for model, since in ((tiny_model, "5.0"), (older, "4.56")):
        ModelExporter().export(run, model, tmp_path / since, CONTRACT, ["merged"], [], quiet)
        assert f"transformers, {since} or newer" in (tmp_path / since / "README.md").read_text()


def test_a_merged_model_keeps_the_precision_of_its_base(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from safetensors import safe_open

    from ragtune_ui.engine.models import load_model, load_tokenizer

    half = tmp_path / "half"
    load_model(tiny_model, "float32").to(torch.float16).save_pretrained(half)
    load_tokenizer(tiny_model).save_pretrained(half)
    (tmp_path / "run").mkdir()
    run = run_of(half, tmp_path / "run", "owner/tiny")
    out = tmp_path / "out"
    report = ModelExporter().export(run, half, out, CONTRACT, ["merged"], [], quiet)
    assert report["precision"] == {"merged": "float16"}
    with safe_open(out / "model" / "model.safetensors", "pt") as f:
        assert {f.get_tensor(k).dtype for k in f.keys()} == {torch.float16}  # noqa: SIM118
    wrong = [(example(0).prompt, "never said")]
    report = ModelExporter().export(run, half, out, CONTRACT, ["merged"], wrong, quiet)
    assert report["precision"] == {"merged": "float32"} and report["same"] == 0


OLD = {"rope_theta": 1_000_000.0}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256}


def words_of_transformers_4(config: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """A configuration as nearly all models on the hub have it."""
    del config["rope_parameters"], config["dtype"]
    return {**config, **old, "torch_dtype": "float32", "transformers_version": "4.40.1"}


@pytest.mark.parametrize("scaling", [None, YARN], ids=["plain", "yarn"])
@pytest.mark.parametrize("words", ["of transformers 4", "of transformers 5"])
def test_old_and_new_programs_read_the_same_positions(
    tiny_model: Path, tmp_path: Path, words: str, scaling: dict[str, Any] | None
) -> None:
    """transformers 4 takes 10,000 where it finds no ``rope_theta``, without a word."""
    import torch
    from transformers import AutoConfig, Qwen2Config, Qwen2ForCausalLM

    from ragtune_ui.engine.models import load_tokenizer

    base, out = tmp_path / "base", tmp_path / "out"
    tokenizer = load_tokenizer(tiny_model)
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024,
        rope_parameters={"rope_type": "default", **OLD, **(scaling or {})},
    )  # fmt: skip
    Qwen2ForCausalLM(config).to(torch.float32).save_pretrained(base)
    tokenizer.save_pretrained(base)
    own = json.loads((base / "config.json").read_text())
    own |= {"_name_or_path": "/home/me/base", "auto_map": {"AutoConfig": "configuration_base.BaseConfig"}}
    if words == "of transformers 4":
        own = words_of_transformers_4(own, {**OLD, "rope_scaling": scaling})
    (base / "config.json").write_text(json.dumps(own))
    (tmp_path / "run").mkdir()
    run = run_of(base, tmp_path / "run", "owner/tiny")
    report = ModelExporter().export(run, base, out, CONTRACT, ["merged"], checks_of(base, run), quiet)
    assert report["same"] == 4
    written = json.loads((out / "model" / "config.json").read_text())
    assert written["rope_theta"] == 1_000_000 and written.get("rope_scaling") == scaling  # what transformers 4 reads
    new = AutoConfig.from_pretrained(out / "model")
    assert new.rope_parameters["rope_theta"] == 1_000_000
    assert new.rope_parameters["rope_type"] == (scaling or {"rope_type": "default"})["rope_type"]
    assert written["torch_dtype"] == written["dtype"] == "float32"
    changed = {key for key in own.keys() | written.keys() if own.get(key) != written.get(key)}
    assert changed <= {"dtype", "torch_dtype", "rope_theta", "rope_scaling", "_name_or_path", "auto_map"}


def test_nothing_to_export_is_told(tiny_model: Path, run: Path, tmp_path: Path) -> None:
    with pytest.raises(ShippingError, match="no model"):
        ModelExporter().export(tmp_path, tiny_model, tmp_path / "to", CONTRACT, ["adapter"], [], quiet)
    for parts in ([], ["gguf"]):
        with pytest.raises(ShippingError, match="Nothing is chosen"):
            ModelExporter().export(run, tiny_model, tmp_path / "to", CONTRACT, parts, [], quiet)


def test_a_stop_is_heard(tiny_model: Path, run: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int, note: str) -> None:
        raise Stopped("Stopped.")

    with pytest.raises(Stopped):
        ModelExporter().export(run, tiny_model, tmp_path, CONTRACT, ["adapter"], [], stop)


def test_the_card_of_a_model_without_capitals_says_so(reader_model: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    run = run_of(reader_model, tmp_path / "run", "built-in")
    report = ModelExporter().export(run, reader_model, tmp_path / "out", CONTRACT, ["adapter"], [], quiet)
    assert report["of"] == 0
    card = (tmp_path / "out" / "README.md").read_text()
    assert "small letters only" in card and "Apache-2.0" in card

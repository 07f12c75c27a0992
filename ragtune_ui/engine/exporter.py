"""The exporter: the tuned model as files that work elsewhere, proven by loading them again."""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.errors import ShippingError
from ragtune_ui.domain.examples import Message
from ragtune_ui.domain.passages import Chunk
from ragtune_ui.domain.ports import Progress
from ragtune_ui.domain.records import to_record
from ragtune_ui.engine.models import licence_of, load_model, load_tokenizer, public_name, without_known_notices
from ragtune_ui.engine.speaker import FULL_PRECISION_BYTES, ModelSpeaker
from ragtune_ui.engine.tokens import end_ids, lowers, rendered

ADAPTER, MERGED = "adapter", "model"  # folders of an export
ANSWER_TOKENS = 96  # of a check's answer, at most; a longer one is compared as far as it was given
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "spiece.model",
)  # fmt: skip


class ModelExporter:
    """Writes a run's model for use outside (the Exporter port)."""

    def export(
        self, run: Path, model: Path, to: Path, contract: Contract, parts: Sequence[str],
        checks: Sequence[tuple[Sequence[Message], str]], progress: Progress,
    ) -> Mapping[str, object]:  # fmt: skip
        """Write ``parts`` ("adapter", "merged"), the prompt contract and a model card under ``to``.

        Then every part is loaded from there again and asked ``checks``. The report: ``same`` of
        ``of`` answers came out alike from every part, the ``files``, their ``bytes``, and by part
        ``answers`` and ``precision``.

        Raises:
            ShippingError: nothing to export, or an unknown part. Stopped: through ``progress``.
        """
        if not parts or set(parts) - {"adapter", "merged"}:
            raise ShippingError("Nothing is chosen to take away.", "Choose the adapter, the whole model, or both.")
        if not (run / "adapter" / "adapter_model.safetensors").is_file():
            raise ShippingError("This training left no model to take away.", "Train again, then come back.")
        name, of = _base_name(run, model), len(checks)
        total, done = 1 + len(parts) * (1 + of), 0
        answers: dict[str, list[bool]] = {}
        precision: dict[str, str] = {}
        progress(done, total, "Writing the prompt contract and the model card")
        _write_words(to, model, name, contract, parts)
        for part in sorted(set(parts)):
            progress(done + 1, total, f"Writing the {_TITLE[part]}")
            precision[part] = _write_adapter(run, to, name) if part == "adapter" else _write_merged(run, model, to)
            answers[part] = _asked(to, model, part, checks)
            if part == "merged" and not all(answers[part]) and _may_grow(model, precision[part]):
                precision[part] = _write_merged(run, model, to, "float32")
                answers[part] = _asked(to, model, part, checks)
            done += 1 + of
        files = sorted(f.relative_to(to).as_posix() for f in to.rglob("*") if f.is_file())
        progress(total, total, "Ready")
        return {
            "same": sum(all(row) for row in zip(*answers.values(), strict=True)),
            "of": of,
            "files": files,
            "bytes": sum((to / f).stat().st_size for f in files),
            "answers": {part: sum(alike) for part, alike in answers.items()},
            "precision": precision,
        }


_TITLE = {"adapter": "adapter", "merged": "whole model"}


def _asked(to: Path, model: Path, part: str, checks: Sequence[tuple[Sequence[Message], str]]) -> list[bool]:
    """For each check, whether the exported copy gives the same answer."""
    if not checks:
        return []
    speaker = ModelSpeaker(to / MERGED) if part == "merged" else ModelSpeaker(model, to / ADAPTER)
    try:
        side = "base" if part == "merged" else "tuned"
        said = speaker.answer([prompt for prompt, _ in checks], side, ANSWER_TOKENS, lambda done, total, note: None)
    finally:
        speaker.close()
        gc.collect()
    return [got == wanted for got, (_, wanted) in zip(said, checks, strict=True)]


def _base_name(run: Path, model: Path) -> str:
    """The base model's public name, as the run's sheet has it; the folder's own name where it has none."""
    try:
        return public_name(str(json.loads((run / "sheet.json").read_text(encoding="utf-8"))["model"]))
    except (OSError, ValueError, KeyError, TypeError):
        return model.name


def _write_adapter(run: Path, to: Path, name: str) -> str:
    folder = to / ADAPTER
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / "adapter" / "adapter_model.safetensors", folder / "adapter_model.safetensors")
    config = _read(run / "adapter" / "adapter_config.json")
    config["base_model_name_or_path"] = name
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return "float32"


def _write_merged(run: Path, model: Path, to: Path, precision: str = "") -> str:
    """The base with the adapter added into its weights, in the base's own precision unless told otherwise."""
    import torch
    from peft import PeftModel

    folder = to / MERGED
    shutil.rmtree(folder, ignore_errors=True)
    base, tokenizer = load_model(model, "float32"), load_tokenizer(model)
    with without_known_notices():
        whole = PeftModel.from_pretrained(base, str(run / "adapter")).merge_and_unload()
    precision = precision or _stored_precision(model)
    _settle_generation(whole, tokenizer)
    whole.to("cpu", getattr(torch, precision)).save_pretrained(str(folder), safe_serialization=True)
    for file in TOKENIZER_FILES:  # copied, not written anew: the same bytes give the same tokens
        if (model / file).is_file():
            shutil.copyfile(model / file, folder / file)
    config = _config(_read(folder / "config.json"), _read(model / "config.json"), precision)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return precision


def _config(saved: dict[str, Any], own: dict[str, Any], precision: str) -> dict[str, Any]:
    """The merged model's configuration in the words of its base's ``own`` file.

    ``saved`` is as transformers 5 writes it. Older versions and most converters do not know its keys for positions
    (``rope_parameters``); they then take defaults, say nothing, and the model talks nonsense.
    """
    alike = own.get("model_type") == saved.get("model_type")  # else only a part of the base, its text model, is saved
    config = {**own, "architectures": saved.get("architectures")} if alike else dict(saved)
    if "quantization_config" not in saved:
        config.pop("quantization_config", None)
    for key in ("auto_map", "_name_or_path"):  # code and places that do not come along
        config.pop(key, None)
    config.update(dtype=precision, torch_dtype=precision)
    for part in (config, config.get("text_config")):
        if isinstance(part, dict):
            part.update({key: precision for key in ("dtype", "torch_dtype") if part.get(key)})
            part.update({key: value for key, value in _older_positions(part).items() if key not in part})
    return config


def _older_positions(config: dict[str, Any]) -> dict[str, Any]:
    """What ``rope_parameters`` says, under the keys that were read before there were any; each layer type with
    parameters of its own had no common form."""
    new = config.get("rope_parameters")
    if not isinstance(new, dict) or "rope_theta" not in new:
        return {}
    lone = {key: new[key] for key in ("rope_theta", "partial_rotary_factor") if key in new}
    scaling = {key: value for key, value in new.items() if key not in lone}
    return {**lone, **({"rope_scaling": scaling} if scaling.get("rope_type", "default") != "default" else {})}


def _settle_generation(model: Any, tokenizer: Any) -> None:
    """Greedy answers that end where the chat template ends a turn, whatever the base declared: many a base asks for
    a penalty on repetition, which the tuned model never met."""
    from transformers import GenerationConfig

    ends, pad = _ends_and_pad(model, tokenizer)
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=ends, pad_token_id=pad, bos_token_id=tokenizer.bos_token_id,
        max_new_tokens=ANSWER_TOKENS,
    )  # fmt: skip


def _ends_and_pad(model: Any, tokenizer: Any) -> tuple[list[int], int]:
    """Ids that end a reply, and the one that fills up shorter rows; of ``model`` only its generation_config is read."""
    ends = sorted(end_ids(tokenizer, model) - {tokenizer.unk_token_id})
    return ends, tokenizer.pad_token_id if tokenizer.pad_token_id is not None else ends[0]


def _declared(model: Path) -> Any:
    """What the base's files declare for generating, as a loaded model would hold it."""
    from transformers import AutoConfig, GenerationConfig

    if (model / "generation_config.json").is_file():
        return GenerationConfig.from_pretrained(str(model), local_files_only=True)
    return GenerationConfig.from_model_config(AutoConfig.from_pretrained(str(model), local_files_only=True))


def _read(file: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return record


def _stored_precision(model: Path) -> str:
    config = _read(model / "config.json")
    stored = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    return stored if stored in ("float16", "bfloat16", "float32") else "float32"


def _may_grow(model: Path, precision: str) -> bool:
    """True where 32 bits are worth trying: the rounding of 16 changed an answer and the model is small."""
    weights = sum(f.stat().st_size for f in model.glob("*.safetensors"))
    return precision != "float32" and 2 * weights <= FULL_PRECISION_BYTES


def _write_words(to: Path, model: Path, name: str, contract: Contract, parts: Sequence[str]) -> None:
    """``contract.json`` for programs and ``README.md`` for people."""
    tokenizer = load_tokenizer(model)
    question = "How much may it lift?"
    example = rendered(contract.messages(question, _EXAMPLE), tokenizer)
    to.mkdir(parents=True, exist_ok=True)
    record = {
        **to_record(contract),
        "base_model": name,
        "example_prompt": example,
        "example_reply": contract.target("12.5 tonnes", [1]),
    }
    text = json.dumps(record, ensure_ascii=False, indent=1)
    (to / "contract.json").write_text(text + "\n", encoding="utf-8")
    label, lead = _LEAD["own" if _has_system(tokenizer) else "user's"]
    card = _CARD.format(
        name=name,
        licence=_licence(model, name),
        pieces="\n".join(_PIECE[part] for part in sorted(set(parts))),
        prompt=example.replace("```", "'''"),
        reply=contract.target("12.5 tonnes", [1]),
        refusal=contract.refusal,
        lead=lead,
        label=label,
        form=_FORM["before and after" if contract.version > 1 else "after"],
        instruction=json.dumps(contract.instruction, ensure_ascii=False),
        capitals=_CAPITALS if lowers(tokenizer) else "",
        needs=_needs(model, parts),
        load="\n\n".join(_program(part, model, name, contract, tokenizer) for part in sorted(set(parts))),
    )
    (to / "README.md").write_text(card, encoding="utf-8")


def _has_system(tokenizer: Any) -> bool:
    """True where the chat template keeps a system message apart from the user's."""
    apart, merged = (Message("system", "one"), Message("user", "two")), (Message("user", "one\n\ntwo"),)
    return rendered(apart, tokenizer) != rendered(merged, tokenizer)


def _program(part: str, model: Path, name: str, contract: Contract, tokenizer: Any) -> str:
    """Python that loads a part and asks it one question, in the very tokens that RAGTune asks with."""
    from types import SimpleNamespace

    ends, pad = _ends_and_pad(SimpleNamespace(generation_config=_declared(model)), tokenizer)
    asked = contract.messages("How much may it lift?", _EXAMPLE[:1])[-1].content
    where, base = _base_place(name)
    return (_LOAD[part] + _ASK).format(
        where=where, base=json.dumps(base), asked=json.dumps(asked, ensure_ascii=False), ends=ends, pad=pad,
        messages=_MESSAGES["own" if _has_system(tokenizer) else "user's"], limit=ANSWER_TOKENS,
    )  # fmt: skip


def _base_place(name: str) -> tuple[str, str]:
    """Where the base model is found, in words, and what stands for it in a program."""
    if name == "built-in":
        where = "the folder `assets/models/reader` of RAGTune; on a computer without RAGTune, take the whole model"
        return where, "path/to/RAGTune/assets/models/reader"
    if "/" in name:
        return f"`{name}` on the Hugging Face hub, or a folder with its files", name
    return f"the folder `{name}` that this model was tuned from", f"path/to/{name}"


def _needs(model: Path, parts: Sequence[str]) -> str:
    """Libraries that the programs of a card need: ``dtype=`` came with transformers 4.56, and the files of a tokenizer
    that transformers 5 wrote are read by no older one."""
    import peft
    import torch
    import transformers

    config = model / "tokenizer_config.json"
    since = "5.0" if config.is_file() and _read(config).get("tokenizer_class") == "TokenizersBackend" else "4.56"
    tried = f"tried with {torch.__version__} and {transformers.__version__}"
    known = f"PyTorch and transformers, {since} or newer ({tried})"
    return f"{known}, and peft (tried with {peft.__version__})" if "adapter" in parts else known


def _licence(model: Path, name: str) -> str:
    return licence_of(model) or ("Apache-2.0" if name == "built-in" else "see the base model's own card")


_EXAMPLE = [
    Chunk("", "", "crane.md", 1, ("Loads",), 0, 0, "The crane lifts 12.5 tonnes in calm weather.", 0),
    Chunk("", "", "ramp.md", 1, (), 0, 0, "The ramp carries 3 tonnes.", 0),
]
_PIECE = {
    "adapter": f"- `{ADAPTER}/`: the LoRA adapter in peft's format. It needs the base model.",
    "merged": f"- `{MERGED}/`: the whole model with the adapter added in. It needs nothing else.",
}
_CAPITALS = """
The tokenizer of this model knows small letters only, so its replies have no capitals. RAGTune copies
the capitals back from the passages; elsewhere, do the same or show the replies as they are.
"""
_MESSAGES = {
    "own": """messages = [
    {"role": "system", "content": contract["instruction"]},
    {"role": "user", "content": asked},
]""",
    "user's": 'messages = [{"role": "user", "content": contract["instruction"] + "\\n\\n" + asked}]',
}
_ASK = """asked = {asked}
{messages}
text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=False)
prompt = tokenizer(text, add_special_tokens=False, return_tensors="pt")  # the template has put the special tokens in
reply = model.generate(
    input_ids=prompt["input_ids"], attention_mask=prompt["attention_mask"], max_new_tokens={limit},
    do_sample=False, repetition_penalty=1.0, eos_token_id={ends}, pad_token_id={pad},
)
print(tokenizer.decode(reply[0, prompt["input_ids"].shape[1]:], skip_special_tokens=True))
```"""
_LOAD = {
    "merged": f"""The whole model:

```python
import json
from transformers import AutoModelForCausalLM, AutoTokenizer

with open("contract.json", encoding="utf-8") as file:
    contract = json.load(file)
tokenizer = AutoTokenizer.from_pretrained("{MERGED}")
model = AutoModelForCausalLM.from_pretrained("{MERGED}", dtype="float32")
""",
    "adapter": f"""The adapter, with its base model: {{where}}.

```python
import json
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

with open("contract.json", encoding="utf-8") as file:
    contract = json.load(file)
base = {{base}}
tokenizer = AutoTokenizer.from_pretrained(base)
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype="float32"), "{ADAPTER}")
""",
}
_LEAD = {
    "own": ("System message", "Give the system message below, then one user message:"),
    "user's": ("Instruction", "There is no system message here. Give one user message: the instruction below, then"),
}
_FORM = {
    "before and after": "`Question: ...`, the passages as `[number] title: text`,\nnumbered from 1, and "
    "`Question: ...` once more, all parted by empty lines",
    "after": "the passages as `[number] title: text`,\nnumbered from 1 and parted by empty lines, and last "
    "`Question: ...`",
}
_CARD = """# A model tuned to read documents

Tuned with RAGTune from the base model **{name}** to answer questions from numbered passages, to name
the passage that proves an answer, and to say so when the passages are silent.

{pieces}
- `contract.json`: the prompt contract, for programs: instruction, forms of a passage and a question,
  the sentence of refusal, one rendered example.

Licence of the base model: {licence}. What it asks for holds for this model too. The tuned weights may
repeat sentences of the documents they were tuned on: treat them as you treat those documents.

## How to ask

{lead} {form}. The model was tuned on exactly this form
and is only as good as the prompt keeps to it.

{label}: {instruction}

As the model reads it:

```
{prompt}
```

A reply looks like `{reply}`; where the passages do not say, like `{refusal}`.
{capitals}
## How to load it

The code needs {needs}. Run it in the folder of this card.

{load}

## What it is not

It answers from the passages it is given; what it says without passages is not to be relied on. It was
measured on questions held back from training: the report in RAGTune says how well.
"""

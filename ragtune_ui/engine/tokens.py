"""Tokens: from messages to ids, exactly which of them are learned, and back to readable words.

Training, chat, verdict and export all come through here, so a model meets the same prompt
everywhere. One that is too long is cut in use, so that there is an answer at all, and never in
training: what the answer rests on may be what is cut away, and the model would learn to invent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ragtune_ui.domain.errors import TrainingError
from ragtune_ui.domain.examples import Example, Message


def encode(example: Example, tokenizer: Any, max_length: int) -> tuple[list[int], list[bool]]:
    """Token ids of an example and, for each, whether it is learned; at most ``max_length`` of both.

    "completion": learned is the last message and the token that ends it, nothing else. "all" and
    plain text: everything. A text that is too long loses its end.

    Raises:
        TrainingError: prompt and answer together are longer.
    """
    if not example.messages:
        return _encode_text(example.text, tokenizer, max_length)
    prompt = prompt_ids(example.prompt, tokenizer)
    reply = _reply_ids(example, prompt, tokenizer)
    if len(prompt) + len(reply) > max_length:
        raise TrainingError(
            f"An example of {len(prompt) + len(reply):,} word pieces does not fit into {max_length:,}.",
            "Shorten it, or raise the longest example in the plan.",
        )
    return prompt + reply, [example.trains == "all"] * len(prompt) + [True] * len(reply)


def prompt_ids(messages: Sequence[Message], tokenizer: Any, room: int | None = None) -> list[int]:
    """Ids of a prompt up to the point where the reply begins; at most ``room`` of them.

    Where the prompt is longer, words go at the left of the passages in its longest user message, so
    that the frame of the chat and the question, before and after them, stay whole.
    """
    ids = _ids(_render(messages, tokenizer, asks=True), tokenizer)
    if room is None or len(ids) <= room:
        return ids
    at = max((n for n, m in enumerate(messages) if m.role == "user"), key=lambda n: len(messages[n].content), default=0)
    content = messages[at].content
    first, gap, rest = content.partition("\n\n")
    lead, rest = (first + gap, rest) if rest.endswith(gap + first) else ("", content)
    words = re.findall(r"\S+\s*", rest)

    def without(cut: int) -> list[int]:
        shorter = [Message(m.role, lead + "".join(words[cut:])) if n == at else m for n, m in enumerate(messages)]
        return _ids(_render(shorter, tokenizer, asks=True), tokenizer)

    low, high = 1, len(words)  # the fewest leading words to leave out
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if len(without(middle)) <= room else (middle + 1, high)
    return without(low)[-room:]


def rendered(messages: Sequence[Message], tokenizer: Any) -> str:
    """A prompt as the text that the model reads, up to the point where the reply begins."""
    return _render(messages, tokenizer, asks=True)


def end_ids(tokenizer: Any, model: Any = None) -> set[int]:
    """Ids that end a reply: the one that the chat template closes a turn with, and the model's own."""
    ends = {_end_of_turn(tokenizer)}
    declared = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    ends.update(declared if isinstance(declared, list) else [declared])
    ends.add(tokenizer.eos_token_id)
    return {int(e) for e in ends if e is not None}


def _encode_text(text: str, tokenizer: Any, max_length: int) -> tuple[list[int], list[bool]]:
    ids = _ids(_without_control(text, tokenizer), tokenizer)
    if tokenizer.bos_token_id is not None and "bos_token" in str(tokenizer.chat_template):
        ids = [tokenizer.bos_token_id, *ids]  # where chats begin with it, so does a text
    if tokenizer.eos_token_id is not None:
        ids = [*ids, tokenizer.eos_token_id]
    ids = ids[:max_length]
    return ids, [True] * len(ids)


def _reply_ids(example: Example, prompt: list[int], tokenizer: Any) -> list[int]:
    """Ids of the last message up to and with the token that ends the turn, as the template writes it."""
    asked = _render(example.prompt, tokenizer, asks=True)
    whole = _render(example.messages, tokenizer, asks=False)
    if not whole.startswith(asked):  # a template that rewrites earlier turns: the bare answer is exact too
        return [*_ids(_without_control(example.target, tokenizer), tokenizer), *_end(tokenizer)]
    ids = _ids(whole, tokenizer)
    # Where pieces merge across the seam, the reply is tokenized alone: in use, the prompt ends there too.
    reply = ids[len(prompt) :] if ids[: len(prompt)] == prompt else _ids(whole[len(asked) :], tokenizer)
    ends = end_ids(tokenizer)
    while reply and reply[-1] not in ends and not tokenizer.decode(reply[-1:]).strip():
        reply = reply[:-1]  # the line break that some templates put after the end of a turn
    return reply if reply and reply[-1] in ends else [*reply, *_end(tokenizer)]


def _end(tokenizer: Any) -> list[int]:
    end = _end_of_turn(tokenizer)
    return [] if end is None else [end]


@lru_cache(maxsize=8)
def _end_of_turn(tokenizer: Any) -> int | None:
    """The special token that follows a reply in the chat template, else the tokenizer's own end."""
    probe = (Message("user", "a"), Message("assistant", "probe"))
    tail = _render(probe, tokenizer, asks=False).rpartition("probe")[2]
    special = [i for i in _ids(tail, tokenizer) if i in _special_ids(tokenizer)]
    return special[0] if special else tokenizer.eos_token_id


@lru_cache(maxsize=8)
def _special_ids(tokenizer: Any) -> frozenset[int]:
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return frozenset([*tokenizer.all_special_ids, *(i for i, token in added.items() if token.special)])


@lru_cache(maxsize=8)
def _control(tokenizer: Any) -> re.Pattern[str]:
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    names = {*tokenizer.all_special_tokens, *(token.content for token in added if token.special)}
    longest_first = sorted((n for n in names if len(n.strip()) > 1), key=lambda n: (-len(n), n))
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)", re.IGNORECASE)


def _without_control(text: str, tokenizer: Any) -> str:
    """``text`` with a blank in each word that the tokenizer would take for a token of its own, like "<|im_end|>": a
    document about such models, or one that means harm, must not end its turn and begin another's."""
    return _control(tokenizer).sub(lambda m: f"{m[0][0]} {m[0][1:]}", text)


def _render(messages: Sequence[Message], tokenizer: Any, asks: bool) -> str:
    """The chat template's text. Thinking is switched off where a template knows it (Qwen3): answers
    are short and cited, and both halves of an example must agree on it."""
    import jinja2

    turns = [{"role": m.role, "content": _without_control(m.content, tokenizer)} for m in messages]
    try:
        return _apply(tokenizer, turns, asks)
    except jinja2.TemplateError:
        if not turns or turns[0]["role"] != "system":
            raise
        first, second, *rest = turns  # a template without a system role (Gemma): the user says it
        merged = {"role": second["role"], "content": f"{first['content']}\n\n{second['content']}"}
        return _apply(tokenizer, [merged, *rest], asks)


def _apply(tokenizer: Any, turns: list[dict[str, str]], asks: bool) -> str:
    return tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=asks, enable_thinking=False)


def _ids(text: str, tokenizer: Any) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


# --- readable words ---------------------------------------------------------------------------

_PIECES = re.compile(r"[^\W_]+|_|[^\w\s]")
_SENTENCE_END = re.compile(r"(?:^|[.!?:]|\n)[\s\"'“(*#>-]*$")


def lowers(tokenizer: Any) -> bool:
    """True for a tokenizer that loses capitals, so that answers need them back."""
    return "B" not in tokenizer.decode(_ids("aB", tokenizer))


def restore(text: str, source: str) -> str:
    """``text`` with the capitals, accents and spacing that its words have in ``source``.

    Runs of words and signs that also stand in the source, whatever their case, are replaced by
    the source's own characters, longest run first; what the source lacks stays as it is. A word
    that the source writes with a capital only because a sentence begins there stays small inside
    a sentence, if the source also writes it small.
    """
    pieces = list(_PIECES.finditer(text))
    there, index, usual = _places(source)
    out, at, n = [], 0, 0
    while n < len(pieces):
        start, length = _longest([_plain(p.group()) for p in pieces[n:]], there, index)
        if not length:
            n += 1
            continue
        copied = " ".join(source[there[start].start() : there[start + length - 1].end()].split())
        first = there[start].group()
        if n and not _SENTENCE_END.search(text[: pieces[n].start()]):
            copied = usual.get(_plain(first), first) + copied[len(first) :]
        out += [text[at : pieces[n].start()], copied]
        at = pieces[n + length - 1].end()
        n += length
    return "".join([*out, text[at:]])


@lru_cache(maxsize=8)
def _places(source: str) -> tuple[list[re.Match[str]], dict[str, list[int]], dict[str, str]]:
    """The pieces of a text, where each stands, and how each is written where no sentence begins."""
    pieces = list(_PIECES.finditer(source))
    index: dict[str, list[int]] = {}
    usual: dict[str, str] = {}
    for n, piece in enumerate(pieces):
        key = _plain(piece.group())
        index.setdefault(key, []).append(n)
        if not _SENTENCE_END.search(source[max(0, piece.start() - 8) : piece.start()] or "\n"):
            usual.setdefault(key, piece.group())
    return pieces, index, usual


def _longest(wanted: Sequence[str], there: Sequence[re.Match[str]], index: dict[str, list[int]]) -> tuple[int, int]:
    """Where the longest run of pieces that begins like ``wanted`` stands, and how long it is (0: nowhere)."""
    best = (0, 0)
    for start in index.get(wanted[0], ()):
        length = 1
        while (
            length < len(wanted)
            and start + length < len(there)
            and wanted[length] == _plain(there[start + length].group())
        ):
            length += 1
        if length > best[1]:
            best = (start, length)
    return best


@lru_cache(maxsize=20_000)
def _plain(piece: str) -> str:
    """A piece as a lower-casing tokenizer leaves it: small letters, no accents."""
    return "".join(c for c in unicodedata.normalize("NFD", piece.lower()) if unicodedata.category(c) != "Mn")

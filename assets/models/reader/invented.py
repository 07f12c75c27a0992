"""Invented passages for the built-in reader: things, what is said of them, and questions about both.

Public reading sets ask only what a passage answers. These passages also teach the other half: a question about the
right thing and an unsaid detail of it, or about the right detail of another thing, has no answer here. Everything is
made up by rule, so what is said and what is not is known. No name or fact of the program's sample is used.
"""

from __future__ import annotations

import random
import tomllib
from pathlib import Path
from typing import NamedTuple

_READ = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_VALUES = _READ.pop("values")


class Said(NamedTuple):
    """One detail that may be told of a thing: what its value looks like, how it is said, how it is asked for."""

    value: str
    said: tuple[str, ...]
    asked: tuple[str, ...]


DETAILS = {
    kind: [Said(d["value"], tuple(d["said"]), tuple(d["asked"])) for d in told["details"]]
    for kind, told in _READ.items()
}


def _value(kind: str, rng: random.Random) -> str:
    """A value of the named look."""
    pick = rng.choice
    number = rng.choice((rng.randint(2, 30), rng.randint(30, 900), round(rng.uniform(0.5, 9.9), 1)))
    makers = {
        "firm": lambda: f"{pick(_VALUES['last'])} {pick(_VALUES['firms'])}",
        "year": lambda: str(rng.randint(1905, 2025)),
        "measure": lambda: f"{number} {pick(_VALUES['units'])}",
        "oil": lambda: pick(_VALUES["oils"]),
        "often": lambda: pick(_VALUES["every"]),
        "person": lambda: f"{pick(_VALUES['first'])} {pick(_VALUES['last'])}",
        "weight": lambda: f"{number} {pick(('kilograms', 'tonnes', 'pounds'))}",
        "colour": lambda: pick(_VALUES["colours"]),
        "while": lambda: (
            f"{pick(_VALUES['counts']) if rng.random() < 0.5 else rng.randint(2, 90)} {pick(_VALUES['spans'])}"
        ),
        "why": lambda: pick(_VALUES["whys"]),
        "act": lambda: pick(_VALUES["acts"]),
        "code": lambda: f"{pick('ABCDEFHKLMNPRSTW')}{rng.choice(('', '-'))}{rng.randint(2, 999)}",
        "place": lambda: f"the {pick(_VALUES['sides'])} {pick(_VALUES['places'])}",
        "price": lambda: f"{rng.randint(3, 950)} {pick(('pounds', 'euros', 'dollars', 'francs'))}",
        "time": lambda: f"{rng.randint(5, 22)}:{pick(('00', '15', '30', '45'))}",
        "people": lambda: f"{pick(_VALUES['counts']) if rng.random() < 0.5 else rng.randint(2, 120)} people",
        "degrees": lambda: f"{rng.randint(-25, 40)} degrees",
        "floor": lambda: pick(_VALUES["ordinals"]),
        "thing": lambda: pick(_VALUES["things"]),
        "day": lambda: pick(_VALUES["days"]),
        "date": lambda: f"{rng.randint(1, 28)} {pick(_VALUES['months'])} {rng.randint(1990, 2025)}",
        "month": lambda: pick(_VALUES["months"]),
        "share": lambda: f"{rng.randint(5, 95)} percent",
        "dose": lambda: f"{rng.choice((5, 10, 20, 25, 40, 50, 75, 100, 200, 250, 500))} milligrams",
        "effect": lambda: pick(_VALUES["effects"]),
    }
    return makers[kind]()


def _name(kind: str, rng: random.Random) -> str:
    name = rng.choice(_READ[kind]["names"])
    return f"{rng.choice(_VALUES['sides'])} {name}" if kind in ("machine", "place") and rng.random() < 0.6 else name


class Asked(NamedTuple):
    """A question over passages. ``oracle`` counts from 0 and is -1 where none of them answers it."""

    question: str
    answer: str
    passages: list[tuple[str, str]]  # title, text
    oracle: int


def question(rng: random.Random, number: int, silent: bool) -> Asked:
    """A question over ``number`` invented passages (from 1), answered by one of them or, if ``silent``, by none."""
    kind = rng.choice(list(DETAILS))
    details = DETAILS[kind]
    wanted = rng.randrange(len(details))
    thing = _name(kind, rng)
    names = {thing}
    answer = _value(details[wanted].value, rng)
    told = _some(details, wanted, rng, 2, 6)
    first = [(thing, n, _value(details[n].value, rng)) for n in told]
    if not silent:
        first.insert(rng.randrange(len(first) + 1), (thing, wanted, answer))
    passages = [(kind, first)]
    for _ in range(number - 1):
        near = rng.random() < 0.75
        other_kind = kind if near else rng.choice(list(DETAILS))
        passages.append((other_kind, _others(other_kind, names, wanted if near else -1, answer, rng)))
    if rng.random() < 0.5:  # another thing stands in the first passage, too
        first += _others(kind, names, wanted, answer, rng)[:2]
    order = list(range(number))
    rng.shuffle(order)
    laid = [(f"{rng.choice(_READ[k]['titles'])}", _text(said, DETAILS[k], rng)) for k, said in passages]
    return Asked(
        rng.choice(details[wanted].asked).format(e=thing),
        answer,
        [laid[n] for n in order],
        -1 if silent else order.index(0),
    )


def _some(details: list[Said], without: int, rng: random.Random, low: int, high: int) -> list[int]:
    return rng.sample([n for n in range(len(details)) if n != without], rng.randint(low, min(high, len(details) - 1)))


def _others(kind: str, names: set[str], wanted: int, answer: str, rng: random.Random) -> list[tuple[str, int, str]]:
    """What is said of another thing of the kind; often the wanted detail, with another value."""
    name = next(n for n in iter(lambda: _name(kind, rng), None) if n not in names)
    names.add(name)
    details, made = DETAILS[kind], []
    told = _some(details, wanted, rng, 2, 5)
    if wanted >= 0 and rng.random() < 0.7:
        told.insert(0, wanted)
    for n in told:
        value = next(v for v in iter(lambda n=n: _value(details[n].value, rng), None) if v != answer)
        made.append((name, n, value))
    return made


def _text(said: list[tuple[str, int, str]], details: list[Said], rng: random.Random) -> str:
    """Sentences; a thing that was just named may be called "it"."""
    sentences, before = [], ""
    for name, n, value in said:
        sentence = rng.choice(details[n].said).format(e=name, v=value)
        if name == before and rng.random() < 0.4 and sentence.startswith((f"The {name} ", f"{name} ")):
            sentence = "It " + sentence.split(f"{name} ", 1)[1]
        sentences.append(sentence[0].upper() + sentence[1:])
        before = name
    return " ".join(sentences)

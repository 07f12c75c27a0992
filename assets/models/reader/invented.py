"""Invented passages for the built-in reader: things, what is said of them, and questions about both.

Public reading sets ask only what a passage answers. These passages also teach the other half: a question about the
right thing and an unsaid detail of it, the right detail of another thing, or the right detail in another case ("at
weekends" where the passage speaks of weekdays), has no answer here. Everything is made up by rule, so what is said and
what is not is known. No name or fact of the program's sample is used.

``invented/*.toml`` hold the kinds of things: names (``sides``: told apart by "north", "spare" and the like as well),
titles and headings of texts about them, and details: what the value looks like (``value``, a name of ``_value``, or
``values`` themselves), in which ``cases`` it differs, how it is said and how it is asked for ({e}: the thing, {v}: the
value, {c}: the case).
"""

from __future__ import annotations

import random
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

_FILES = sorted(Path(__file__).with_suffix("").glob("*.toml"))
_READ = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in _FILES}
_VALUES = _READ.pop("values")
NEAR_SHARE = 0.75  # share of the other passages that are about a thing of the same kind


class Detail(NamedTuple):
    """What may be told of a thing."""

    value: str  # what it looks like, a name of ``_value``; or "" and
    values: tuple[str, ...]  # these
    cases: tuple[str, ...]  # in which it differs; ("",) where it does not
    said: tuple[str, ...]
    asked: tuple[str, ...]


class Kind(NamedTuple):
    """Things of one kind."""

    names: tuple[str, ...]
    sides: bool  # "the north archive": names may be told apart by such a word
    titles: tuple[str, ...]
    headings: tuple[str, ...]
    details: tuple[Detail, ...]


class Fact(NamedTuple):
    """A detail as it is told of one thing in one case."""

    thing: str
    detail: int
    case: str
    value: str


def _kind(told: dict) -> Kind:
    details = tuple(
        Detail(
            d.get("value", ""),
            tuple(d.get("values", ())),
            tuple(d.get("cases", ("",))),
            tuple(d["said"]),
            tuple(d["asked"]),
        )
        for d in told["details"]
    )
    return Kind(
        tuple(told["names"]),
        told.get("sides", False),
        tuple(told["titles"]),
        tuple(told.get("headings", ())),
        details,
    )


KINDS = {name: _kind(told) for file in _READ.values() for name, told in file.items()}


def _value(detail: Detail, rng: random.Random) -> str:
    """A value of the named look."""
    pick = rng.choice
    if detail.values:
        return pick(detail.values)
    number = rng.choice((rng.randint(2, 30), rng.randint(30, 900), round(rng.uniform(0.5, 9.9), 1)))
    makers = {
        "number": lambda: pick(_VALUES["counts"]) if rng.random() < 0.3 else str(rng.randint(2, 400)),
        "firm": lambda: f"{pick(_VALUES['last']) if rng.random() < 0.2 else _coined(rng)} {pick(_VALUES['firms'])}",
        "year": lambda: str(rng.randint(1905, 2025)),
        "measure": lambda: f"{number} {pick(_VALUES['units'])}",
        "oil": lambda: pick(_VALUES["oils"]),
        "often": lambda: pick(_VALUES["every"]),
        "person": lambda: " ".join(
            pick(_VALUES[part]) if rng.random() < 0.2 else _coined(rng) for part in ("first", "last")
        ),
        "weight": lambda: f"{number} {pick(('kilograms', 'tonnes', 'pounds'))}",
        "colour": lambda: pick(_VALUES["colours"]),
        "while": lambda: (
            f"{pick(_VALUES['counts']) if rng.random() < 0.5 else rng.randint(2, 90)} {pick(_VALUES['spans'])}"
        ),
        "why": lambda: pick(_VALUES["whys"]),
        "act": lambda: pick(_VALUES["acts"]),
        "code": lambda: (
            "".join(pick("ABCDEFHKLMNPRSTW") for _ in range(rng.choice((1, 1, 2))))
            + rng.choice(("", "-"))
            + str(rng.randint(2, 999))
        ),
        "place": lambda: (
            f"the {pick(_VALUES['sides']) if rng.random() < 0.6 else _coined(rng)} {pick(_VALUES['places'])}"
        ),
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
    return makers[detail.value]()


def _coined(rng: random.Random) -> str:
    """A name that no list holds, so that it can only be copied."""
    made = "".join(rng.choice(_VALUES[part]) for _ in range(rng.choice((1, 2, 2))) for part in ("onsets", "vowels"))
    return f"{made}{rng.choice(_VALUES['codas'])}".capitalize()


def _name(kind: Kind, rng: random.Random) -> str:
    name = rng.choice(kind.names)
    if kind.sides and rng.random() < 0.35:
        return f"{_coined(rng)} {name}"
    return f"{rng.choice(_VALUES['sides'])} {name}" if kind.sides and rng.random() < 0.6 else name


class Asked(NamedTuple):
    """A question over passages. ``oracle`` counts from 0 and is -1 where none of them answers it."""

    question: str
    answer: str
    passages: list[tuple[str, str]]  # title, text
    oracle: int
    kind: str
    wanted: Fact


def question(rng: random.Random, number: int, silent: bool) -> Asked:
    """A question over ``number`` invented passages (from 1), answered by one of them or, if ``silent``, by none."""
    chosen = rng.choice(list(KINDS))
    kind = KINDS[chosen]
    n = rng.randrange(len(kind.details))
    detail = kind.details[n]
    thing, case = _name(kind, rng), rng.choice(detail.cases)
    wanted = Fact(thing, n, case, _value(detail, rng))
    first = _facts(kind, thing, wanted, rng, 2, 6)
    if not silent:
        first.insert(rng.randrange(len(first) + 1), wanted)
    names, passages = {thing}, [(kind, first)]
    for _ in range(number - 1):
        near = rng.random() < NEAR_SHARE
        other = kind if near else KINDS[rng.choice(list(KINDS))]
        passages.append((other, _of_another(other, names, wanted if near else None, rng)))
    if rng.random() < 0.4:  # another thing stands in the first passage, too
        extra = _of_another(kind, names, wanted, rng)[:2]
        first[:] = first + extra if rng.random() < 0.5 else extra + first
    order = list(range(number))
    rng.shuffle(order)
    laid = [_laid_out(k, facts, rng) for k, facts in passages]
    asked = rng.choice(detail.asked).format(e=thing, c=case)
    shown, oracle = [laid[n] for n in order], -1 if silent else order.index(0)
    return Asked(_clean(asked), wanted.value, shown, oracle, chosen, wanted)


def _facts(kind: Kind, thing: str, wanted: Fact | None, rng: random.Random, low: int, high: int) -> list[Fact]:
    """Other details of the thing, and by chance the wanted one in other cases than the wanted one."""
    rest = [n for n in range(len(kind.details)) if wanted is None or n != wanted.detail]
    facts = []
    for n in rng.sample(rest, min(rng.randint(low, high), len(rest))):
        case = rng.choice(kind.details[n].cases)
        facts.append(Fact(thing, n, case, _value(kind.details[n], rng)))
    if wanted is not None:
        others = [c for c in kind.details[wanted.detail].cases if c != wanted.case]
        if others and rng.random() < 0.7:
            for case in rng.sample(others, rng.randint(1, min(2, len(others)))):
                value = _other_value(kind.details[wanted.detail], wanted.value, rng)
                facts.insert(rng.randrange(len(facts) + 1), Fact(thing, wanted.detail, case, value))
    return facts


def _of_another(kind: Kind, names: set[str], wanted: Fact | None, rng: random.Random) -> list[Fact]:
    """What is said of another thing of the kind; often the wanted detail, with another value."""
    name = next(n for n in iter(lambda: _name(kind, rng), None) if n not in names)
    names.add(name)
    facts = _facts(kind, name, wanted, rng, 2, 5)
    if wanted is not None and rng.random() < 0.7:
        value = _other_value(kind.details[wanted.detail], wanted.value, rng)
        facts.insert(rng.randrange(len(facts) + 1), Fact(name, wanted.detail, wanted.case, value))
    return facts


def _other_value(detail: Detail, value: str, rng: random.Random) -> str:
    return next(v for v in iter(lambda: _value(detail, rng), None) if v != value)


def _laid_out(kind: Kind, facts: list[Fact], rng: random.Random) -> tuple[str, str]:
    """(title, text): sentences, sometimes a list; a thing that was just named may be called "it". Under a heading, as
    the program shows passages, the heading stands in the title and before the text."""
    lines, before = [], ""
    for fact in facts:
        said = rng.choice(kind.details[fact.detail].said)
        sentence = _clean(said.format(e=fact.thing, v=fact.value, c=fact.case))
        starts = (f"The {fact.thing} ", f"{fact.thing} ")
        if fact.thing == before and rng.random() < 0.35 and sentence.startswith(starts):
            sentence = "It " + sentence.split(f"{fact.thing} ", 1)[1]
        lines.append(sentence)
        before = fact.thing
    listed = rng.random() < 0.12
    text = " ".join(f"- {line}" if listed else line for line in lines)
    title = rng.choice(kind.titles)
    if kind.headings and rng.random() < 0.65:
        heading = rng.choice(kind.headings).format(e=facts[0].thing)
        heading = heading[:1].upper() + heading[1:]
        title, text = f"{title}, {heading}", f"{heading} {text}" if rng.random() < 0.8 else text
    return title, text


def _clean(text: str) -> str:
    text = " ".join(text.split())
    for sign in ".,;?":
        text = text.replace(f" {sign}", sign)
    text = re.sub(r"\b([Aa]) (?=[aeio])", r"\1n ", text)
    return text[:1].upper() + text[1:]

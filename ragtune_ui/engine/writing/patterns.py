"""Patterns: a statement to the questions that its clause answers, each with the words that answer it.

Every pattern is careful instead of complete: where the grammar of a sentence is not certain it
gives nothing, because a person reads each question and a bad one costs more than a missing one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ragtune_ui.engine.writing import grammar
from ragtune_ui.engine.writing.asking import (
    BOUND,
    COUNT,
    DATE,
    EVERY,
    MOMENT,
    MONTH,
    ORDINAL_OF_EVERY,
    SPAN,
    WEEKDAY,
    Asker,
    Draft,
    as_question,
    clean,
    shortened,
)
from ragtune_ui.engine.writing.clauses import Clause, parse
from ragtune_ui.engine.writing.constituents import asked
from ragtune_ui.engine.writing.openings import all_openings
from ragtune_ui.engine.writing.words import BASES, GERUNDS, NUMBERS, third

_LEAD = re.compile(
    r"^(?:however|also|in addition|additionally|furthermore|moreover|generally|typically|usually|normally|in general|"
    r"finally|currently|please note that|note that|note|for example|therefore|thus|similarly|importantly|remember|"
    r"in fact|of course|instead|unfortunately|fortunately|overall|simply put)(?:,|:|(?<=that))\s+",
    re.IGNORECASE,
)


def drafts(text: str, vocabulary: grammar.Vocabulary) -> Iterator[Draft]:
    """The questions that a plain sentence answers. ``vocabulary`` tells names from words at a sentence's start."""
    text = _LEAD.sub("", text.strip())
    text = text[:1].upper() + text[1:]
    if text.endswith("?") or text.count("(") != text.count(")"):
        return
    yield from all_openings(text, vocabulary)
    yield from asked(text, vocabulary)
    main, cause = _cut_cause(text)
    clause = parse(main)
    if clause is None:
        return
    ask = Asker(clause, vocabulary)
    if cause:
        yield from _reasons(ask, cause)
    elif not clause.negated and not clause.none and not clause.tail.lower().startswith(("not ", "no ")):
        for pattern in (_definition, _measure, _count, _time, _condition, _means, _place, _facts, _subjects):
            yield from pattern(ask)


# ---------------------------------------------------------------- causes and conditions


def _cut_cause(text: str) -> tuple[str, str]:
    found = re.match(
        r"(?P<main>.+?)(?:,? (?:namely|partly|mainly|mostly|simply|especially|only|just))?,? "
        r"(?P<cause>because (?!of\b).+|so that .+)$",
        text.rstrip(".!"),
    )
    return (found["main"], found["cause"]) if found else (text, "")


def _reasons(ask: Asker, cause: str) -> Iterator[Draft]:
    answer = clean(cause) if cause.startswith("so that") else shortened(cause.removeprefix("because "))
    if not re.search(r"[;(]|, (?:so|but|and then) ", cause) and not ask.goes_on(ask.clause.tail):
        yield Draft(ask.invert("Why"), answer, "reason", 0.95)


def _condition(ask: Asker) -> Iterator[Draft]:
    """``... when fewer than three posts can be seen`` -> ``When does ...?``"""
    found = re.search(
        r"\s(?:only )?(?P<a>(?P<word>when|if|until|before|after|as soon as) (?P<c>[^,;:]+))$", ask.clause.tail
    )
    if not found or ask.clause.copula or ask.clause.tail.startswith("only "):
        return
    before, rest = ask.before(found), found["c"].split()
    if "," in before or not ask.whole(before) or len(rest) < 2 or rest[0] in ("us", "you", "me", "them"):
        return
    word = found["word"]
    states = any(grammar.finite(w) or w in ("has", "have") or w.endswith("s") for w in rest[1:])
    opening = "Until when" if word == "until" else "When"
    counted = re.match(rf"{COUNT}\b", found["c"])
    counted = counted or re.search(rf"\b(?:{SPAN}|immediately|shortly|right|soon)$", before)
    if not counted and (states or word in ("before", "after", "until")):
        yield Draft(ask.invert(opening, before), clean(found["a"]), "condition", 0.78)


# ---------------------------------------------------------------- what things are

_STARTS_NOUN = re.compile(
    r"(?:the|a|an|our|your|its|one of|any|to [a-z]+)\s|[A-Z][\w-]+ |\d|(?:[a-z]+ ){1,3}(?:that|who|which) "
)
_JUDGEMENT = re.compile(
    r"^(?:a |an |the |one of the )?(?:good|great|best|better|bad|common|important|key|big|only|same|most|more|very|"
    r"really|quite|little|lot|few|bit|much|part|first|case|result|way|responsible|able|available|example|reason|nice|helpful|"
    r"useful|perfect|simple|easy|right|major|critical|crucial|must|eligible|required|subject to|entitled|expected|"
    r"welcome|due|free|open|ready|aware|no |not |matter|work in progress|primary|main|closest|nearest|latest|easiest|"
    r"fastest|recommended|preferred|available|located|based)\b",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    r"(?:an? |the )?(?:similar|unique|different|further|typical|common|good|best|other)\b", re.IGNORECASE
)
_OFTEN = r"^(?:also|usually|typically|generally|normally|currently|basically|simply) "


def _definition(ask: Asker) -> Iterator[Draft]:
    clause, subject = ask.clause, ask.subject
    said = {"mean": ("mean", r"(?!that\b|you\b)"), "refer": ("refer to", "to "), "stand": ("stand for", "for ")}
    if clause.front in ("does", "do") and clause.verb in said:
        words, mark = said[clause.verb]
        if found := re.match(mark, clause.rest):
            answer = shortened(clause.rest[found.end() :])
            yield Draft(as_question(f"What {clause.front} {subject} {words}"), answer, "definition", 0.9)
    elif clause.copula and clause.front in ("is", "are", "was", "were"):
        yield from _copula(ask)


def _copula(ask: Asker) -> Iterator[Draft]:
    clause, rest = ask.clause, re.sub(_OFTEN, "", clean(ask.clause.rest))
    if (duty := re.match(r"responsible for (?P<a>[^,;:]+)$", rest)) and clause.subject.lower() not in ("you", "we"):
        yield Draft(as_question(f"What {clause.front} {ask.subject} responsible for"), duty["a"], "person", 0.8)
        return
    if (to_do := re.match(r"to (\w+)", rest)) and to_do[1] not in BASES:
        return
    if not _STARTS_NOUN.match(rest) or _JUDGEMENT.match(rest) or clause.subject.lower() in ("you", "we"):
        return
    if _COMPARED.match(clause.subject):
        return
    measured = re.match(rf"{BOUND}{COUNT} \w+ (?:wide|long|high|deep|tall|thick|old|heavy|apart|away)\b", rest)
    if measured or ask.goes_on(rest) or clause.subject.split()[0].lower() in NUMBERS:
        return
    answer = shortened(rest)
    filled = grammar.is_role(clause.subject) and bool(re.match(r"[A-Z]", answer))  # "the master is Ada Strake"
    person = clause.person or filled or grammar.is_role(answer)
    defines = clause.subject.lower().startswith(("a ", "an ")) or re.search(r"\b(?:that|which|who|used)\b", rest)
    kind, weight = ("definition", 0.9) if defines else ("fact", 0.75)
    yield Draft(as_question(f"{'Who' if person else 'What'} {clause.front} {ask.subject}"), answer, kind, weight)


# ---------------------------------------------------------------- numbers

_UNITS = {
    **{"m": "metres", "km": "kilometres", "cm": "centimetres", "mm": "millimetres", "kg": "kilograms", "t": "tonnes"},
    **{"kW": "kilowatts", "kN": "kilonewtons", "V": "volts", "A": "amperes", "GB": "gigabytes", "MB": "megabytes"},
    **{"min": "minutes", "h": "hours", "s": "seconds"},
}
_AFTER_COUNT = re.compile(
    r"^(?:$|(?:in|on|at|per|a|an|each|every|from|for|before|after|during|of|to|with|by|prior|in advance)\b)"
    r"(?!.*\b(?:when|if|which|who|that|and|but)\b)"
)


def _measure(ask: Asker) -> Iterator[Draft]:
    """``The ramp is 6.4 metres wide`` -> ``How wide is the ramp?``; ``costs $50`` -> ``How much does ... cost?``"""
    clause = ask.clause
    size = re.match(
        rf"(?P<a>{BOUND}{COUNT} [\w°]+(?: [A-Z]\w+)?) (?P<adj>wide|long|high|deep|tall|thick|old|heavy)"
        r"(?P<post> (?!.*\b(?:and|but|or)\b).*)?$",
        clause.rest,
    )
    if clause.copula and size and clause.front in ("is", "are", "was", "were"):
        asked = f"How {size['adj']} {clause.front} {ask.subject} {size['post'] or ''}"
        yield Draft(as_question(asked), size["a"], "number", 0.95)
    money = re.search(rf"(?P<a>{BOUND}[$£€]\d[\d,.]*(?: (?:million|billion))?)(?P<post>.*)$", clause.tail)
    spending = ("cost", "be", "exceed", "pay", "earn", "receive", "spend")
    lead = clause.tail[: money.start()].strip() if money else ""
    if money and lead in spending and _AFTER_COUNT.match(money["post"].strip(" .")):
        yield Draft(ask.invert("How much", lead + money["post"]), money["a"].rstrip(".,"), "number", 0.9)


_COUNTED = re.compile(
    r"(?P<verb>(?:be )?(?:[a-z]+ly )?\w+(?: out| up(?! to)| off| down| back| again)?)"
    r"(?P<obj>(?: (?:the|a|an|your|our|its) \w+)?)"
    rf"(?: (?P<prep>on|at|in|for|within|after|to|by|from|over|with))? (?P<a>{BOUND}{COUNT} "
    r"(?P<unit>(?:[a-z]+ (?=[a-z]+s\b))?[a-zA-Z]+))(?P<post>(?: .*)?)$"
)


def _count(ask: Asker) -> Iterator[Draft]:
    """``... runs on 24 volts`` -> ``On how many volts does ... run?``, where the number follows the verb."""
    found = _COUNTED.match(ask.clause.tail)
    if not found or ask.clause.copula or (found["obj"] and not found["prep"]):
        return
    unit, post = _UNITS.get(found["unit"], found["unit"]), found["post"].strip(" .,")
    plural = (unit.endswith("s") and not unit.endswith("ss")) or unit in ("people", "bar", "hertz")
    if not plural or not _AFTER_COUNT.match(post) or re.search(r"[,;]|\band\b|^of\b.* to ", post):
        return
    opening = f"{found['prep']} how many {unit}" if found["prep"] else f"how many {unit}"
    if re.match(r"(?:of|before|after|prior|in advance)\b", post):  # "20 days of the invoice" stays together
        opening, post = f"{opening} {post}", ""
    yield Draft(ask.invert(opening, f"{found['verb']}{found['obj']} {post}"), found["a"], "number", 0.85)


# ---------------------------------------------------------------- times, means, agents, places

_FOR_SPAN = rf"for (?P<a>{BOUND}{COUNT} (?:[a-z]+ )?{SPAN})"
_AT_MOMENT = rf"(?P<prep>by|until|since|on|in|at|before|after|from|between) (?P<a>(?:the (?:end|start) of )?{MOMENT})"


def _time(ask: Asker) -> Iterator[Draft]:
    found = ask.ends(ORDINAL_OF_EVERY) or ask.ends(EVERY) or ask.ends(_FOR_SPAN) or ask.ends(_AT_MOMENT)
    if ask.clause.copula or found is None or "," in ask.before(found) or not ask.whole(ask.before(found)):
        return
    before, said = ask.before(found), found[0]
    if re.fullmatch(ORDINAL_OF_EVERY, said) or re.match(rf"(?:every|each) (?:{WEEKDAY}|{MONTH})", said):
        yield Draft(ask.invert("When", before), said, "time", 0.9)
    elif re.fullmatch(EVERY, said):
        yield Draft(ask.invert("How often", before), said, "time", 0.9)
    elif said.startswith("for "):
        yield Draft(ask.invert("For how long", before), found["a"], "number", 0.9)
    elif not re.fullmatch(r"(?:from|between) \S+", said):
        opening = {"by": "By when", "until": "Until when", "since": "Since when"}.get(found["prep"], "When")
        yield Draft(ask.invert(opening, before), found["a"] if opening != "When" else said, "time", 0.9)


_NO_TOOL = re.compile(
    r"\b(?:who|that|of|and|to|focus|emphasis|goal|view|way|range|mix|eye|chance|lot|few|little|note|plan)\b"
)


def _means(ask: Asker) -> Iterator[Draft]:
    """``Fog is measured by counting the white posts`` -> ``How is fog measured?``"""
    found = re.search(r"\s(?P<a>by (?P<ing>[a-z]+ing) [^,;:]+)$", ask.clause.tail)
    if found and not ask.clause.copula and found["ing"] in GERUNDS:
        before = ask.before(found)
        if "," not in before and ask.whole(before):
            yield Draft(ask.invert("How", before), clean(found["a"]), "procedure", 0.9)
    tool = ask.ends(r"with (?P<a>(?:a|an) (?:[\w-]+ ){0,3}[\w-]+)")
    if not tool or not ask.clause.passive or _NO_TOOL.search(tool["a"]):
        return
    if ask.whole(ask.before(tool)) and ask.subject not in ("we", "you"):
        yield Draft(ask.invert("With what", ask.before(tool)), tool["a"], "procedure", 0.8)


_STAYS = frozenset(
    (
        *(
            "kept",
            "stored",
            "held",
            "located",
            "hung",
            "moored",
            "parked",
            "placed",
            "found",
            "posted",
            "filed",
            "hosted",
        ),
        *("displayed", "stand", "lie", "hang", "sit", "keep", "store", "published", "saved", "listed", "documented"),
        *("recorded", "written", "put", "based", "laid", "find", "access", "report"),
    )
)
_AT = r"(?:in|on|at|under|beside|behind|above|near|inside|outside|between|below|beneath)"
_NO_PLACE = re.compile(
    rf"\b(?:to|that|which|who|so|and|{DATE}|{SPAN})\b|{_AT} (?:the )?(?:case|order|form|behalf|addition|time|"
    r"accordance|advance|event|meantime|format|basis|process|agreement|spirit|context|future|past|beginning|end)\b"
)


def _place(ask: Asker) -> Iterator[Draft]:
    """``... are kept in the locker`` -> ``Where are ... kept?``"""
    clause = ask.clause
    found = re.search(rf"\s(?P<a>{_AT} (?:the|a|an|each|every|your|our|[A-Z0-9])[^,;:()]*)$", clause.tail.rstrip("."))
    first = re.search(rf"\s(?:{_AT}|by|for|to|with|as)\s", clause.tail)
    if clause.verb not in _STAYS or not found or first is None or first.start() != found.start():
        return
    place = clean(found["a"])
    if not _NO_PLACE.search(place) and ask.whole(ask.before(found)):
        yield Draft(ask.invert("Where", ask.before(found)), place, "place", 0.85)


# ---------------------------------------------------------------- objects and subjects

_TAKES_THING = frozenset(
    (
        *("require", "include", "cover", "contain", "carry", "need", "use", "provide", "offer", "measure", "monitor"),
        *(
            "approve",
            "record",
            "review",
            "replace",
            "receive",
            "hold",
            "show",
            "maintain",
            "oversee",
            "manage",
            "allow",
        ),
        *("determine", "serve", "handle", "own", "support", "define", "publish", "collect", "describe", "store"),
    )
)
_THING = re.compile(r"(?:the|a|an|all|any|our|your|its|at least|only|\d+|[A-Z][\w-]*|[a-z-]+s|[a-z-]+ [a-z-]+s?)\b")
_ADJUNCT = re.compile(r"[;:]|\b(?:to|that|whether|how|in|on|at|for|by|from|with|when|if|as|who|because|it|them)\b")


def _facts(ask: Asker) -> Iterator[Draft]:
    """``The form requires two signatures`` -> ``What does the form require?`` for verbs that take a thing."""
    clause, rest = ask.clause, clean(ask.clause.rest)
    if clause.passive and clause.verb in ("named", "called"):
        if name := re.match(r"(?:named|called) ([A-Z][\w-]*(?: [A-Z][\w-]*)*)$", rest):
            yield Draft(as_question(f"What {clause.front} {ask.subject} {clause.verb}"), name[1], "fact", 0.9)
        return
    if (
        clause.front not in ("does", "do", "did")
        or re.match(r"(?:Only|Almost|Nearly|Many|Most|Some|Several|Few|More)\b", clause.subject)
        or (len(clause.subject.split()) < 2 and clause.subject.lower() != "you")
    ):
        return
    if clause.verb == "have":
        named = re.match(r"the (?P<what>(?:[a-z]+ ){1,3})(?P<a>[A-Z0-9][\w-]*(?: [A-Z0-9][\w-]*)*)$", rest)
        if named:
            yield Draft(ask.invert(f"What {named['what'].strip()}", "have"), named["a"], "fact", 0.9)
    elif clause.verb in _TAKES_THING and _THING.match(rest) and not _ADJUNCT.search(rest) and not ask.goes_on(rest):
        if re.search(r",(?!.*,? (?:and|or) [^,]+$)", rest):  # a list that has no last "and" is cut off
            return
        yield Draft(ask.invert("What", clause.verb), rest, "list" if "," in rest else "fact", 0.7)


_OF_GROUPS = frozenset(("consist", "include", "contain", "have", "belong", "become", "represent", "need"))
_FOR_THINGS = frozenset(
    ("used", "spread", "kept", "stored", "hung", "required", "needed", "reserved", "painted", "marked")
)
_VAGUE = re.compile(r"(?:many|some|most|people|individual|other|new|members|you$|we$)\b", re.IGNORECASE)
_GENERIC = re.compile(r"(?:an?|the|your|our|all|any|each|every|some|most) \w+$", re.IGNORECASE)


def _subjects(ask: Asker) -> Iterator[Draft]:
    """``Lisbet Norrow leads the ramp crew`` -> ``Who leads the ramp crew?``"""
    clause = ask.clause
    rest = re.sub(r"^(?:also|only) ", "", clean(clause.rest))
    unclear = re.search(r"[,;:]|\b(?:it|they|them|you|your)\b", rest)
    if len(rest.split()) < 3 or unclear or _VAGUE.match(clause.subject) or ask.goes_on(rest):
        return
    only = re.match(r"Only (?P<a>.+)", clause.subject)
    generic = _GENERIC.match(clause.subject) and not only
    if clause.who and clause.finite != "have":
        role = clause.front == "is" and (
            re.match(r"(?:responsible for|in charge of)\s", rest) or (rest.startswith("the ") and grammar.is_role(rest))
        )
        fits = role if clause.copula else clause.verb not in _OF_GROUPS
        vague = generic and (clause.front in ("may", "can", "should", "will") or len(rest.split()) < 5)
        if fits and not vague:
            answer = only["a"] if only else clause.subject
            yield Draft(as_question(f"Who {_singular(clause)} {rest}"), answer, "person", 0.8)
    elif clause.passive and clause.front in ("is", "are") and not generic and rest.split()[0] in _FOR_THINGS:
        if rest.split()[1] == "by":
            return
        yield Draft(as_question(f"What is {rest}"), clause.subject, "fact", 0.65)


def _singular(clause: Clause) -> str:
    """The finite verb as "who" wants it."""
    if clause.front == "do":
        return third(clause.verb)
    return {"are": "is", "were": "was"}.get(clause.finite, clause.finite)

"""Records: every noun to JSON and strictly back."""

import json
import typing
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from ragtune_ui.domain.errors import RagtuneError
from ragtune_ui.domain.mixes import DatasetMix
from ragtune_ui.domain.plans import RunSheet, TrainingPlan
from ragtune_ui.domain.recipes import raft
from ragtune_ui.domain.records import RecordError, from_record, to_record
from ragtune_ui.domain.runs import Event, fold
from tests.domain.makers import asked, chunk, document, library, tools


@dataclass(frozen=True)
class Inner:
    n: int
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner
    many: tuple[Inner, ...] = ()
    table: dict[str, Inner] = field(default_factory=dict)
    mood: Literal["calm", "wild"] = "calm"
    left: float | None = None
    point: tuple[int, float] = (0, 0.0)
    sure: bool = True
    anything: Any = None


FULL = Outer("n", Inner(1), (Inner(2), Inner(3, 0.25)), {"a": Inner(4)}, "wild", 2.5, (1, 0.5), False, {"x": [1]})


@pytest.mark.parametrize(
    "thing",
    [
        FULL,
        Outer("n", Inner(1)),
        DatasetMix(),
        document("d", notes=("3 pages are pictures.",)),
        chunk("c", "text", heading=("A", "B")),
        asked()[0],
        raft.examples(asked(), library(), tools(), DatasetMix(), 3)[0],
        RunSheet("m", "f", "d", "e", "mixed", TrainingPlan()),
        Event(1, 2.0, "step", {"step": 1, "loss": 0.5}),
        fold("j", [Event(1, 2.0, "step", {"step": 1, "loss": 0.5, "seconds": 1, "tokens": 9})]),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_there_and_back(thing):
    assert from_record(type(thing), json.loads(json.dumps(to_record(thing)))) == thing


def test_a_whole_number_may_stand_for_a_fraction():
    assert from_record(Inner, {"n": 1, "share": 1}) == Inner(1, 1.0)


def test_a_class_is_looked_through_once(monkeypatch: pytest.MonkeyPatch):
    @dataclass(frozen=True)
    class Own:
        n: int

    looked, real = [], typing.get_type_hints
    monkeypatch.setattr(typing, "get_type_hints", lambda kind: looked.append(kind) or real(kind))
    assert [from_record(Own, {"n": n}).n for n in range(3)] == [0, 1, 2]
    assert looked == [Own]


GOOD: dict[str, Any] = {"name": "n", "inner": {"n": 1}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"colour": "red"}, "Outer has an unknown key: colour"),
        ({"inner": {"n": 1, "m": 2}}, "Outer.inner has an unknown key: m"),
        ({"inner": {}}, "Outer.inner lacks the key n"),
        ({"inner": 3}, "Outer.inner should be a table"),
        ({"name": 3}, "Outer.name should be text, not 3"),
        ({"inner": {"n": True}}, "Outer.inner.n should be a whole number, not True"),
        ({"inner": {"n": 1.5}}, "Outer.inner.n should be a whole number, not 1.5"),
        ({"inner": {"n": 1, "share": "x"}}, "Outer.inner.share should be a number, not 'x'"),
        ({"inner": {"n": 1, "share": True}}, "Outer.inner.share should be a number, not True"),
        ({"many": "abc"}, "Outer.many should be a list"),
        ({"many": [{"n": 1}, {"n": "2"}]}, r"Outer.many\[1\].n should be a whole number"),
        ({"table": []}, "Outer.table should be a table"),
        ({"table": {"k": {"n": None}}}, "Outer.table.k.n should be a whole number, not None"),
        ({"mood": "sad"}, "Outer.mood is 'sad'; it must be one of calm, wild"),
        ({"left": "soon"}, "Outer.left should be a number"),
        ({"point": [1]}, "Outer.point should be a list of 2"),
        ({"point": [0.5, 1]}, r"Outer.point\[0\] should be a whole number"),
        ({"sure": 1}, "Outer.sure should be true or false, not 1"),
    ],
)
def test_what_does_not_fit_is_named(change, says):
    with pytest.raises(RecordError, match=says):
        from_record(Outer, {**GOOD, **change})


def test_the_remedy_lists_the_known_keys():
    with pytest.raises(RecordError) as caught:
        from_record(Inner, {"n": 1, "N": 2})
    assert caught.value.remedy == "Known keys: n, share."
    assert caught.value.sentence.endswith("n, share.")


def test_the_nouns_own_rules_still_hold():
    with pytest.raises(RagtuneError, match="add up to"):
        from_record(DatasetMix, {"raft": 10})


def test_no_table_at_all():
    with pytest.raises(RecordError, match="Inner should be a table"):
        from_record(Inner, [1])

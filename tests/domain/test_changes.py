"""New versions: what they touch, where evidence stands in them, and the way back."""

from __future__ import annotations

from dataclasses import replace

from ragtune_ui.domain.changes import Before, carried, followed, impact_of, moved, returned, settled
from ragtune_ui.domain.passages import Judgement
from tests.domain.makers import chunk, question

OLD = "# Red\n\nIt stops at noon.\n\n# Blue\n\nIt stops at noon. It starts at one."
NEW = "# Preface\n\nNew words.\n\n" + OLD.replace("It starts at one.", "It starts at two.")


def asked(evidence: str, at: int, **more: object):
    made = question("When?", "then", document="d", evidence=evidence, start=at, end=at + len(evidence))
    return replace(made, **more)  # type: ignore[arg-type]


def test_words_are_followed_to_the_place_with_the_same_surroundings() -> None:
    for at in (OLD.index("It stops"), OLD.rindex("It stops")):
        span = moved(OLD, NEW, at, at + 17)
        assert span is not None and NEW[slice(*span)] == "It stops at noon."
        assert NEW[: span[0]].endswith(OLD[at - 8 : at])
    assert moved(OLD, NEW, OLD.index("It starts"), len(OLD)) is None
    assert moved(OLD, NEW, 3, 3) is None and moved("", NEW, 0, 0, "New  words.") is not None
    assert moved("a b", "x a\nb", 0, 3) == (2, 5)
    assert moved(OLD, NEW, 0, 5) == (NEW.index("# Red"), NEW.index("# Red") + 5)


def test_known_words_are_looked_for_where_the_old_text_is_another() -> None:
    said, places = "It stops at noon.", (NEW.index("It stops"), NEW.rindex("It stops"))
    for old in ("", "Other words. " * 9, OLD.replace("noon", "one!")):
        assert moved(old, NEW, places[0] - 3, places[0] + 14, said) == (places[0], places[0] + 17)
        assert moved(old, NEW, places[1] + 3, places[1] + 20, said) == (places[1], places[1] + 17)
    assert moved(OLD, NEW, 3, 20, "It starts at one.") is None


def test_what_does_not_stand_is_found_anew_and_nothing_else_is_touched() -> None:
    first = asked("It stops at noon.", NEW.index("It stops"), status="approved")
    stands = replace(first, id="s", start=NEW.rindex("It stops"), end=NEW.rindex("It stops") + 17)
    lost = replace(first, id="l", evidence="It starts at one.")
    astray = replace(first, id="a", start=OLD.index("It stops"), end=OLD.index("It stops") + 17)
    withheld = replace(astray, id="w", evidence="", answerable=False, start=0, end=0)
    silent, other = replace(astray, id="n", answerable=False), replace(astray, id="o", document="e")
    found = settled("d", OLD, NEW, [first, stands, lost, astray, withheld, silent, other])
    assert found[:2] == [first, stands] and found[4:] == [withheld, silent, other]
    assert (found[2].status, found[2].evidence, found[2].outdated) == ("proposed", "", "It starts at one.")
    assert found[3] == replace(first, id="a") == settled("d", "", NEW, [astray])[0]


def test_questions_and_judgements_are_carried_or_flagged() -> None:
    first = asked("It stops at noon.", OLD.index("It stops"), status="approved")
    lost = asked("It starts at one.", OLD.index("It starts"), status="edited")
    rejected, other = replace(lost, id="r", status="rejected"), replace(first, id="o", document="e")
    places = [("d", first.start, first.end), ("d", lost.start, lost.end), ("e", 0, 5)]
    judged = [Judgement("q", *place, relevant=True) for place in places]
    questions = carried("d", OLD, NEW, [first, lost, rejected, other])
    judgements = followed("d", OLD, NEW, judged)
    assert questions[0].status == "approved" and NEW[questions[0].start : questions[0].end] == first.evidence
    assert (questions[1].status, questions[1].evidence, questions[1].outdated) == ("proposed", "", "It starts at one.")
    assert questions[2].status == "rejected" and questions[3] == other
    assert [j.document for j in judgements] == ["d", "e"]
    assert NEW[judgements[0].start : judgements[0].end] == first.evidence


def test_an_impact_counts_what_stays_and_what_goes() -> None:
    old = [chunk("1", "same"), chunk("2", "same"), chunk("3", "gone")]
    new = [chunk("4", "same"), chunk("5", "fresh"), chunk("6", "fresh")]
    questions = [asked("It starts at one.", OLD.index("It starts")), asked("It stops at noon.", 7)]
    judged = [Judgement("q", "d", 0, len(OLD), True)]
    impact = impact_of("d", "w", "a.md", old, new, questions, judged, OLD, NEW)
    assert impact.kept == 1
    assert [c.text for c in impact.gone] == ["same", "gone"] and [c.text for c in impact.fresh] == ["fresh", "fresh"]
    assert (impact.standing, len(impact.lost), impact.judgements, impact.judgements_lost) == (1, 1, 1, 1)
    assert impact.sentence == "2 of 3 passages change or go, 2 are new, 1 question loses its evidence, 1 keeps it."
    bare = impact_of("d", "w", "a.md", old, old, [], [], OLD, NEW)
    assert bare.sentence == "0 of 3 passages change or go, 0 are new."


def test_the_way_back_leaves_what_was_decided_since() -> None:
    old, flagged = asked("It starts at one.", 9, status="approved"), asked("", 0, outdated="It starts at one.")
    assert returned("d", NEW, OLD, [flagged], Before(((old, flagged),))) == [old]
    decided = replace(flagged, status="rejected")
    assert returned("d", NEW, OLD, [decided], Before(((old, flagged),))) == [decided]
    # What was decided about evidence that still stands follows it back to its place in the old text.
    stands = asked("It stops at noon.", NEW.rindex("It stops"), status="rejected")
    (back,) = returned("d", NEW, OLD, [stands], Before())
    assert (
        back.status == "rejected" and OLD[back.start : back.end] == "It stops at noon." and back.start != stands.start
    )

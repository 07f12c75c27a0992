"""Cards: whatever a file, a person or a model wrote arrives as text."""

from __future__ import annotations

import inspect
import re
from html.parser import HTMLParser

import pytest

from ragtune_ui.domain.errors import ModelError
from ragtune_ui.domain.examples import Example, Message
from ragtune_ui.domain.passages import Chunk, Passage
from ragtune_ui.ui import cards
from ragtune_ui.ui.cards import Html, esc, tag

PAYLOADS = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "${alert(1)}",
    "{{constructor.constructor('alert(1)')()}}",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "![x](http://198.51.100.7/p.png)",
    "[click](javascript:alert(1))",
    "<a href='javascript:alert(1)'>x</a>",
    "</details></div><iframe srcdoc='<script>alert(1)</script>'>",
    "&lt;b&gt; & <b>bold</b>",
)
ALLOWED = re.compile(
    "div|span|p|b|u|i|strong|mark|br|ol|ul|li|dl|dt|dd|table|caption|thead|tbody|tr|th|td|h[1-4]|button|details|summary|"
    "pre|article|dialog|label|input"
)
HANDLER = re.compile(r"^on", re.IGNORECASE)


class Reader(HTMLParser):
    """What a browser would make of it: elements, attributes, text."""

    def __init__(self, written: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(written)
        self.close()

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))
        if name not in ("br", "input"):
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        self.text += data


def safe(written: str) -> Reader:
    """Fails where the HTML holds anything active or is not well formed."""
    read = Reader(written)
    assert read.open == []
    for name, attributes in read.elements:
        assert ALLOWED.fullmatch(name), name
        assert not [a for a in attributes if HANDLER.match(a)], attributes
        assert not {"href", "src", "srcdoc", "action"} & set(attributes), attributes
    return read


def chunk(text: str, title: str = "crane.pdf", heading: str = "Wind limits") -> Chunk:
    return Chunk("c1", "d1", title, 41, (heading,), 100, 100 + len(text), text, 30)


@pytest.mark.parametrize("bad", PAYLOADS)
def test_no_card_lets_hostile_text_become_markup(bad: str) -> None:
    one = chunk(f"{bad} wind {bad}", bad, bad)
    example = Example("e1", "raft", "answer", (Message("system", bad), Message("user", bad), Message("assistant", bad)))
    built = [
        cards.pill("warn", bad),
        cards.heading(bad, bad),
        cards.section(bad, bad),
        cards.tiles([(bad, bad, bad)]),
        cards.facts([(bad, bad)]),
        cards.bar(0.4, bad),
        cards.table([bad], [[bad]], bad),
        cards.table([bad], [], bad, empty=bad),
        cards.folded(bad, bad),
        cards.button(bad, do=bad, id=bad, go=bad, ask=bad, label=bad),
        cards.copy_button(bad, bad),
        cards.note("error", bad, bad, bad, [(bad, bad), cards.button(bad)]),
        cards.problem(ModelError(bad, bad, bad)),
        cards.empty(bad, bad, cards.button(bad)),
        cards.next_bar(bad, bad, bad),
        cards.dialog("stop", bad, bad, [(bad, bad, "danger")], typed=bad),
        cards.hits([Passage(one, 1, 0.9, 0.8, 0.7)], bad, {"c1": [cards.button(bad)]}),
        cards.sources([one, chunk(bad * 40)]),
        cards.evidence(one, 104, 120, bad),
        cards.answer(bad, 3),
        cards.bubble("you", bad),
        cards.sample(example, bad),
        cards.sample(Example("e2", "dap", "text", text=bad), bad),
        cards.items([cards.item(bad, bad, bad, cards.pill("ok", bad), True)], bad),
    ]
    for written in built:
        assert isinstance(written, Html)
        read = safe(written)
        shown = read.text + " ".join(str(v) for _, attributes in read.elements for v in attributes.values())
        assert bad in shown or bad[:20] in shown or " ".join(bad.split())[:12] in shown


def test_every_card_function_is_in_the_hostile_test() -> None:
    makers = {n for n, f in vars(cards).items() if inspect.isfunction(f) and f.__module__ == cards.__name__
              and inspect.signature(f).return_annotation == "Html"}  # fmt: skip
    source = inspect.getsource(test_no_card_lets_hostile_text_become_markup)
    inner = {"esc", "join", "tag", "lines", "lines_kept", "tile", "marked", "place", "score", "hit", "cite"}
    assert {m for m in makers - inner if f"cards.{m}(" not in source} == set()


def test_esc_leaves_html_alone_and_drops_characters_that_hide() -> None:
    assert esc(tag("b", "<")) == "<b>&lt;</b>"
    assert esc("gnp\u202egpj.exe\x00\u200b") == "gnpgpj.exe"
    assert esc("naïve 漢字 – ok") == "naïve 漢字 – ok"
    assert esc(3) == "3"


def test_tag_writes_attributes() -> None:
    assert tag("button", "Go", cls="btn", data_do='a"b', disabled=True, aria_label=None, hidden=False) == (
        '<button class="btn" data-do="a&quot;b" disabled>Go</button>'
    )


def test_an_answer_cites_only_passages_that_exist_and_keeps_line_breaks() -> None:
    written = cards.answer("Stop at 20 m/s [1][ 2 ].\n**Not** bold [9] [0] [x].", 2)
    assert re.findall(r'data-cite="(\d+)"', written) == ["1", "2"]
    assert "<br>**Not** bold [9] [0] [x]." in written
    assert 'aria-label="Show passage 2"' in written


def test_marks_hit_whole_words_of_the_question() -> None:
    text = "Stop lifting when the wind lifts the window."
    written = cards.hit(Passage(chunk(text), 1, 1.0, 0.5, 0.25), "When must lifting stop in wind?")
    assert re.findall(r"<mark>(.*?)</mark>", written) == ["Stop", "lifting", "wind", "lifts"]
    assert re.findall(r"<b>([\d.]+)</b>", written) == ["1.00", "0.50", "0.25"]


def test_marked_joins_overlaps_and_keeps_everything() -> None:
    text = "abc\ndef & ghi"
    written = cards.marked(text, [(2, 6), (1, 3), (5, 5)])
    assert written == "a<mark>bc</mark><mark><br>de</mark>f &amp; ghi"
    assert Reader(written.replace("<br>", "\n")).text == text


def test_evidence_underlines_the_sentence_where_the_document_counts_it() -> None:
    one = chunk("First sentence. Empty containers stay down. Last.")
    at = one.text.index("Empty")
    end = one.text.index(" Last")
    assert "<u>Empty containers stay down.</u>" in cards.evidence(one, 100 + at, 100 + end)
    assert "<u>" not in cards.evidence(one, 0, 0)


def test_sources_are_numbered_and_fold_what_is_long() -> None:
    written = cards.sources([chunk("short"), chunk("long words " * 60)])
    assert re.findall(r'data-source="(\d)"', written) == ["1", "2"]
    assert written.count("<details") == 1
    assert written.count("long words") > 60  # the whole passage can be opened


def test_a_table_without_rows_is_a_sentence_and_numbers_stand_right() -> None:
    assert (
        cards.table(["A"], [], "Documents", empty="No documents yet.") == '<p class="empty-line">No documents yet.</p>'
    )
    assert cards.table(["A"], [], "Documents") == ""
    written = cards.table(["Name", "Pages"], [["a.pdf", 3]], "Documents", numbers=[1])
    assert '<td class="num">3</td>' in written
    assert '<th scope="col" class="num">Pages</th>' in written
    assert "<caption" in written
    assert "<th " not in cards.table([""], [["x"]], "Buttons")  # a header cell without words is a riddle to listeners


def test_pills_and_notes_never_speak_by_colour_alone() -> None:
    assert "✓" in cards.pill("ok", "ready")
    assert "!" in cards.pill("warn", "scanned pictures")
    assert "✗" in cards.pill("error", "rejected")
    error = cards.note("error", "It stopped.", "Start again.", "trace", [("Open Train", "train")])
    assert 'role="alert"' in error
    assert 'data-go="train"' in error
    assert "<details" in error
    assert 'role="status"' in cards.note("ok", "Done.")


def test_bar_stays_within_its_bounds() -> None:
    assert 'aria-valuenow="100"' in cards.bar(1.7, "x")
    assert "width:0%" in cards.bar(-1, "x")


def test_a_dialog_waits_for_the_typed_name() -> None:
    asked = cards.dialog("delete", "Delete?", "All of it.", [("yes", "Delete project", "danger")], typed='Crane "A"')
    assert 'data-typed="Crane &quot;A&quot;"' in asked
    assert re.search(r'data-choice="yes" disabled', asked)
    assert " disabled" not in cards.dialog("stop", "Stop?", "", [("keep", "Stop and keep", "primary")])


@pytest.mark.parametrize(
    ("size", "said"), [(18.2e9, "18.2 GB"), (7.4e8, "740 MB"), (12_345, "12 kB"), (12, "12 bytes"), (2e11, "200 GB")]
)
def test_sizes_in_words(size: float, said: str) -> None:
    assert cards.size_words(size) == said

"""Forms: rows and fields agree, values travel by name, presets go back."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import gradio as gr
import pytest

from ragtune_ui.domain.errors import PlanError, RagtuneError
from ragtune_ui.domain.plans import TrainingPlan
from ragtune_ui.ui.form import Form, choice, kept, number, slider, switch, text


@dataclass(frozen=True)
class Knobs:
    size: int = 8
    rate: float = 0.5
    order: Literal["mixed", "dap first"] = "mixed"
    loud: bool = False
    name: str = "Balanced"
    parts: tuple[str, ...] = ("adapter",)
    seed: int = 42


ROWS = {
    "size": slider("Adapter size", 1, 64, 1, "Larger learns more."),
    "rate": number("Rate", whole=False),
    "order": choice("Order", [("Together", "mixed"), ("Reading first", "dap first")]),
    "loud": switch("Loud"),
    "name": text("Name"),
    "parts": choice("Parts", [("Adapter", "adapter")]),
    "seed": kept("Seed"),
}
GIVEN: dict[str, Any] = {
    "size": 16,
    "rate": 0.25,
    "order": "dap first",
    "loud": True,
    "name": " Own ",
    "parts": ["adapter", "merged"],
    "seed": 7,
}


@pytest.mark.parametrize(("left_out", "added"), [("seed", ""), ("", "speed"), ("size", "speed")])
def test_a_form_refuses_rows_that_are_not_its_fields(left_out: str, added: str) -> None:
    rows = {name: row for name, row in ROWS.items() if name != left_out}
    if added:
        rows[added] = kept("Speed")
    with pytest.raises(ValueError, match=left_out or added):
        Form(Knobs, rows)


def test_reading_gives_the_dataclass_by_name_whatever_the_order() -> None:
    form = Form(Knobs, ROWS)
    read = form.read(dict(reversed(GIVEN.items())))
    assert read == Knobs(16, 0.25, "dap first", True, "Own", ("adapter", "merged"), 7)


@pytest.mark.parametrize("sent", [16, 16.0, "16"])
def test_a_whole_number_is_whole_however_the_browser_sends_it(sent: object) -> None:
    size = Form(Knobs, ROWS).read({**GIVEN, "size": sent}).size
    assert size == 16
    assert type(size) is int


@pytest.mark.parametrize(
    ("field", "sent", "said"),
    [
        ("size", None, "“Adapter size” is empty"),
        ("size", "", "“Adapter size” is empty"),
        ("size", 16.5, "“Adapter size” should be a whole number, not 16.5"),
        ("size", "many", "“Adapter size” should be a number, not “many”"),
        ("rate", float("nan"), "“Rate” should be a number"),
        ("rate", float("inf"), "“Rate” should be a number"),
        ("order", None, "Nothing is chosen under “Order”"),
        ("order", "random", "Nothing is chosen under “Order”"),
    ],
)
def test_a_wrong_value_is_named_by_its_label_with_a_remedy(field: str, sent: object, said: str) -> None:
    with pytest.raises(RagtuneError) as raised:
        Form(Knobs, ROWS).read({**GIVEN, field: sent})
    assert str(raised.value).startswith(said)
    assert raised.value.remedy


def test_the_dataclass_has_the_last_word() -> None:
    form = Form(TrainingPlan, {f.name: kept(f.name) for f in fields(TrainingPlan)})
    values = {f.name: getattr(TrainingPlan(), f.name) for f in fields(TrainingPlan)}
    with pytest.raises(PlanError, match="batch is 0"):
        form.read({**values, "batch": 0})


def test_a_preset_goes_back_into_the_widgets_and_comes_out_the_same() -> None:
    form = Form(Knobs, ROWS)
    preset = replace(Knobs(), size=32, order="dap first", seed=9)
    written = form.write(preset)
    values = [w["value"] if isinstance(w, dict) else w for w in written]
    assert values[form.names.index("seed")] == 9  # a gr.State takes the value itself
    assert form.read(dict(zip(form.names, values, strict=True))) == preset


def test_widgets_show_the_thing_carry_ids_and_cover_every_field() -> None:
    form = Form(Knobs, ROWS)
    with gr.Blocks(analytics_enabled=False):
        made = form.start("mix", replace(Knobs(), size=12))
        made.put("size", "name")
        with pytest.raises(ValueError, match="rate"):
            _ = made.inputs
        made.put()
    assert list(made.inputs) == [f.name for f in fields(Knobs)]
    assert made["size"].value == 12
    assert made["size"].elem_id == "mix-size"
    assert made["size"].label == "Adapter size"
    assert [type(w).__name__ for w in made.outputs] == [
        "Slider",
        "Number",
        "Radio",
        "Checkbox",
        "Textbox",
        "Radio",
        "State",
    ]
    assert all(w.interactive for w in made.outputs[:-1])
    assert len(made) == len(made.outputs)


def test_a_figure_out_of_bounds_reaches_the_words_of_its_dataclass() -> None:
    """A widget that knows its bounds raises an error of its own, which the browser shows nowhere."""
    widget = number("Rounds", "Times.", low=1, high=1_000).make(value=4, elem_id="rounds")
    assert widget.preprocess(0) == 0 and widget.info == "Times. From 1 to 1,000."
    with pytest.raises(PlanError, match="must lie between"):
        TrainingPlan(rounds=0)

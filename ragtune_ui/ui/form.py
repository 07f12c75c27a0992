"""Forms: a dataclass and a table of widgets, field by field; values travel by name."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import gradio as gr

from ragtune_ui.domain.errors import RagtuneError

T = TypeVar("T")
Choices = Sequence[tuple[str, Any]]


@dataclass(frozen=True)
class Row:
    """How one field looks: its label and what makes its widget, called with ``value`` and ``elem_id``.

    ``shown`` is False where the widget is a ``gr.State``: it takes values, no updates.
    """

    label: str
    make: Callable[..., Any]
    shown: bool = True


def slider(label: str, low: float, high: float, step: float, info: str = "") -> Row:
    """A figure between two bounds."""
    return Row(label, lambda value, elem_id: gr.Slider(low, high, value, step=step, label=label, info=info or None,
                                                       elem_id=elem_id, interactive=True))  # fmt: skip


def number(label: str, info: str = "", whole: bool = True, low: float | None = None, high: float | None = None) -> Row:
    """A figure to type. Bounds are told, not set: a widget with bounds fails before any of our words are reached."""
    told = f"{info} From {low:,g} to {high:,g}.".strip() if low is not None and high is not None else info
    return Row(label, lambda value, elem_id: gr.Number(value, label=label, info=told or None,
                                                       precision=0 if whole else None, elem_id=elem_id,
                                                       interactive=True))  # fmt: skip


def choice(label: str, choices: Choices, info: str = "") -> Row:
    """One of a few, all visible: (what it says, its value) each."""
    return Row(label, lambda value, elem_id: gr.Radio(list(choices), value=value, label=label, info=info or None,
                                                      elem_id=elem_id, interactive=True))  # fmt: skip


def switch(label: str, info: str = "") -> Row:
    """Yes or no."""
    return Row(label, lambda value, elem_id: gr.Checkbox(value, label=label, info=info or None, elem_id=elem_id,
                                                         interactive=True))  # fmt: skip


def text(label: str, info: str = "", rows: int = 1) -> Row:
    """Words to type."""
    return Row(label, lambda value, elem_id: gr.Textbox(value, label=label, info=info or None, lines=rows,
                                                        elem_id=elem_id, interactive=True))  # fmt: skip


def kept(label: str) -> Row:
    """A field without a widget: it carries the preset's value."""
    return Row(label, lambda value, elem_id: gr.State(value), shown=False)


class Form(Generic[T]):
    """A dataclass as a form: one row for each field, no more and no less.

    Raises:
        ValueError: rows and fields differ; the message names the difference.
    """

    def __init__(self, kind: type[T], rows: Mapping[str, Row]) -> None:
        names = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
        missing, extra = sorted(set(names) - set(rows)), sorted(set(rows) - set(names))
        if missing or extra:
            raise ValueError(f"{kind.__name__}: fields without a row {missing}, rows without a field {extra}")
        self.kind, self.rows, self.names = kind, dict(rows), tuple(names)
        self.hints = typing.get_type_hints(kind)

    def start(self, prefix: str, thing: T | None = None) -> Fields[T]:
        """An empty set of widgets with ids ``prefix-field``, showing ``thing`` (default: the defaults)."""
        return Fields(self, prefix, self.kind() if thing is None else thing)

    def read(self, values: Mapping[str, Any]) -> T:
        """The dataclass from widget values by field name.

        Raises:
            RagtuneError: a value is missing or of the wrong kind, or the dataclass refuses it.
        """
        return self.kind(**{name: self._value(name, values[name]) for name in self.names})

    def write(self, thing: T) -> list[Any]:
        """Updates that show ``thing``, in the order of the fields."""
        return [
            gr.update(value=getattr(thing, name)) if self.rows[name].shown else getattr(thing, name)
            for name in self.names
        ]

    def _value(self, name: str, value: Any) -> Any:
        hint, label = self.hints[name], self.rows[name].label
        if typing.get_origin(hint) is typing.Literal:
            if value not in typing.get_args(hint):
                raise RagtuneError(f"Nothing is chosen under “{label}”.", "Choose one.")
            return value
        if hint in (int, float):
            return _figure(hint, label, value)
        if hint is bool:
            return bool(value)
        if hint is str:
            return str(value or "").strip()
        if typing.get_origin(hint) is tuple:
            return tuple(value or ())
        return value


class Fields(Mapping[str, Any], Generic[T]):
    """The widgets of one form in one layout, by field name; put them where they belong, then wire."""

    def __init__(self, form: Form[T], prefix: str, thing: T) -> None:
        self.form, self.prefix, self.thing = form, prefix, thing
        self._made: dict[str, Any] = {}

    def put(self, *names: str) -> Fields[T]:
        """Make the widgets of these fields here, in the layout that is open; without names, all that are left."""
        for name in names or [n for n in self.form.names if n not in self._made]:
            elem_id = f"{self.prefix}-{name.replace('_', '-')}"
            self._made[name] = self.form.rows[name].make(value=getattr(self.thing, name), elem_id=elem_id)
        return self

    @property
    def inputs(self) -> dict[str, Any]:
        """Widget by field name, for ``inputs_kwargs``.

        Raises:
            ValueError: a field was not put anywhere.
        """
        left = [n for n in self.form.names if n not in self._made]
        if left:
            raise ValueError(f"{self.form.kind.__name__}: not put on the page: {left}")
        return {name: self._made[name] for name in self.form.names}

    @property
    def outputs(self) -> list[Any]:
        """The widgets in the order in which ``Form.write`` answers."""
        return list(self.inputs.values())

    @property
    def left(self) -> list[Any]:
        """The triggers that tell that a person has set a field: a choice made, a slider let go, a figure typed."""
        ways: dict[type, tuple[str, ...]] = {
            gr.Slider: ("release",),
            gr.Number: ("blur", "submit"),
            gr.Textbox: ("blur", "submit"),
            gr.Radio: ("input",),
            gr.Checkbox: ("input",),
        }
        return [getattr(widget, way) for widget in self._made.values() for way in ways.get(type(widget), ())]

    def __getitem__(self, name: str) -> Any:
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


def _figure(kind: type, label: str, value: Any) -> Any:
    if value is None or value == "":
        raise RagtuneError(f"“{label}” is empty.", "Type a number.")
    try:
        figure = float(value)
    except (TypeError, ValueError):
        raise RagtuneError(f"“{label}” should be a number, not “{value}”.", "Type digits only.") from None
    if figure != figure or figure in (float("inf"), float("-inf")):
        raise RagtuneError(f"“{label}” should be a number.", "Type digits only.")
    if kind is int:
        if figure != int(figure):
            raise RagtuneError(f"“{label}” should be a whole number, not {figure:g}.", f"Type {round(figure)}.")
        return int(figure)
    return figure

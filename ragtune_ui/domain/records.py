"""Nouns to plain JSON values and strictly back: one way for every dataclass of the domain."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from typing import Any, TypeVar

from ragtune_ui.domain.errors import RagtuneError

T = TypeVar("T")


class RecordError(RagtuneError):
    """A record does not fit its noun: an unknown key, a missing one or a value of another type."""


def to_record(thing: Any) -> Any:
    """The JSON values of a dataclass: dicts, lists, strings, numbers, booleans, None."""
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return {f.name: to_record(getattr(thing, f.name)) for f in dataclasses.fields(thing)}
    if isinstance(thing, tuple | list):
        return [to_record(item) for item in thing]
    if isinstance(thing, dict):
        return {str(key): to_record(value) for key, value in thing.items()}
    return thing


def from_record(kind: type[T], record: Any, where: str = "") -> T:
    """The dataclass ``kind`` from JSON values.

    Raises:
        RecordError: names the unknown or missing key, or the value that is of another type.
    """
    where = where or kind.__name__
    if not isinstance(record, dict):
        raise RecordError(f"{where} should be a table of named values.")
    hints, needed = _fields(kind)  # type: ignore[arg-type]  # a class can be hashed
    unknown = sorted(set(record) - set(hints))
    if unknown:
        raise RecordError(f"{where} has an unknown key: {unknown[0]}.", f"Known keys: {', '.join(hints)}.")
    values = {name: _value(hints[name], value, f"{where}.{name}") for name, value in record.items()}
    missing = [name for name in needed if name not in values]
    if missing:
        raise RecordError(f"{where} lacks the key {missing[0]}.")
    return kind(**values)


@functools.cache
def _fields(kind: type[Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The types of a dataclass's fields by name, and the names of those without a default. Looked up once for each
    class: thousands of records of one file are read at a click."""
    hints, fields = typing.get_type_hints(kind), dataclasses.fields(kind)
    none = dataclasses.MISSING
    needed = tuple(f.name for f in fields if f.default is none and f.default_factory is none)
    return {f.name: hints[f.name] for f in fields}, needed


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in inner:
            return None
        return _value(next(h for h in inner if h is not type(None)), value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise RecordError(f"{where} should be a list.")
        if inner[-1] is not Ellipsis and len(inner) != len(value):
            raise RecordError(f"{where} should be a list of {len(inner)}.")
        kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(_value(kinds[n], item, f"{where}[{n}]") for n, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise RecordError(f"{where} should be a table of named values.")
        return {key: _value(inner[1], item, f"{where}.{key}") for key, item in value.items()}
    if origin is typing.Literal:
        if value not in inner:
            raise RecordError(f"{where} is {value!r}; it must be one of {', '.join(map(str, inner))}.")
        return value
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return from_record(typing.cast(type[Any], hint), value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and (not isinstance(value, hint) or (hint is int and isinstance(value, bool))):
        raise RecordError(f"{where} should be {_WORD.get(hint, hint.__name__)}, not {value!r}.")
    return value


_WORD = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}

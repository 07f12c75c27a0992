"""The ports: every factory hands over the port of its name, and every method says what it gives."""

import inspect
import typing

import pytest

from ragtune_ui.domain import ports

FACTORIES = typing.get_type_hints(ports.Engines)


@pytest.mark.parametrize("name", FACTORIES)
def test_a_factory_returns_the_port_of_its_name(name):
    _, port = typing.get_args(FACTORIES[name])
    assert port is getattr(ports, name.capitalize())


@pytest.mark.parametrize("name", FACTORIES)
def test_a_port_is_small_and_annotated(name):
    port = getattr(ports, name.capitalize())
    methods = {n: m for n, m in vars(port).items() if inspect.isfunction(m) and not n.startswith("_")}
    assert 1 <= len(methods) <= 4
    for method in methods.values():
        hints = typing.get_type_hints(method)
        assert set(inspect.signature(method).parameters) - {"self"} == set(hints) - {"return"}
        assert "return" in hints

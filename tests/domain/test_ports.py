"""The ports: a factory hands over the port of its name, and every port is small and annotated."""

import inspect
import typing

import pytest

from ragtune_ui.domain import ports

FACTORIES = {name: typing.get_args(hint)[1] for name, hint in typing.get_type_hints(ports.Engines).items()}
PORTS = {
    name: port for name, port in vars(ports).items() if getattr(port, "_is_protocol", False) and name != "Protocol"
}


@pytest.mark.parametrize("name", [n for n, port in FACTORIES.items() if port in PORTS.values()])
def test_a_factory_returns_the_port_of_its_name(name):
    assert FACTORIES[name] is PORTS[name.capitalize()]


def test_the_worker_is_a_command_line():
    assert FACTORIES["worker"] == list[str]
    assert len([p for p in FACTORIES.values() if p in PORTS.values()]) == len(FACTORIES) - 1


@pytest.mark.parametrize("name", PORTS)
def test_a_port_is_small_and_annotated(name):
    methods = [m for n, m in vars(PORTS[name]).items() if inspect.isfunction(m) and not n.startswith("_")]
    assert 1 <= len(methods) <= 4
    for method in methods:
        hints = typing.get_type_hints(method)
        assert "return" in hints
        assert set(inspect.signature(method).parameters) - {"self"} == set(hints) - {"return"}

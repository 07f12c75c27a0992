"""Addresses of model servers: what a person may write, and what stays on this computer."""

import pytest

from ragtune_ui.domain.endpoints import EXAMPLE, Endpoint, address
from ragtune_ui.domain.errors import QuestionError


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (EXAMPLE, EXAMPLE),
        (" 127.0.0.1:1234 ", "http://127.0.0.1:1234/v1"),
        ("localhost:8080/", "http://localhost:8080/v1"),
        ("https://models.example/openai/v1/", "https://models.example/openai/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
        ("models.example", "https://models.example/v1"),
        ("http://models.example:8000/v1/chat/completions", "http://models.example:8000/v1"),
        ("HTTP://LocalHost:1/V1", "http://localhost:1/V1"),
    ],
)
def test_an_address_is_completed(said, meant):
    assert address(said) == meant


@pytest.mark.parametrize(
    "said",
    ["", "   ", "file:///etc/passwd", "ftp://a/b", "http://", "http://a:99999", "http://a:0", "http://me:pw@a/v1",
     "http://a/v1?key=1", "http://a/v1#x", "http://[::1", "my server", "hello world, what", "http://a\u200bb/v1",
     "http://[::1]evil.example/v1", "http://a b/v1", "http://-a/v1", "http://a/v 1"],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_words(said):
    with pytest.raises(QuestionError) as error:
        address(said)
    assert error.value.remedy


@pytest.mark.parametrize(
    ("url", "local"),
    [("http://127.0.0.1/v1", True), ("http://127.8.0.1:9/v1", True), ("http://[::1]/v1", True),
     ("http://localhost:1/v1", True), ("http://192.168.1.9/v1", False), ("http://localhost.evil.example/v1", False),
     ("http://127.0.0.1.evil.example/v1", False), ("http://0.0.0.0/v1", False), ("", False), ("http://[::1", False)],
)  # fmt: skip
def test_only_loopback_is_this_computer(url, local):
    assert Endpoint(url).local is local


def test_other_computers_are_allowed_by_name_and_port():
    servers = ("models.example", "lan:8000")
    assert Endpoint("https://models.example/v1").allowed(servers) and Endpoint("http://LAN:8000/v1").allowed(servers)
    assert not Endpoint("http://lan:9000/v1").allowed(servers) and not Endpoint("http://lan/v1").allowed(servers)
    assert Endpoint("http://127.0.0.1:1/v1").allowed(()) and not Endpoint("").allowed(servers)

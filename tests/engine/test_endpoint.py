"""Model servers: a real HTTP server of the protocol, and every way it can fail."""

import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ragtune_ui.domain.endpoints import Endpoint
from ragtune_ui.domain.errors import QuestionError, Stopped
from ragtune_ui.domain.examples import Message
from ragtune_ui.engine import endpoint
from ragtune_ui.engine.endpoint import EndpointSpeaker

ROOT = Path(__file__).resolve().parents[2]
PROMPTS = [[Message("system", "Be short."), Message("user", f"Say {n}.")] for n in range(6)]


def quiet(done, total, note):
    """Progress that nobody looks at."""


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        """Say nothing."""

    def send(self, status, body, kind="application/json", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.server.seen.append((self.path, None))
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "me"} for name in ("small", "big")]
        self.fail() or self.send(200, {"object": "list", "data": models})

    def do_POST(self):
        self.asked = asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, asked))
        self.server.keys.append(self.headers.get("Authorization"))
        if self.fail():
            return
        said = self.server.reply(asked["messages"][-1]["content"])
        message = {"role": "assistant", "content": said}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        self.send(200, {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]})

    def fail(self):
        status = self.server.status
        if status == 302:
            self.send(302, {}, Location="http://127.0.0.1:9/elsewhere")
        elif status == "page":
            self.send(200, b"<html>Hello</html>", "text/html")
        elif status == "slow":
            time.sleep(3)
            self.send(500, {})
        elif status:
            self.send(status, {"error": {"message": "no"}})
        return status


@contextmanager
def serving(status=None, reply=lambda text: f"<think>hm</think> {text}"):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.status, server.reply, server.seen, server.keys = status, reply, [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server, Endpoint(f"http://127.0.0.1:{server.server_port}/v1", "small")
    finally:
        server.shutdown()
        server.server_close()


def test_answers_come_in_order_without_the_thoughts():
    seen = []
    with serving() as (server, place):
        speaker = EndpointSpeaker(place, "secret")
        assert speaker.models() == ["big", "small"]
        said = speaker.answer(PROMPTS, "base", 24, lambda done, total, note: seen.append((done, total)))
        speaker.close()
    assert said == [f"Say {n}." for n in range(6)] and seen[-1] == (6, 6)
    asked = [body for _, body in server.seen if body]
    assert {a["model"] for a in asked} == {"small"} and {a["temperature"] for a in asked} == {0}
    assert asked[0]["messages"][0] == {"role": "system", "content": "Be short."}
    assert set(server.keys) == {"Bearer secret"}


def test_an_empty_answer_is_an_empty_text():
    with serving(reply=lambda text: None if text == "Say 0." else text) as (_, place):
        assert EndpointSpeaker(place).answer(PROMPTS[:2], "base", 9, quiet) == ["", "Say 1."]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "wants a valid key"),
        (404, "does not know this model"),
        (429, "slow down"),
        (400, "an error (400)"),
        (500, "an error (500)"),
        (302, "an error (302)"),
        ("page", "not a model server"),
        ("slow", "did not answer in time"),
    ],
)
def test_every_failure_is_a_sentence(status, said, monkeypatch):
    monkeypatch.setattr(endpoint, "SECONDS", 1.0)
    with serving(status) as (server, place), pytest.raises(QuestionError) as error:
        EndpointSpeaker(place, "sk-123").answer(PROMPTS[:1], "base", 9, quiet)
    assert said in str(error.value) and error.value.remedy
    assert not any("elsewhere" in path for path, _ in server.seen)


@pytest.mark.parametrize("status", [400, 401, 500])
def test_what_the_server_says_is_not_repeated(status, monkeypatch):
    """It may echo the passage and the key; details are kept in the project and can be copied."""

    def echo(handler):
        handler.send(status, {"error": {"message": f"Say 0. {handler.headers.get('Authorization')}"}})
        return True

    monkeypatch.setattr(Handler, "fail", echo)
    with serving() as (_, place), pytest.raises(QuestionError) as error:
        EndpointSpeaker(place, "sk-123").answer(PROMPTS[:1], "base", 9, quiet)
    told = f"{error.value} {error.value.remedy} {error.value.details}"
    assert "Say 0" not in told and "sk-123" not in told and f"HTTP {status}" in told


def test_one_refused_prompt_leaves_the_others(monkeypatch):
    def refuse(handler):
        if handler.asked["messages"][-1]["content"] == "Say 3.":
            handler.send(400, {})
            return True
        return False

    monkeypatch.setattr(Handler, "fail", refuse)
    with serving() as (_, place):
        said = EndpointSpeaker(place).answer(PROMPTS, "base", 9, quiet)
    assert [n for n, text in enumerate(said) if not text] == [3]


def test_thoughts_without_an_answer_are_said():
    with serving(reply=lambda text: "<think>well, well") as (_, place), pytest.raises(QuestionError, match="in words"):
        EndpointSpeaker(place).answer(PROMPTS, "base", 9, quiet)


def test_nobody_there_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = Endpoint(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "small")
    with pytest.raises(QuestionError, match="No model server answers"):
        EndpointSpeaker(place).models()


def test_the_environment_adds_neither_proxies_nor_headers(monkeypatch):
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    with serving() as (server, place):
        assert EndpointSpeaker(place).models() == ["big", "small"]
        assert EndpointSpeaker(place).answer(PROMPTS[:1], "base", 9, quiet) == ["Say 0."]
    assert server.keys == [None]


def slow(text):
    time.sleep(3)
    return text


def test_a_stop_sends_nothing_more_and_does_not_wait():
    def stop(done, total, note):
        time.sleep(0.3)
        raise Stopped("Stopped.")

    with serving(reply=slow) as (server, place):
        began = time.monotonic()
        with pytest.raises(Stopped):
            EndpointSpeaker(place).answer(PROMPTS, "base", 9, stop)
        assert time.monotonic() - began < 2
        time.sleep(3.5)
        assert len(server.seen) <= endpoint.AT_ONCE


def test_a_program_that_ends_sends_nothing_more():
    code = """
import threading, time
from ragtune_ui.domain.endpoints import Endpoint
from ragtune_ui.domain.examples import Message
from ragtune_ui.engine.endpoint import EndpointSpeaker
speaker = EndpointSpeaker(Endpoint("URL", "small"))
prompts = [[Message("user", str(n))] for n in range(20)]
ask = lambda: speaker.answer(prompts, "base", 9, lambda done, total, note: None)
threading.Thread(target=ask, daemon=True).start()
time.sleep(1)
"""
    with serving(reply=slow) as (server, place):
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", code.replace("URL", place.url)], check=True, timeout=60, cwd=ROOT)
        took = time.monotonic() - began
        time.sleep(4)
        assert 1 <= len(server.seen) <= endpoint.AT_ONCE and took < 30

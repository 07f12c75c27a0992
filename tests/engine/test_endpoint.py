"""Model servers: a real HTTP server of the protocol, and every way it can fail."""

import json
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ragtune_ui.domain.endpoints import Endpoint
from ragtune_ui.domain.errors import QuestionError, Stopped
from ragtune_ui.domain.examples import Message
from ragtune_ui.engine import endpoint
from ragtune_ui.engine.endpoint import EndpointSpeaker

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
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
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
        speaker = EndpointSpeaker(place, "secret", network=False)
        assert speaker.models() == ["big", "small"]
        said = speaker.answer(PROMPTS, "base", 24, lambda done, total, note: seen.append((done, total)))
        speaker.close()
    assert said == [f"Say {n}." for n in range(6)] and seen[-1] == (6, 6)
    asked = [body for _, body in server.seen if body]
    assert {a["model"] for a in asked} == {"small"} and {a["temperature"] for a in asked} == {0}
    assert asked[0]["messages"][0] == {"role": "system", "content": "Be short."}
    assert set(server.keys) == {"Bearer secret"}


def test_an_empty_answer_is_an_empty_text():
    with serving(reply=lambda text: None) as (_, place):
        assert EndpointSpeaker(place, "", False).answer(PROMPTS[:1], "base", 9, quiet) == [""]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "wants a valid key"),
        (404, "no model named “small”"),
        (429, "slow down"),
        (400, "an error (400)"),
        (500, "an error (500)"),
        (302, "an error (302)"),
        ("page", "not a model server"),
        ("slow", "did not answer in time"),
    ],
)
def test_every_failure_is_a_sentence(status, said, monkeypatch):
    monkeypatch.setattr(endpoint, "RETRIES", 0)
    monkeypatch.setattr(endpoint, "SECONDS", 1.0)
    with serving(status) as (server, place), pytest.raises(QuestionError) as error:
        EndpointSpeaker(place, "", False).answer(PROMPTS[:1], "base", 9, quiet)
    assert said in str(error.value) and error.value.remedy
    assert not any("elsewhere" in path for path, _ in server.seen)


def test_nobody_there_is_said(monkeypatch):
    monkeypatch.setattr(endpoint, "RETRIES", 0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = Endpoint(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "small")
    with pytest.raises(QuestionError, match="No model server answers"):
        EndpointSpeaker(place, "", False).models()


def test_another_computer_needs_the_network_to_be_allowed():
    with pytest.raises(QuestionError, match="not on this computer"):
        EndpointSpeaker(Endpoint("http://192.0.2.1/v1", "small"), "", network=False)
    EndpointSpeaker(Endpoint("http://192.0.2.1/v1", "small"), "", network=True).close()


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serving() as (_, place):
        assert EndpointSpeaker(place, "", False).models() == ["big", "small"]


def test_a_stop_does_not_wait_for_the_answers_under_way():
    def slow(text):
        time.sleep(5)
        return text

    def stop(done, total, note):
        raise Stopped("Stopped.")

    with serving(reply=slow) as (_, place):
        began = time.monotonic()
        with pytest.raises(Stopped):
            EndpointSpeaker(place, "", False).answer(PROMPTS, "base", 9, stop)
        assert time.monotonic() - began < 2

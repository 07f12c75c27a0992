"""The guard: who may ask, for what, and what every answer carries."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ragtune_ui.ui import guard
from ragtune_ui.ui.guard import Guard

PORT = 7860
HOME = f"127.0.0.1:{PORT}"
OWN = {"host": HOME, "origin": f"http://{HOME}"}


class Inside:
    """An app that answers 200 and remembers what reached it."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.body = b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])
        more = scope["method"] == "POST"
        while more:
            message = await receive()
            self.body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = [(b"content-type", b"text/html"), (b"X-Frame-Options", b"ALLOWALL")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"inside"})


class Asked:
    """One request through a guard."""

    def __init__(self, path: str = "/", method: str = "GET", headers: Any = None, body: tuple[bytes, ...] = (b"",),
                 query: str = "", **settings: Any) -> None:  # fmt: skip
        self.inside = Inside()
        wall = settings.pop("wall", None) or Guard(self.inside, port=PORT, **settings)
        given = {"host": HOME} if headers is None else headers
        pairs = given if isinstance(given, list) else [(k.encode(), v.encode()) for k, v in given.items()]
        scope = {"type": "http", "path": path, "method": method, "headers": pairs, "scheme": "http",
                 "query_string": query.encode()}  # fmt: skip
        parts = [{"type": "http.request", "body": b, "more_body": n < len(body) - 1} for n, b in enumerate(body)]
        sent: list[Any] = []

        async def receive() -> Any:
            return parts.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(wall(scope, receive, send))
        self.status = sent[0]["status"]
        self.headers = {k.decode().lower(): v.decode() for k, v in sent[0]["headers"]}
        self.names = [k.decode().lower() for k, _ in sent[0]["headers"]]
        self.text = b"".join(m.get("body", b"") for m in sent[1:]).decode("utf-8", "replace")


@pytest.mark.parametrize("host", [HOME, f"localhost:{PORT}", f"[::1]:{PORT}", f"LOCALHOST:{PORT}"])
def test_this_computers_names_are_let_in(host: str) -> None:
    assert Asked(headers={"host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"evil.example:{PORT}",
        "127.0.0.1",
        "127.0.0.1:80",
        f"localhost.:{PORT}",
        f"localhost.evil.example:{PORT}",
        f"user@127.0.0.1:{PORT}",
        f"127.1:{PORT}",
        f"0.0.0.0:{PORT}",
        f"[::]:{PORT}",
        f"192.168.1.5:{PORT}",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/queue/data", "/assets/index.js", "/ragtune/alive"])
def test_other_names_are_refused_everywhere(host: str, path: str) -> None:
    asked = Asked(path, headers={"host": host})
    assert asked.status == 403
    assert asked.inside.paths == []


def test_a_missing_or_doubled_host_is_refused() -> None:
    assert Asked(headers={"accept": "*/*"}).status == 403
    assert Asked(headers=[(b"host", HOME.encode()), (b"host", b"evil.example")]).status == 403


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost:9999",
        f"https://{HOME}",
        f"http://localhost:{PORT}",
        "http://127.0.0.1",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_our_own_window_may_ask(origin: str, method: str) -> None:
    asked = Asked("/gradio_api/upload", method, {"host": HOME, "origin": origin})
    assert asked.status == 403
    assert asked.inside.paths == []


def test_our_own_window_and_programs_without_a_browser_may_post() -> None:
    assert Asked("/gradio_api/run/predict", "POST", OWN, (b"{}",)).status == 200
    assert Asked("/gradio_api/run/predict", "POST", {"host": HOME}).status == 200
    assert Asked("/gradio_api/run/predict", "POST", {"host": HOME, "sec-fetch-site": "same-origin"}).status == 403


def test_other_sites_may_link_to_the_page_but_not_load_its_parts() -> None:
    cross = {"host": HOME, "sec-fetch-site": "cross-site"}
    assert Asked("/", headers={**cross, "sec-fetch-mode": "navigate"}).status == 200
    assert Asked("/config", headers={**cross, "sec-fetch-mode": "navigate"}).status == 403
    assert Asked("/", headers={**cross, "sec-fetch-mode": "no-cors"}).status == 403
    assert Asked("/config", headers={"host": HOME, "sec-fetch-site": "same-origin"}).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/runs",
        "/gradio_api/runs/",
        "//gradio_api//runs",
        "/gradio_api/run-history/records",
        "/gradio_api/run-history/connect",
        "/gradio_api/deep_link",
        "/monitoring",
        "/monitoring/summary",
        "/gradio_api/vibe-edit/",
        "/gradio_api/vibe-code",
        "/gradio_api/vibe-starter-queries",
        "/gradio_api/undo-vibe-edit",
        "/gradio_api/process_recording",
        "/gradio_api/profiling/traces",
        "/gradio_api/dev/reload",
        "/gradio_api/mcp/sse",
        "/gradio_api/proxy=http://198.51.100.7/x",
        "/gradio_api/file=http://198.51.100.7/x",
        "/gradio_api/file=HTTPS://198.51.100.7/x",
        "/gradio_api/file=//host/share",
        "/gradio_api/file=\\\\host\\share",
    ],
)
def test_routes_that_record_share_or_fetch_are_gone(path: str) -> None:
    asked = Asked(path)
    assert asked.status == 404
    assert asked.inside.paths == []


@pytest.mark.parametrize(
    "path", ["/", "/config", "/gradio_api/run/predict", "/gradio_api/file=/tmp/a.zip", "/theme.css"]
)
def test_routes_the_window_needs_stay(path: str) -> None:
    assert Asked(path).status == 200


def test_the_refused_routes_are_gradios_own_names() -> None:
    """Each word of the list still exists in Gradio: a renamed route would slip through unseen."""
    import gradio.routes

    written = Path(gradio.routes.__file__).read_text(encoding="utf-8")
    for word in (
        "/runs",
        "/run-history",
        "/deep_link",
        "/monitoring",
        "/vibe-",
        "/process_recording",
        "/proxy=",
        "/profiling",
    ):
        assert f'"{word}' in written or f"api{word}" in written, word


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {"host": HOME}),
        ("/", {"host": "evil"}),
        ("/gradio_api/runs", {"host": HOME}),
        ("/ragtune/alive", {"host": HOME}),
    ],
)
def test_every_answer_carries_the_headers_once(path: str, headers: dict[str, str]) -> None:
    asked = Asked(path, headers=headers)
    for name, value in guard.HEADERS:
        assert asked.headers[name.decode()] == value.decode()
        assert asked.names.count(name.decode()) == 1


def test_the_policy_names_no_host_but_ours() -> None:
    policy = dict(part.strip().split(" ", 1) for part in guard.POLICY.split(";"))
    for rule, sources in policy.items():
        assert set(sources.split()) <= {"'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"}, rule
    assert policy["default-src"] == "'self'"
    assert policy["object-src"] == policy["frame-ancestors"] == policy["frame-src"] == "'none'"
    assert "'unsafe-eval'" not in policy["default-src"]


def test_what_is_too_large_is_refused_before_and_while_it_comes() -> None:
    assert Asked("/gradio_api/upload", "POST", {**OWN, "content-length": "101"}, limit=100).status == 413
    assert Asked("/gradio_api/upload", "POST", {**OWN, "content-length": "-1"}, limit=100).status == 413
    unsaid = Asked("/gradio_api/upload", "POST", OWN, (b"x" * 60, b"x" * 60, b"x" * 60), limit=100)
    assert unsaid.status == 413
    assert len(unsaid.inside.body) == 60
    assert Asked("/gradio_api/upload", "POST", {**OWN, "content-length": "100"}, (b"x" * 100,), limit=100).status == 200


def test_with_a_token_nobody_comes_in_without_it() -> None:
    for path in (
        "/",
        "/config",
        "/gradio_api/run/predict",
        "/assets/index.js",
        "/ragtune/alive",
        "/ragtune/plotly.min.js",
    ):
        asked = Asked(path, token="secret-1")
        assert asked.status == 401
        assert asked.inside.paths == []
    assert Asked("/", query="token=wrong", token="secret-1").status == 401
    assert Asked("/config", query="token=secret-1", token="secret-1").status == 401
    assert Asked(headers={"host": HOME, "cookie": f"ragtune-{PORT}=wrong"}, token="secret-1").status == 401


def test_the_one_time_address_gives_the_cookie_and_leaves_the_address_bar() -> None:
    wall = Guard(Inside(), port=PORT, token="secret-1")
    first = Asked("/", query="token=secret-1", wall=wall)
    assert (first.status, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    headers = {"host": HOME, "cookie": f"a=b; {cookie.split(';')[0]}"}
    assert Asked("/config", headers=headers, wall=wall).status == 200
    assert Asked("/", query="token=secret-1", headers=headers, wall=wall).status == 200  # the back button


def test_the_one_time_address_works_once_and_its_token_is_not_the_cookie() -> None:
    wall = Guard(Inside(), port=PORT, token="secret-1")
    assert Asked("/", "HEAD", query="token=secret-1", wall=wall).status == 401  # a look ahead does not use it up
    first = Asked("/", query="token=secret-1", wall=wall)
    again = Asked("/", query="token=secret-1", wall=wall)
    assert (first.status, again.status) == (303, 410)
    assert "set-cookie" not in again.headers
    assert "start it again" in again.text
    assert "secret-1" not in first.headers["set-cookie"]
    by_token = {"host": HOME, "cookie": f"ragtune-{PORT}=secret-1"}
    assert Asked("/config", headers=by_token, wall=wall).status == 401
    assert Asked("/", query="token=wrong", wall=wall).status == 401


def test_gradios_question_to_itself_needs_no_cookie() -> None:
    assert Asked(guard.SELF_TEST, token="secret-1").status == 200
    assert Asked(guard.SELF_TEST, "POST", OWN, token="secret-1").status == 401


def test_alive_tells_one_start_from_the_next() -> None:
    wall = Guard(Inside(), port=PORT)
    assert Asked("/ragtune/alive", wall=wall).text == Asked("/ragtune/alive", wall=wall).text == wall.launch
    assert Guard(Inside(), port=PORT).launch != wall.launch


def test_the_chart_library_comes_from_its_package() -> None:
    import plotly

    asked = Asked("/ragtune/plotly.min.js")
    package = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    assert asked.text == package.read_text(encoding="utf-8", errors="replace")
    assert asked.headers["content-type"].startswith("text/javascript")
    assert asked.inside.paths == []


def test_web_sockets_are_closed_and_the_lifespan_passes() -> None:
    sent: list[Any] = []
    passed: list[str] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["type"])

    async def send(message: Any) -> None:
        sent.append(message)

    async def ask(kind: str) -> None:
        await Guard(inside, port=PORT)({"type": kind, "headers": []}, None, send)  # type: ignore[arg-type]

    asyncio.run(ask("websocket"))
    asyncio.run(ask("lifespan"))
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert passed == ["lifespan"]


def test_the_environment_is_scrubbed_and_set(tmp_path: Path) -> None:
    environ = {"GRADIO_SHARE": "true", "GRADIO_SERVER_NAME": "0.0.0.0", "gradio_ssr_mode": "1", "HOME": "/x",
               "NO_PROXY": "intranet", "http_proxy": "http://proxy:3128"}  # fmt: skip
    uploads = guard.environment(environ, tmp_path)
    assert {n for n in environ if n.upper().startswith("GRADIO_")} == {"GRADIO_ANALYTICS_ENABLED", "GRADIO_TEMP_DIR"}
    assert environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert environ["HF_HUB_OFFLINE"] == environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert environ["NO_PROXY"] == "intranet,127.0.0.1,localhost,::1"
    assert environ["HOME"] == "/x"
    assert environ["GRADIO_TEMP_DIR"] == str(uploads)
    assert uploads.parent == tmp_path
    if os.name == "posix":
        assert stat.S_IMODE(uploads.stat().st_mode) == 0o700
    assert guard.environment(dict(environ), tmp_path) != uploads


def test_preparing_the_environment_loads_neither_gradio_nor_torch() -> None:
    code = (
        "import os, sys; from ragtune_ui.ui import guard; guard.environment(os.environ); "
        "heavy = {'gradio', 'torch', 'plotly', 'starlette', 'huggingface_hub'}; "
        "print(sorted({m.split('.')[0] for m in sys.modules} & heavy))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_the_launch_settings_are_frozen(tmp_path: Path) -> None:
    import inspect

    import gradio as gr

    settings = guard.launch_settings(SimpleNamespace(home=tmp_path, file_limit=1000), PORT, "t")
    middleware = settings.pop("app_kwargs")["middleware"]
    assert settings == {
        "server_name": "127.0.0.1",
        "server_port": PORT,
        "share": False,
        "run_history": False,
        "enable_monitoring": False,
        "mcp_server": False,
        "ssr_mode": False,
        "pwa": False,
        "footer_links": [],
        "show_error": False,
        "quiet": True,
        "inbrowser": False,
        "allowed_paths": [],
        "blocked_paths": [str(tmp_path)],
        "max_file_size": 1000,
        "strict_cors": True,
    }
    assert [m.cls for m in middleware] == [Guard]
    assert middleware[0].kwargs == {"port": PORT, "token": "t", "limit": 10_000}
    assert set(settings) <= set(inspect.signature(gr.Blocks.launch).parameters)
    assert set(guard.queue_settings()) <= set(inspect.signature(gr.Blocks.queue).parameters)
    assert guard.queue_settings()["api_open"] is False
    assert guard.UMASK == 0o077


def test_every_route_of_a_real_gradio_app_refuses_another_site() -> None:
    import gradio as gr
    from gradio.routes import App
    from starlette.middleware import Middleware
    from starlette.testclient import TestClient

    with gr.Blocks(analytics_enabled=False) as blocks:
        gr.Button("x").click(lambda: None, queue=False)
    blocks.run_history = False
    app = App.create_app(blocks, app_kwargs={"middleware": [Middleware(Guard, port=PORT)]}, mcp_server=False)
    written = Path(gr.routes.__file__).read_text(encoding="utf-8")
    found = re.findall(r'@(app|router)\.post\(\s*f?"([^"]+)"', written)
    posts = sorted(
        {("/gradio_api" if owner == "router" else "") + re.sub(r"\{.*?\}", "x", path) for owner, path in found}
    )
    assert {"/login", "/gradio_api/upload", "/gradio_api/run/x", "/gradio_api/queue/join", "/gradio_api/cancel"} <= set(
        posts
    )
    client = TestClient(app, base_url=f"http://{HOME}")
    for path in posts:
        for origin in ("https://evil.example", "null", "http://localhost:9999"):
            for sent in ({"files": {"files": ("a.txt", b"x")}}, {"data": {"a": "b"}}, {"content": "{}"}):
                answer = client.post(path, headers={"origin": origin}, **sent)  # type: ignore[arg-type]
                assert answer.status_code in (403, 404), (path, origin)
    for origin in ("https://evil.example", "null", "http://localhost:9999"):
        assert client.get("/config", headers={"origin": origin}).status_code == 403
    assert client.get("/config", headers={"host": "evil.example"}).status_code == 403
    assert client.get("/config").status_code == 200
    assert client.get("/config").headers["content-security-policy"] == guard.POLICY
    for path in ("/gradio_api/runs", "/monitoring", "/gradio_api/vibe-code"):
        assert client.get(path).status_code == 404

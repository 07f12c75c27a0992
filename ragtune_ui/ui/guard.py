"""The guard: what stands before Gradio on every request, and the settings it is launched with.

Gradio alone accepts a foreign Host, uploads from other sites and sends no security header. The
part that prepares the environment must run before Gradio is imported, so nothing here imports it.
"""

from __future__ import annotations

import hmac
import importlib.util
import re
import secrets
import tempfile
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

UMASK = 0o077
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-src 'none'; frame-ancestors 'none'"
)  # 'unsafe-eval' because gr.HTML compiles its templates in the browser; no host but ours in any line
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
# Gradio features that keep inputs, show other people's calls, fetch URLs or write code.
REFUSED = re.compile(
    r"^/+(?:gradio_api/+)?(?:runs|run-history|deep_link|monitoring|vibe|undo-vibe|process_recording|profiling|dev/|mcp|"
    r"workflow|proxy=|file=(?:https?|ftp|//|\\\\))", re.IGNORECASE)  # fmt: skip
CLOSED = "Open RAGTune with the address that it printed when it started."
SPENT = (
    "This address has been used: it opens RAGTune once, in one browser. To come in with another browser, or if it was "
    "not you who used it, press Ctrl-C where RAGTune runs and start it again: it prints a new address. "
    "Your work is saved."
)
SELF_TEST = "/gradio_api/startup-events"  # Gradio asks itself for it at launch, without our cookie


def environment(environ: MutableMapping[str, str], folder: Path | None = None) -> Path:
    """Set what has to be set before Gradio is imported; returns the fresh, private folder for uploads.

    Inherited ``GRADIO_*`` settings could open the server to the network, so they are removed.
    ``folder`` is where the private folder is made (default: the system's temporary folder).
    """
    for name in [name for name in environ if name.upper().startswith("GRADIO_")]:
        del environ[name]
    uploads = Path(tempfile.mkdtemp(prefix="ragtune-", dir=folder))  # mkdtemp makes it 0700
    environ.update(
        GRADIO_ANALYTICS_ENABLED="False",
        GRADIO_TEMP_DIR=str(uploads),
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_OFFLINE="1",
        TOKENIZERS_PARALLELISM="false",
    )
    for name in ("NO_PROXY", "no_proxy"):  # Gradio asks its own address at launch; a proxy could not answer
        own = ["127.0.0.1", "localhost", "::1"]
        environ[name] = ",".join(dict.fromkeys([*filter(None, environ.get(name, "").split(",")), *own]))
    return uploads


def launch_settings(settings: Any, port: int, token: str = "") -> dict[str, Any]:
    """The frozen arguments of ``launch``: loopback only, nothing shared, nothing recorded, the guard in front.

    ``settings`` has ``home`` (never served) and ``file_limit`` (bytes of one upload).
    """
    from starlette.middleware import Middleware

    return {
        "server_name": "127.0.0.1",
        "server_port": port,
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
        "blocked_paths": [str(settings.home)],
        "max_file_size": settings.file_limit,
        "strict_cors": True,
        "app_kwargs": {"middleware": [Middleware(Guard, port=port, token=token, limit=10 * settings.file_limit)]},
    }


def queue_settings() -> dict[str, Any]:
    """The frozen arguments of ``queue``: a bounded line, and the API closed for direct calls."""
    return {"max_size": 64, "default_concurrency_limit": 4, "api_open": False}


class TooLarge(Exception):
    """The body of a request is longer than allowed."""


class Guard:
    """ASGI middleware: size, Host, route, Origin, token; then the app; then headers on every answer.

    A request without Origin passes only where it carries no ``Sec-Fetch-*`` either: then no browser
    sent it, and no web site can have caused it. ``token`` closes the port to other users of the computer: it lets
    one browser in, once, by a cookie of another value, so that who reads it later in a list of processes or in a
    browser's history has nothing.
    """

    def __init__(
        self, app: App, port: int, token: str = "", limit: int = 2_000_000_000, names: Iterable[str] = LOOPBACK
    ):
        self.app, self.port, self.token, self.limit = app, port, token, limit
        self.secret, self.spent = secrets.token_urlsafe(24), False  # the cookie's value; whether the token was used
        self.hosts = frozenset(f"{name}:{port}" for name in names)
        self.cookie = f"ragtune-{port}"
        self.launch = secrets.token_hex(8)  # tells an open window that the program was started again

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # Gradio speaks HTTP only
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http":
            await self.app(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        answer = _with_headers(send)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _text(answer, *refusal)
        elif self.token and not self._known(scope, headers):
            await self._admit(scope, answer)
        elif scope["path"] == "/ragtune/alive":
            await _text(answer, 200, self.launch)
        elif scope["path"] == "/ragtune/plotly.min.js":
            await _text(answer, 200, _plotly(), "text/javascript; charset=utf-8", b"private, max-age=86400")
        else:
            await self._pass(scope, receive, answer)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        size = headers.get("content-length", "0")
        hosts = [value for name, value in scope["headers"] if name.lower() == b"host"]
        if not size.isdigit() or int(size) > self.limit:
            return 413, "This is more than RAGTune takes in one go."
        if len(hosts) != 1 or headers["host"].lower() not in self.hosts:
            return 403, "RAGTune answers only to this computer's own address."
        if REFUSED.match(scope["path"]):
            return 404, "There is no such page."
        if not _same_origin(scope, headers):
            return 403, "RAGTune takes requests only from its own window."
        return None

    def _known(self, scope: Scope, headers: dict[str, str]) -> bool:
        if scope["path"] == SELF_TEST and scope["method"] in ("GET", "HEAD"):
            return True
        cookies = dict(part.strip().partition("=")[::2] for part in headers.get("cookie", "").split(";"))
        return hmac.compare_digest(cookies.get(self.cookie, "").encode(), self.secret.encode())

    async def _admit(self, scope: Scope, send: Send) -> None:
        """The one-time address sets the cookie and then leaves the address bar."""
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        right = scope["path"] == "/" and hmac.compare_digest(asked.encode(), self.token.encode())
        if not right or scope["method"] != "GET":
            await _text(send, 401, CLOSED)
        elif self.spent:
            await _text(send, 410, SPENT)
        else:
            self.spent = True
            cookie = f"{self.cookie}={self.secret}; HttpOnly; SameSite=Strict; Path=/"
            await _text(send, 303, "", extra=[(b"location", b"/"), (b"set-cookie", cookie.encode())])

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken, started = 0, False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.limit:
                raise TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, counted, noted)
        except TooLarge:
            if not started:
                await _text(send, 413, "This is more than RAGTune takes in one go.")


def _same_origin(scope: Scope, headers: dict[str, str]) -> bool:
    """False where another site asks. Gradio lets pages of any other local port read its answers, so a
    foreign Origin is refused for reading as well."""
    site, mode, origin = (headers.get(name, "") for name in ("sec-fetch-site", "sec-fetch-mode", "origin"))
    if "origin" in headers:
        return origin.lower() == f"{scope.get('scheme', 'http')}://{headers['host'].lower()}"
    if scope["method"] not in ("GET", "HEAD"):
        return not site
    # A link from elsewhere may open the page, not load parts of it.
    return site not in ("cross-site", "same-site") or (mode == "navigate" and scope["path"] == "/")


def _with_headers(send: Send) -> Send:
    ours = {name for name, _ in HEADERS}

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", []) if pair[0].lower() not in ours]
            message = {**message, "headers": [*kept, *HEADERS]}
        await send(message)

    return sent


async def _text(send: Send, status: int, body: str | bytes, kind: str = "text/plain; charset=utf-8",
                cache: bytes = b"no-store", extra: Iterable[tuple[bytes, bytes]] = ()) -> None:  # fmt: skip
    content = body.encode() if isinstance(body, str) else body
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", cache),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *extra]})
    await send({"type": "http.response.body", "body": content})


def _plotly() -> bytes:
    """The chart library out of its own package, so that nothing comes from the network."""
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:
        raise FileNotFoundError("plotly is not installed")
    return (Path(found.origin).parent / "package_data" / "plotly.min.js").read_bytes()

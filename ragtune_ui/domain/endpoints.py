"""Endpoints: model servers that speak the OpenAI protocol, and which of them may be asked."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from ragtune_ui.domain.errors import QuestionError

EXAMPLE = "http://127.0.0.1:11434/v1"  # where Ollama listens
AGAIN = f"Write it like {EXAMPLE}."
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")


@dataclass(frozen=True)
class Endpoint:
    """A model on a server (Ollama, LM Studio, llama.cpp, vLLM...); ``url`` "" is none."""

    url: str = ""
    model: str = ""

    @property
    def host(self) -> str:
        """Host and port, as ``models.example:8000``."""
        try:
            return urlsplit(self.url).netloc.lower()
        except ValueError:
            return ""

    @property
    def local(self) -> bool:
        """True where the server itself runs on this computer; what it does with a passage is its own."""
        try:
            return _loopback(urlsplit(self.url).hostname or "")
        except ValueError:
            return False

    def allowed(self, servers: Collection[str]) -> bool:
        """True for a server on this computer, and for the others that whoever started RAGTune named."""
        return self.local or self.host in servers


def address(said: str) -> str:
    """What a person wrote as the address of a server, in full: ``http`` on this computer, else ``https`` where
    no scheme is named, and ``/v1`` where no path is.

    Raises:
        QuestionError: it is not the address of a web server, or it holds a password.
    """
    said = said.strip()
    parts = _parts(said if "://" in said else f"http://{said}")
    host = (parts.hostname or "").lower()
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise QuestionError("An address must not hold a name, a password or a key.", AGAIN)
    scheme = parts.scheme if "://" in said or _loopback(host) else "https"
    name = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port is not None else ""
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{scheme}://{name}{port}{path or '/v1'}"


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, good = (parts.hostname or "").lower(), parts.port != 0
        good = good and parts.scheme in ("http", "https") and bool(_NAME.fullmatch(host) or ipaddress.ip_address(host))
        good = good and not re.search(r"[^!-~]|\][^:]", parts.netloc) and not re.search(r"[^!-~]", parts.path)
    except ValueError:
        good = False
    if not good:
        raise QuestionError("That is not the address of a model server.", AGAIN)
    return parts


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

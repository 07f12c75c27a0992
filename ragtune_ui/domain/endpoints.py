"""Endpoints: model servers that speak the OpenAI protocol, and whether one is this computer."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from ragtune_ui.domain.errors import QuestionError

EXAMPLE = "http://127.0.0.1:11434/v1"  # where Ollama listens


@dataclass(frozen=True)
class Endpoint:
    """A model on a server (Ollama, LM Studio, llama.cpp, vLLM or a hosted one); ``url`` "" is none."""

    url: str = ""
    model: str = ""

    @property
    def local(self) -> bool:
        """True where what is sent stays on this computer."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def address(said: str) -> str:
    """What a person wrote as the address of a server, in full: scheme, host, and ``/v1`` where no path is named.

    Raises:
        QuestionError: it is not the address of a web server, or it holds a password.
    """
    said = said.strip()
    said = said if "://" in said else f"http://{said}"
    again = f"Write it like {EXAMPLE}."
    try:
        parts = urlsplit(said)
        port = parts.port
    except ValueError as error:
        raise QuestionError("That is not the address of a model server.", again) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise QuestionError("That is not the address of a model server.", again)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise QuestionError(
            "An address must not hold a name, a password or a key.",
            f"{again} A key is read from RAGTUNE_ENDPOINT_KEY when the program starts.",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}"

"""The command line: what may be asked for, and a port to answer on."""

from __future__ import annotations

import argparse
import os
import socket
from pathlib import Path

from ragtune_ui.domain.errors import RagtuneError

FIRST_PORT, PORTS = 7860, 40


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python app.py", description="Tune a language model to read your documents.")
    top.add_argument("--home", help="folder of your projects (default: ~/RAGTune, or RAGTUNE_HOME)")
    top.add_argument("--port", type=int, default=FIRST_PORT, help="first port to try (default: %(default)s)")
    top.add_argument("--no-browser", action="store_true", help="do not open the browser")
    top.add_argument("--shared", action="store_true", help="others use this computer too: open by a one-time address")
    run = top.add_subparsers(dest="command").add_parser("run", help="from documents to a verdict, without a window")
    run.add_argument("--documents", type=Path, required=True, help="folder with your documents")
    run.add_argument("--questions", type=Path, help="CSV, JSONL or Excel: question, answer, source, split")
    run.add_argument("--preset", default="Balanced", help="Balanced, Specialist, Assistant or 'DAP then RAFT'")
    run.add_argument("--model", default="built-in", help="built-in, a folder, or a hub id")
    run.add_argument("--home", default=argparse.SUPPRESS, help="folder of your projects")
    run.add_argument("--report", type=Path, help="write the figures to this JSON file")
    return top


def free_port(first: int) -> int:
    """The first free port from ``first`` on. Raises RagtuneError where forty are taken."""
    for port in range(first, first + PORTS):
        with socket.socket() as probe:
            if os.name != "nt":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RagtuneError(f"The ports {first} to {first + PORTS - 1} are all taken.", "Choose another with --port.")

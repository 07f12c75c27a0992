"""RAGTune's front door: settings -> engines -> Studio -> window, or the same way without a window.

    python app.py                         opens the window on this computer
    python app.py run --documents DIR     walks from documents to a verdict in the terminal
"""

from __future__ import annotations

import argparse
import functools
import os
import secrets
import socket
import sys
import webbrowser
from pathlib import Path

from filelock import FileLock, Timeout

from ragtune_ui.domain.errors import RagtuneError
from ragtune_ui.domain.ports import Engines
from ragtune_ui.settings import Settings
from ragtune_ui.store.projects import Home
from ragtune_ui.studio.jobs import python_module
from ragtune_ui.studio.studio import Studio
from ragtune_ui.studio.walk import Order, run_command
from ragtune_ui.ui import guard

FIRST_PORT, PORTS = 7860, 40


def engines(settings: Settings) -> Engines:
    """Which doer fills which port. Their libraries load when a desk first needs one."""
    from ragtune_ui.engine import catalog, chunker, embedder, exporter, reader, searcher, speaker, writer

    @functools.cache
    def search_model() -> embedder.AnyEmbedder:
        return embedder.embedder_from(settings.embedder, settings.network)

    return Engines(
        reader=lambda: reader.DocumentReader(settings.file_limit),
        chunker=lambda: chunker.PassageChunker(search_model().tokenizer_file),
        searcher=lambda folder: searcher.LanceSearcher(folder, search_model()),
        writer=writer.PatternWriter,
        catalog=lambda: catalog.ModelCatalog(settings, folders=lambda: Home(settings.home).model_folders()),
        speaker=speaker.ModelSpeaker,
        worker=lambda run: python_module("ragtune_ui.worker", str(run)),
        exporter=exporter.ModelExporter,
    )


def open_window(studio: Studio, arguments: argparse.Namespace) -> int:
    """Serve the window until Ctrl-C; returns the exit code."""
    port = free_port(arguments.port)
    if port != arguments.port:
        print(f"Port {arguments.port} is taken by another program, so RAGTune uses {port}.")
    token = secrets.token_urlsafe(24) if arguments.shared else ""
    address = f"http://127.0.0.1:{port}/" + (f"?token={token}" if token else "")
    studio.recover()
    from ragtune_ui.ui.shell import build_app, look

    app = build_app(studio)
    app.queue(**guard.queue_settings())
    app.launch(prevent_thread_lock=True, **look(), **guard.launch_settings(studio.settings, port, token))
    print(f"RAGTune is open at {address}\nYour projects are in {studio.settings.home}. Press Ctrl-C to close.", flush=True)
    if not arguments.no_browser:
        webbrowser.open(address)
    app.block_thread()
    return 0


def free_port(first: int) -> int:
    """The first free port from ``first`` on. Raises RagtuneError where forty are taken."""
    for port in range(first, first + PORTS):
        with socket.socket() as probe:
            if os.name != "nt":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RagtuneError(f"The ports {first} to {first + PORTS - 1} are all taken.", "Choose another with --port.")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python app.py", description="Tune a language model to read your documents.")
    top.add_argument("--home", help="folder of your projects (default: ~/RAGTune, or RAGTUNE_HOME)")
    top.add_argument("--port", type=int, default=FIRST_PORT, help="first port to try (default: %(default)s)")
    top.add_argument("--no-browser", action="store_true", help="do not open the browser")
    top.add_argument("--shared", action="store_true", help="other people use this computer: ask for a one-time address")
    run = top.add_subparsers(dest="command").add_parser("run", help="from documents to a verdict, without a window")
    run.add_argument("--documents", type=Path, required=True, help="folder with your documents")
    run.add_argument("--questions", type=Path, help="CSV, JSONL or Excel with question, answer, source, split, answerable")
    run.add_argument("--preset", default="Balanced", help="Balanced, Specialist, Assistant or 'DAP then RAFT'")
    run.add_argument("--model", default="built-in", help="built-in, a folder, or a hub id")
    run.add_argument("--home", default=argparse.SUPPRESS, help="folder of your projects")
    run.add_argument("--report", type=Path, help="write the figures to this JSON file")
    return top


def main() -> int:
    """Start; returns the exit code."""
    arguments = parser().parse_args()
    os.umask(guard.UMASK)
    settings = Settings.from_env(os.environ, arguments.home)
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        with FileLock(settings.home / ".running", timeout=0):
            guard.environment(os.environ)
            studio = Studio(settings, engines(settings))
            if arguments.command == "run":
                given = {k: getattr(arguments, k) for k in ("documents", "questions", "preset", "model", "report")}
                return run_command(studio, Order(**given))
            return open_window(studio, arguments)
    except Timeout:
        print(f"RAGTune is already running on {settings.home}. Use its window, or name another folder with --home.")
    except RagtuneError as error:
        print(error.sentence, file=sys.stderr)
    except OSError as error:
        print(f"The folder {settings.home} cannot be used: {error.strerror}. Name another with --home.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

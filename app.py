"""RAGTune's front door: settings -> engines -> Studio -> window, or the same way without a window.

``python app.py`` opens the window on this computer; ``python app.py run --documents DIR`` walks
from documents to a verdict in the terminal.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import webbrowser

from filelock import FileLock, Timeout

from ragtune_ui import command_line
from ragtune_ui.domain.errors import RagtuneError
from ragtune_ui.domain.ports import Engines
from ragtune_ui.settings import Settings
from ragtune_ui.store.projects import Home
from ragtune_ui.studio.jobs import python_module
from ragtune_ui.studio.studio import Studio
from ragtune_ui.studio.walk import Order, run_command
from ragtune_ui.ui import guard


def engines(settings: Settings) -> Engines:
    """Which doer fills which port. Their libraries load when a desk first needs one."""
    from ragtune_ui.engine import catalog, endpoint, exporter, reader, searching, speaker, writer

    search = searching.Searching(settings)
    return Engines(
        reader=lambda: reader.DocumentReader(settings.file_limit),
        chunker=search.chunker,
        searcher=search.searcher,
        writer=writer.QuestionWriter,
        catalog=lambda: catalog.ModelCatalog(settings, folders=lambda: Home(settings.home).model_folders()),
        speaker=speaker.ModelSpeaker,
        server=lambda place: endpoint.EndpointSpeaker(
            place, settings.endpoint_key if place.host in settings.servers else ""
        ),
        worker=lambda run: python_module("ragtune_ui.worker", str(run)),
        exporter=exporter.ModelExporter,
    )


def open_window(studio: Studio, arguments: argparse.Namespace) -> int:
    """Serve the window until Ctrl-C; returns the exit code."""
    port = command_line.free_port(arguments.port)
    if port != arguments.port:
        print(f"Port {arguments.port} is taken by another program, so RAGTune uses {port}.")
    token = secrets.token_urlsafe(24) if arguments.shared else ""
    address = f"http://127.0.0.1:{port}/" + (f"?token={token}" if token else "")
    studio.recover()
    from ragtune_ui.ui.shell import build_app, look

    app = build_app(studio)
    app.queue(**guard.queue_settings())
    app.launch(prevent_thread_lock=True, **look(), **guard.launch_settings(studio.settings, port, token))
    if token:
        print(f"Open this address in your browser; it works once:\n{address}")
    else:
        print(f"RAGTune is open at {address}")
    print(f"Your projects are in {studio.settings.home}. Press Ctrl-C to close.", flush=True)
    # A browser is started with the address on its command line, which every user of the computer can read.
    if not (arguments.no_browser or token):
        webbrowser.open(address)
    app.block_thread()
    return 0


def main() -> int:
    """Start; returns the exit code."""
    arguments = command_line.parser().parse_args()
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
        print(
            f"The folder {settings.home} cannot be used: {error.strerror}. Name another with --home.", file=sys.stderr
        )
    return 1


if __name__ == "__main__":
    sys.exit(main())

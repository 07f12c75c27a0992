"""The front door: what it says when it cannot do what was asked, and how it chooses a port."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

import app
from ragtune_ui import command_line
from ragtune_ui.settings import Settings
from ragtune_ui.studio.studio import Studio
from ragtune_ui.ui import shell

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "app.py"), *arguments, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert command_line.free_port(port) != port
    assert command_line.free_port(port) == port


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--documents", "no-such-folder"), "There is no folder"),
        (("run", "--documents", str(ROOT / "presets")), "holds no file that RAGTune reads"),
        (("run", "--documents", str(ROOT / "docs"), "--preset", "Wizard"), "no preset called 'Wizard'"),
    ],
)
def test_what_cannot_be_done_is_said_and_the_exit_code_is_1(tmp_path: Path, arguments: tuple[str, ...], words: str):
    said = run(*arguments, home=tmp_path / "home")
    assert said.returncode == 1
    assert words in said.stderr
    assert "Traceback" not in said.stderr


def test_a_model_folder_without_weights_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.md").write_text("# A\n\nThe ramp carries 12 t.", encoding="utf-8")
    (tmp_path / "model").mkdir()
    places = ("--documents", str(tmp_path / "documents"), "--model", str(tmp_path / "model"))
    said = run("run", *places, home=tmp_path / "h")
    assert said.returncode == 1
    assert "Traceback" not in said.stderr
    assert "model" in said.stderr.lower()


def test_a_second_program_on_the_same_folder_stops_with_a_sentence(tmp_path: Path) -> None:
    with FileLock(tmp_path / ".running"):
        said = run("--no-browser", home=tmp_path)
    assert said.returncode == 1
    assert "already running" in said.stdout


def test_a_home_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("", encoding="utf-8")
    said = run("--no-browser", home=tmp_path / "home")
    assert said.returncode == 1
    assert "cannot be used" in said.stderr


class Served:
    """A window that is launched without a server."""

    def queue(self, **_: object) -> None:
        pass

    launch = queue

    def block_thread(self) -> None:
        pass


@pytest.mark.parametrize(
    ("arguments", "opened"),
    [((), True), (("--no-browser",), False), (("--shared",), False)],
    ids=("", "quiet", "shared"),
)
def test_the_address_of_a_shared_computer_is_printed_and_never_handed_to_a_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments, opened: bool
) -> None:
    """What a browser is started with stands in the list of processes, for every user of the computer."""
    handed: list[str] = []
    monkeypatch.setattr(app.webbrowser, "open", handed.append)
    monkeypatch.setattr(shell, "build_app", lambda studio: Served())
    settings = Settings.from_env({}, str(tmp_path))
    assert app.open_window(Studio(settings, app.engines(settings)), command_line.parser().parse_args(arguments)) == 0
    said = capsys.readouterr().out
    assert bool(handed) is opened
    assert ("?token=" in said and "works once" in said) is ("--shared" in arguments)
    assert "http://127.0.0.1:" in said
    assert all("token" not in address for address in handed)

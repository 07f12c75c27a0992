"""The whole way as a person goes it: the real program, the real models, a real browser.

Six clicks from the empty home to a verdict; a reload in mid-training; the worker killed and the
run continued; the program killed and started again. No request leaves this computer.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next((p for p in ("chromium", "chromium-browser", "google-chrome") if shutil.which(p)), None)
WEIGHTS = ROOT / "assets" / "models" / "reader" / "model.safetensors"
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--no-first-run", "--disable-gpu"]  # fmt: skip
PAGES = ("Start", "Documents", "Passages", "Questions", "Mix", "Train", "Compare", "Verdict", "Take away")
MINUTE = 60_000  # milliseconds

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed on this computer"),
    pytest.mark.skipif(not WEIGHTS.exists(), reason="the built-in reader's weights are not in this copy"),
]


class Program:
    """``python app.py`` on a home of its own."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.home = home
        self.address = f"http://127.0.0.1:{self.port}/"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it; the seconds until its page answers."""
        began = time.monotonic()
        command = [sys.executable, str(ROOT / "app.py"), "--no-browser"]
        command += ["--home", str(self.home), "--port", str(self.port)]
        with (self.home.parent / "app.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.home.parent, stdout=log, stderr=log)
        while time.monotonic() - began < 120:
            try:
                urllib.request.urlopen(self.address, timeout=5).read()
                return time.monotonic() - began
            except OSError:
                assert self.process.poll() is None, self.log()
                time.sleep(0.1)
        raise AssertionError(f"The page did not come up.\n{self.log()}")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def log(self) -> str:
        return (self.home.parent / "app.log").read_text(encoding="utf-8", errors="replace")[-3000:]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    home = tmp_path_factory.mktemp("journey") / "home"
    home.mkdir()
    running = Program(home)
    running.start()
    yield running
    running.kill()
    for lock in home.glob("*/runs/*/events.jsonl"):  # a worker outlives the program on purpose
        (lock.parent / "stop").touch()


@pytest.fixture(scope="module")
def page(program: Program) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which(CHROMIUM or ""), args=FLAGS)
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(30_000)
        page.set_default_navigation_timeout(60_000)
        page.seen_errors, page.left = [], []
        page.on("pageerror", lambda error: page.seen_errors.append(str(error)))
        page.on("console", lambda said: page.seen_errors.append(said.text) if said.type == "error" else None)
        page.on("requestfinished", lambda request: left(page, request.url, program))
        page.goto(program.address)
        page.get_by_role("navigation", name="Project steps").wait_for()
        yield page
        browser.close()


def left(page: Any, url: str, program: Program) -> None:
    """Remember a request that went anywhere but to this program."""
    found = urlparse(url)
    if found.scheme in ("http", "https", "ws", "wss") and found.netloc != f"127.0.0.1:{program.port}":
        page.left.append(url)


def go(page: Any, title: str) -> None:
    page.locator("#rail-steps button", has_text=title).first.click()
    page.locator(f"h1:visible:has-text('{HEADS.get(title, title)}')").first.wait_for()


HEADS = {"Passages": "assages", "Mix": "mix", "Compare": "Compare"}


def rail(page: Any, words: str, timeout: int = 30_000) -> None:
    """Wait until the rail says ``words``."""
    page.wait_for_function("w => document.querySelector('#rail')?.innerText.includes(w)", arg=words, timeout=timeout)


def come_back(page: Any, address: str) -> None:
    """Open the page once the program runs again. The page may do so by itself at that very moment, which ends the
    browser's own try; then the second one stands."""
    from playwright.sync_api import Error

    try:
        page.goto(address)
    except Error as error:
        if "interrupted by another navigation" not in str(error):
            raise
        page.wait_for_load_state()
        page.goto(address)


def runs(program: Program) -> list[Path]:
    return sorted(program.home.glob("*/runs/run-*"))


def steps_in(run: Path) -> int:
    text = (run / "events.jsonl").read_text(encoding="utf-8") if (run / "events.jsonl").exists() else ""
    return text.count('"step", {')


def wait_for(condition: Any, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"timed out: {what}"
        time.sleep(0.3)


def worker_of(run: Path) -> int:
    started = re.findall(r'"started", \{"pid": (\d+)', (run / "events.jsonl").read_text(encoding="utf-8"))
    return int(started[-1])


def test_the_sample_in_six_clicks_with_every_accident_on_the_way(page: Any, program: Program) -> None:
    clicks = 0

    def click(target: Any) -> None:
        nonlocal clicks
        clicks += 1
        target.click()

    click(page.get_by_role("button", name="Try the sample"))
    rail(page, "205 of 205 checked", 5 * MINUTE)
    click(page.locator("#rail-steps button", has_text="Train").first)
    start = page.locator("#train-start")
    start.wait_for()
    page.wait_for_function("() => { const b = document.querySelector('#train-start'); return b && !b.disabled; }")
    click(start)
    wait_for(lambda: runs(program) and steps_in(runs(program)[0]) >= 3, 600, "the first steps")
    run = runs(program)[0]

    # A reload shows the same run, still moving.
    page.reload()
    page.get_by_role("navigation", name="Project steps").wait_for()
    go(page, "Train")
    page.wait_for_function("() => document.querySelector('#train-chart .js-plotly-plot')?.data?.[0]?.x?.length >= 3")
    before = steps_in(run)
    wait_for(lambda: steps_in(run) > before, 120, "steps after the reload")

    # The worker is killed: the page says so and goes on from the last saved point.
    wait_for(lambda: any((run / "checkpoints").glob("step-*")), 600, "a saved point")
    os.kill(worker_of(run), signal.SIGKILL)
    rail(page, "Interrupted", MINUTE)
    resume = page.get_by_role("button", name=re.compile("Continue from"))
    resume.first.wait_for()
    resume.first.click()
    wait_for(lambda: '"resumed"' in (run / "events.jsonl").read_text(encoding="utf-8"), 120, "the resumed run")

    # The program is killed and started again: nothing is lost, the worker went on.
    program.kill()
    seen = steps_in(run)
    wait_for(lambda: steps_in(run) > seen, 120, "the worker without the program")
    seconds = program.start()
    assert seconds < 60
    come_back(page, program.address)
    rail(page, "205 of 205 checked", MINUTE)
    rail(page, "Finished", 15 * MINUTE)

    click(page.locator("#rail-steps button", has_text="Verdict").first)
    measure = page.locator("#verdict-go")
    measure.wait_for()
    click(measure)
    page.locator(".verdict-banner").wait_for(timeout=10 * MINUTE)
    assert clicks <= 6
    banner = page.locator(".verdict-banner").inner_text()
    assert "held-back" in page.locator("body").inner_text()
    verdict = json.loads(next(program.home.glob("*/verdicts/*.json")).read_text(encoding="utf-8"))
    assert verdict["headline"] in banner
    assert verdict["n"] == 60
    assert set(verdict["cells"]) == {"base", "base_rag", "tuned", "tuned_rag"}


def test_both_answers_stream_over_the_same_passages(page: Any) -> None:
    go(page, "Compare")
    page.locator("#chat-q textarea").fill("Which tug takes the ferry to the slipway?")
    page.locator("#chat-send").click()
    for pane in ("#chat-base", "#chat-tuned"):
        page.locator(f"{pane} .bubble.model").first.wait_for(timeout=2 * MINUTE)
        page.wait_for_function("p => document.querySelector(p).innerText.includes('words/s')", arg=pane, timeout=MINUTE)
    assert page.locator("#chat-src").inner_text().count("[1]") == 1


def test_the_model_is_taken_away_and_repeats_its_answers(page: Any, program: Program) -> None:
    go(page, "Take away")
    page.locator("#share-go").click()
    wait_for(lambda: list(program.home.glob("*/exports/run-*.zip")), 300, "the zip")
    page.wait_for_function("() => /same \\d of 5/i.test(document.body.innerText)", timeout=MINUTE)
    report = json.loads(next(program.home.glob("*/exports/run-*.json")).read_text(encoding="utf-8"))
    assert (report["same"], report["of"]) == (5, 5)


@pytest.mark.parametrize("size", [(1440, 900), (1024, 768)], ids=lambda s: str(s[0]))
def test_nine_pages_fit_the_window_in_both_themes(page: Any, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    pictures = os.environ.get("RAGTUNE_PICTURES")
    for theme in ("light", "dark"):
        if (theme == "dark") != page.evaluate("() => document.body.classList.contains('dark')"):
            page.get_by_role("button", name="Light / dark").click()
        for title in PAGES:
            go(page, title)
            page.wait_for_timeout(700)  # the page looks at the disk once it is open
            wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{title} scrolls sideways by {wide} px"
            if pictures:
                name = f"{PAGES.index(title)}-{title.lower().replace(' ', '-')}-{theme}-{size[0]}.png"
                page.screenshot(path=str(Path(pictures) / name), full_page=True)


def test_nothing_left_this_computer_and_nothing_broke(page: Any) -> None:
    assert page.left == []
    harmless = ("Failed to fetch", "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "net::ERR", "NetworkError")
    assert [e for e in page.seen_errors if not any(h in e for h in harmless)] == []

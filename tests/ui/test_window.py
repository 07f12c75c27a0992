"""The window in a browser, as a person meets it: navigation, reload, chart, dialog, keys, a dead server."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
STEPS = ["home", "docs", "find", "ask", "mix", "train", "chat", "verdict", "share"]


class Server:
    """The small window in a process of its own; or, by another ``name``, one of those that ``window.py`` serves."""

    def __init__(self, name: str = "small") -> None:
        self.name = name
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "tests.ui.window", str(self.port), self.name])
        until = time.monotonic() + 120
        while time.monotonic() < until:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}ragtune/alive", timeout=5):
                return
            assert self.process.poll() is None, "the window did not start"
            time.sleep(0.2)
        raise AssertionError("the window did not answer")

    def kill(self) -> None:
        self.process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        self.process.wait()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield made
        made.close()


class Window:
    """A page that fails its test on any console error, page error or answer from elsewhere."""

    def __init__(
        self, browser: Any, server: Server, width: int = 1440, height: int = 900, scheme: str = "light"
    ) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
        )
        self.context.set_default_timeout(60_000)
        self.server, self.trouble = server, list[str]()
        self.page = self.tab()

    def tab(self) -> Any:
        page = self.context.new_page()
        page.on("console", lambda m: self.trouble.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: self.trouble.append(str(e)))
        page.on("response", self.answered)
        page.goto(self.server.url)
        page.wait_for_selector("#rail .step", state="attached")
        return page

    def answered(self, response: Any) -> None:
        if not response.url.startswith((self.server.url, "data:", "blob:")):
            self.trouble.append(f"answer from {response.url}")
        elif response.status >= 400:
            self.trouble.append(f"{response.status} {response.url}")
        elif response.url.startswith("http") and "content-security-policy" not in response.headers:
            self.trouble.append(f"no policy on {response.url}")

    def begin(self) -> Window:
        if self.server.name == "small":
            self.page.click("#home-continue")
        else:
            self.page.select_option("#project-pick", label="Harbour")
        self.page.wait_for_selector("#rail .step.done", state="attached")
        return self

    def go(self, key: str) -> None:
        self.page.click(f"#rail [data-go={key}]")
        self.page.wait_for_selector(f"#page-{key} h1")

    @property
    def current(self) -> list[str]:
        return self.page.eval_on_selector_all("#rail [aria-current]", "e => e.map(x => x.dataset.go)")


@pytest.fixture
def window(browser: Any, server: Server) -> Iterator[Window]:
    made = Window(browser, server)
    yield made
    made.context.close()
    assert made.trouble == []


def test_the_pages_open_one_after_the_other(window: Window) -> None:
    window.begin()
    window.page.wait_for_selector("#page-docs h1")
    window.page.wait_for_function("document.activeElement.tagName === 'H1'")
    for key in STEPS:
        window.go(key)
        assert window.current == [key]
        assert window.page.locator("h1:visible").count() == 1
    for digit, key in enumerate(STEPS):
        window.page.keyboard.press(f"Alt+{digit}")
        window.page.wait_for_selector(f"#page-{key} h1")
    assert window.page.get_by_role("navigation", name="Project steps").get_by_role("button").count() == 9


def test_the_current_page_is_right_after_twenty_quick_clicks_in_a_running_job(window: Window) -> None:
    window.begin().go("train")
    window.page.click("#train-start")
    window.page.wait_for_selector("#rail .job.running")
    dice = random.Random(1)
    for _ in range(20):
        key = dice.choice(STEPS)
        window.page.click(f"#rail [data-go={key}]")
        assert window.current == [key]
    window.page.wait_for_selector(f"#page-{key} h1")
    before = window.page.inner_text("#rail .job")
    window.page.wait_for_function("text => document.querySelector('#rail .job').innerText !== text", arg=before)
    assert window.current == [key]
    assert window.page.is_visible(f"#page-{key} h1")
    window.page.click("#rail .job [data-do=stop]")
    window.page.wait_for_selector("#rail .job:not(.running)")


def test_the_chart_keeps_zoom_nodes_height_and_scroll_while_it_grows(window: Window) -> None:
    window.begin().go("train")
    window.page.wait_for_selector("#train-chart .chart-words:has-text('first points')")
    window.page.click("#train-start")
    window.page.wait_for_selector("#train-chart .scatterlayer .trace", state="attached")
    window.page.evaluate(
        """() => { window.plot = document.querySelector('#train-chart .plot');
        window.drawing = document.querySelector('#train-chart .main-svg'); window.scrollTo(0, 90);
        return Plotly.relayout(plot, {'xaxis.range[0]': 1, 'xaxis.range[1]': 3}); }"""
    )
    before = window.page.evaluate("[plot.offsetHeight, scrollY, plot.data[0].x.length]")
    assert before[:2] == [320, 90]
    window.page.wait_for_function("n => plot.data[0].x.length >= n + 10", arg=before[2])
    kept = """plot.layout.xaxis.range.join() === '1,3' && plot === document.querySelector('#train-chart .plot')
        && drawing === document.querySelector('#train-chart .main-svg')"""
    assert window.page.evaluate(kept)
    assert window.page.evaluate("[plot.offsetHeight, scrollY]") == before[:2]
    light = window.page.evaluate("plot.data[0].line.color")
    window.page.click("[data-theme-switch]")
    window.page.wait_for_function("colour => plot.data[0].line.color !== colour", arg=light)
    assert window.page.evaluate("plot.data[0].line.color") == "#5C9DF5"


def test_a_reload_and_a_second_browser_show_the_same(window: Window, browser: Any, server: Server) -> None:
    window.begin().go("train")
    window.page.click("#train-start")
    window.page.wait_for_selector("#rail .job.running")
    window.page.click("[data-theme-switch]")
    window.page.reload()
    window.page.wait_for_selector("#page-train h1")
    window.page.wait_for_selector("#train-chart .scatterlayer .trace", state="attached")
    assert window.page.evaluate("document.body.classList.contains('dark')")
    assert window.page.eval_on_selector("#project-pick", "e => e.value") == "crane-1"
    other = Window(browser, server).begin()
    other.page.wait_for_selector("#rail .job.running")
    other.context.close()
    assert other.trouble == []


def test_a_dialog_traps_the_focus_and_its_answer_arrives(window: Window) -> None:
    window.begin().go("train")
    window.page.click("#train-start")
    window.page.wait_for_selector("#rail .job.running")
    window.page.click("#train-stop")
    window.page.wait_for_selector("dialog[open]")
    for _ in range(4):
        assert window.page.evaluate(
            "!document.activeElement.closest('#pages') || !!document.activeElement.closest('dialog')"
        )
        window.page.keyboard.press("Tab")
    window.page.keyboard.press("Escape")
    window.page.wait_for_selector("dialog[open]", state="detached")
    assert window.page.is_visible("#rail .job.running")
    window.page.click("#train-stop")
    window.page.click("dialog[open] [data-choice=keep]")
    window.page.wait_for_selector("#rail .job:not(.running)")


def test_errors_stand_on_the_page_and_go_away_and_hostile_text_stays_text(window: Window) -> None:
    page = window.page
    window.go("find")
    page.click("#find-go")
    page.wait_for_selector("#page-find .note.error:has-text('No project is open')")
    page.click("#page-find .note.error [data-go=home]")
    page.wait_for_selector("#home-continue")
    window.begin().go("find")
    page.keyboard.press("/")
    assert page.evaluate("!!document.activeElement.closest('#find-q')")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".hit")
    before = page.inner_text("#find-pill")
    page.click(".hit [data-do=yes]")
    page.wait_for_function("text => document.querySelector('#find-pill').innerText !== text", arg=before)
    page.fill("#find-q textarea", "")
    page.click("#find-go")
    page.wait_for_selector("#page-find .note.error:has-text('The question is empty')")
    assert page.is_visible(".hit")
    page.fill("#find-q textarea", "wind")
    page.click("#find-go")
    page.wait_for_selector("#page-find .note.error", state="detached")
    page.select_option("#project-pick", "bad-2")
    page.wait_for_selector("#rail .step-line:has-text('onerror')", state="attached")
    assert page.evaluate("window.hit === undefined")
    assert page.locator("#pages img, #rail img").count() == 0


def test_an_answer_streams_cites_and_fails_in_place(window: Window) -> None:
    page = window.page
    window.begin().go("chat")
    page.fill("#chat-q textarea", "wind?")
    page.click("#chat-send")
    page.wait_for_selector("#chat-answer:has-text('word word word word word')")
    page.click("#chat-answer .cite")
    assert page.eval_on_selector_all("#chat-src .lit", "e => e.map(x => x.dataset.source)") == ["2"]
    for question, said in (("missing", "The model files are not here."), ("bug", "did not expect")):
        page.fill("#chat-q textarea", question)
        page.click("#chat-send")
        page.wait_for_selector(f"#page-chat .note.error:has-text('{said}')")
    assert "canary-detail" not in page.inner_text("#page-chat .note.error > div > p")


def test_help_lists_the_keys_and_single_keys_can_be_turned_off(window: Window) -> None:
    page = window.page
    page.keyboard.press("?")
    page.wait_for_selector("dialog.help[open]")
    page.uncheck("#single-keys")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("dialog.help[open]").count() == 0
    page.reload()
    page.wait_for_selector("#rail .step")
    page.click("[data-help]")
    page.wait_for_selector("dialog.help[open]")
    assert not page.is_checked("#single-keys")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (720, 900), (512, 700)])
def test_nothing_scrolls_sideways(browser: Any, server: Server, width: int, height: int, scheme: str) -> None:
    window = Window(browser, server, width, height, scheme).begin()
    for key in ("find", "train", "chat"):
        window.page.keyboard.press(f"Alt+{STEPS.index(key)}")
        window.page.wait_for_selector(f"#page-{key} h1")
        if key == "find":
            window.page.click("#find-go")
            window.page.wait_for_selector(".hit")
        assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        clipped = "e => e.filter(x => x.offsetParent && x.scrollWidth > x.clientWidth + 1).map(x => x.className)"
        assert window.page.eval_on_selector_all(".card, .tile, .note, .step, .btn", clipped) == []
    dark = window.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 28)"
    assert dark is (scheme == "dark")
    assert window.page.is_visible("#rail .step >> nth=0") is (width > 768)
    if width <= 768:
        window.page.click("[data-rail]")
        window.page.click("#rail [data-go=mix]")
        window.page.wait_for_selector("#page-mix h1")
        assert not window.page.is_visible("#rail .step >> nth=0")
    window.context.close()
    assert window.trouble == []


def test_four_windows_load(window: Window) -> None:
    more = [window.tab() for _ in range(3)]
    assert all(page.is_visible("#page-home h1") for page in more)


def test_a_dead_server_is_told_and_a_new_one_is_found(browser: Any, server: Server) -> None:
    window = Window(browser, server).begin()
    window.go("find")
    server.kill()
    said = "RAGTune has stopped. Start it again with python app.py; your work is saved."
    window.page.wait_for_selector(f"#gone:has-text('{said}')", timeout=20_000)
    server.start()
    window.page.wait_for_selector("#gone", state="detached")
    window.page.wait_for_selector("#rail .step.done")
    window.page.wait_for_selector("#page-find h1")
    assert window.page.eval_on_selector("#project-pick", "e => e.value") == "crane-1"
    window.context.close()


def test_the_window_never_loaded_torch(server: Server) -> None:
    maps = f"/proc/{server.process.pid}/maps"
    if not os.path.exists(maps):  # noqa: PTH110
        pytest.skip("this system does not list the libraries of a process")
    with open(maps, encoding="utf-8") as listed:  # noqa: PTH123
        assert "libtorch" not in listed.read()

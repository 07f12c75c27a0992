"""Checking questions as a person does it in a browser: keys where they belong, and no written word lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.ui.test_window import Server, Window, browser, pytestmark  # noqa: F401

LONG = "Ten tonnes, with the hook, the chains and the spreader, as the plate beside the ladder says."


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server("questions")
    yield made
    made.kill()


@pytest.fixture
def window(browser: Any, server: Server) -> Iterator[Window]:  # noqa: F811
    made = Window(browser, server, 1280, 600).begin()
    made.page.keyboard.press("Alt+3")
    made.page.wait_for_selector("#q-list .item[aria-current]")
    yield made
    made.context.close()
    assert made.trouble == []


def current(page: Any) -> int:
    """The number of the open row in the list."""
    return page.eval_on_selector_all("#q-list .item", "rows => rows.findIndex(r => r.hasAttribute('aria-current'))")


def opened(page: Any, number: int) -> None:
    """Wait until a row is open, with the text of its question in the field."""
    page.wait_for_function(
        """n => { const row = document.querySelectorAll('#q-list .item')[n];
        return row.hasAttribute('aria-current') &&
          row.querySelector('.item-title').innerText === document.querySelector('#q-question textarea').value; }""",
        arg=number,
    )


def quiet(page: Any, number: int) -> None:
    """The same row stays open: whatever a key began would have come back by now."""
    page.wait_for_timeout(1200)
    assert current(page) == number


def test_up_and_down_step_through_questions_at_the_list_and_scroll_elsewhere(window: Window) -> None:
    page = window.page
    page.wait_for_function("document.activeElement.tagName === 'H1'")
    page.evaluate("scrollTo(0, 0)")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("scrollY > 0")
    quiet(page, 0)
    page.click("#q-list .item >> nth=2")
    opened(page, 2)
    before = page.evaluate("scrollY")
    for number in (3, 4):
        page.keyboard.press("ArrowDown")
        opened(page, number)
        page.wait_for_function("document.activeElement.hasAttribute('aria-current')")  # the focus goes along
    page.keyboard.press("ArrowUp")
    opened(page, 3)
    assert page.evaluate("scrollY") == before
    page.click("#q-evidence .text")  # plain text of the pane: the focus falls back to the page
    assert page.evaluate("document.activeElement === document.body")
    page.keyboard.press("ArrowDown")
    opened(page, 4)
    page.focus("#q-approve")
    page.keyboard.press("ArrowUp")
    page.focus("#q-answer textarea")
    page.keyboard.press("ArrowUp")
    quiet(page, 4)


@pytest.mark.parametrize("control", ["#ask-show input:checked", "#q-approve", "#ask-writing button"])
def test_up_and_down_belong_to_the_control_that_has_the_focus(window: Window, control: str) -> None:
    page = window.page
    page.click("#q-list .item >> nth=1")
    opened(page, 1)
    page.evaluate(
        "document.addEventListener('keydown', (e) => setTimeout(() => { window.ours = e.defaultPrevented; }))"
    )
    page.focus(control)
    for key in ("ArrowDown", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
        page.wait_for_function("window.ours === false")
    quiet(page, 1)


def test_a_change_survives_other_questions_and_says_so(window: Window) -> None:
    page = window.page
    page.click("#q-list .item >> nth=0")
    opened(page, 0)
    was = page.input_value("#q-answer textarea")
    page.fill("#q-answer textarea", LONG)
    page.wait_for_selector("#q-unsaved:has-text('Your change is not approved yet.')")
    page.click("#q-list .item >> nth=1")
    opened(page, 1)
    assert page.input_value("#q-answer textarea") not in (LONG, was)
    page.wait_for_selector("#q-unsaved:has-text('1 other change is not approved yet.')")
    page.click("#q-up")
    opened(page, 0)
    assert page.input_value("#q-answer textarea") == LONG
    page.click("#q-down")
    opened(page, 1)
    page.click("#q-unsaved [data-do=open]")
    opened(page, 0)
    assert page.input_value("#q-answer textarea") == LONG
    page.click("#q-unsaved [data-do=drop]")
    page.wait_for_function("was => document.querySelector('#q-answer textarea').value === was", arg=was)
    page.wait_for_selector("#q-unsaved [data-do]", state="detached")
    page.fill("#q-answer textarea", LONG)
    page.click("#q-approve")
    opened(page, 1)
    page.click("#q-list .item >> nth=0")
    opened(page, 0)
    assert page.input_value("#q-answer textarea") == LONG
    page.wait_for_selector("#q-list .item[aria-current] .pill:has-text('mended')")


def test_who_decides_by_key_goes_on_by_key(window: Window) -> None:
    page = window.page
    page.click("#q-list .item >> nth=5")
    opened(page, 5)
    page.keyboard.press("Alt+0")
    page.wait_for_selector("#page-home h1")
    page.keyboard.press("Alt+3")
    page.wait_for_selector("#page-ask h1")
    page.wait_for_function("document.activeElement.tagName === 'H1' && document.activeElement.closest('#page-ask')")
    page.keyboard.press("r")
    opened(page, 6)
    page.keyboard.press("ArrowDown")
    opened(page, 7)
    page.keyboard.press("u")
    opened(page, 5)
    window.go("ask")  # by the rail, which keeps the focus
    page.keyboard.press("ArrowDown")
    quiet(page, 5)
    page.keyboard.press("r")
    opened(page, 6)
    page.keyboard.press("ArrowDown")
    opened(page, 7)

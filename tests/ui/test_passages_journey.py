"""The Passages page as a person uses it: find, preview, mend, find it again here and in the chat, take it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.ui.test_journey import MINUTE, Program, go, page, program, pytestmark  # noqa: F401

RULES = """# Wind

Lifting stops when the wind reaches 14 m/s at the mast head. The foreman decides alone.

# Grease

Grease the slewing ring every 250 hours and write it into the green book of the crane.
"""
ASKED = "At what wind must lifting stop?"


def find(page: Any, words: str) -> None:  # noqa: F811
    """Ask, and wait until a hit holds ``words``."""
    page.fill("#find-q textarea, #find-q input", ASKED)
    page.click("#find-go")
    page.locator("#find-results .hit", has_text=words).first.wait_for(timeout=2 * MINUTE)


def test_a_mended_passage_is_found_again_here_and_in_the_chat(
    page: Any, program: Program, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    (tmp_path / "crane.md").write_text(RULES)
    page.locator("#home-name textarea:visible, #home-name input:visible").first.fill("Crane")
    page.locator("#home-create").click()
    go(page, "Documents")
    page.fill("#docs-folder textarea, #docs-folder input", str(tmp_path))
    page.click("#docs-folder-add")
    page.locator("#rail", has_text="finished").wait_for(timeout=3 * MINUTE)
    go(page, "Passages")
    find(page, "14 m/s")
    page.locator("#find-results .hit").first.get_by_role("button", name="This answers it").click()
    page.locator("#page-find", has_text="1 question tests the search").wait_for()
    page.locator("#find-how button").first.click()
    page.locator("#find-size input[type=number]").fill("60")
    page.locator("#find-preview .bands li").first.wait_for()
    page.locator("#find-results .hit").first.get_by_role("button", name="Mend the text").click()
    words = page.locator("#find-mend-text textarea")
    words.wait_for()
    words.fill(words.input_value().replace("14 m/s", "11 m/s"))
    page.click("#find-mend-keep")
    page.locator("#find-mends", has_text="reworded").wait_for(timeout=MINUTE)
    page.locator("#rail", has_text="Mending a passage: finished").wait_for(timeout=2 * MINUTE)
    find(page, "11 m/s")
    assert "14 m/s" not in page.inner_text("#find-results")
    go(page, "Compare")
    page.fill("#chat-q textarea, #chat-q input", ASKED)
    page.click("#chat-send")
    page.locator("#chat-src", has_text="11 m/s").wait_for(timeout=3 * MINUTE)
    go(page, "Passages")
    page.locator("#find-mends button", has_text="Undo").click()
    page.wait_for_function("document.querySelector('#find-mends').innerText.trim() === ''", timeout=MINUTE)
    assert page.seen_errors == [] and page.left == []

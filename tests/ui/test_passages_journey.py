"""The reading desk as a person uses it: files of many kinds in, the awkward ones named; find, preview, mend a passage,
find it again here and in the chat, take it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.engine.makers import pptx, xlsx
from tests.engine.test_awkward import PARAGRAPH, lined, locked, scan, word
from tests.ui.test_journey import MINUTE, Program, go, page, program, pytestmark  # noqa: F401

RULES = """# Wind

Lifting stops when the wind reaches 14 m/s at the mast head. The foreman decides alone.

# Grease

Grease the slewing ring every 250 hours and write it into the green book of the crane.
"""
FILES = {
    "crane.md": RULES.encode(),
    "copy of crane.md": RULES.encode(),
    "rota.csv": b"Day;Guard\nMonday;Ada Strake\nTuesday;Ivo Pell\n",
    "stock.xlsx": xlsx({"Stock": [["Part", "Bin"], ["GA-3", 14]]}),
    "plan.pptx": pptx([("Haul-out", ["The hull is painted every spring."], "Ask the mate.")]),
    "notes.docx": word(PARAGRAPH),
    "manual.pdf": lined("The winch of the ferry carries 690 volts and stands below the wheelhouse."),
    "scan.pdf": scan(),
    "locked.pdf": locked(),
}
ASKED = "At what wind must lifting stop?"


def find(page: Any, words: str) -> None:  # noqa: F811
    """Ask, and wait until a hit holds ``words``."""
    page.fill("#find-q textarea, #find-q input", ASKED)
    page.click("#find-go")
    page.locator("#find-results .hit", has_text=words).first.wait_for(timeout=2 * MINUTE)


def test_a_mended_passage_is_found_again_here_and_in_the_chat(
    page: Any, program: Program, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    page.locator("#home-name textarea:visible, #home-name input:visible").first.fill("Crane")
    page.locator("#home-create").click()
    go(page, "Documents")
    page.set_input_files("#docs-upload input[type=file]", [str(tmp_path / name) for name in FILES])
    page.locator("#rail", has_text="finished").wait_for(timeout=3 * MINUTE)
    for name, said in (("scan.pdf", "picture"), ("locked.pdf", "password")):
        row = page.locator("#docs-table tr", has_text=name)
        row.wait_for()
        assert said in row.inner_text().lower()
    page.locator("#page-docs", has_text="already here").wait_for()
    ready = page.locator("#docs-table tr", has_text="ready")
    assert ready.count() == 6, page.inner_text("#docs-table")
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

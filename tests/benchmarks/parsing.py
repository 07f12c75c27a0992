"""How fast and how fully PDFs are read: ``python tests/benchmarks/parsing.py [--markitdown PYTHON]``.

Makes a PDF of 200 pages of text (headings, paragraphs, a header and a footer on each page), reads it through the
product's reader and its child process, and with markitdown in an environment of its own (``pip install
'markitdown[pdf]'``), whose Python PYTHON is. Both are measured from outside: CPU seconds and peak memory as the system
counts them. What the same takes for a PDF of one page is taken off both, so that neither the start of a process nor the
loading of a library counts. Words are compared with headers and footers kept, because markitdown keeps them.
Prints a table and, last, one line of JSON:

    vs_markitdown   pages per CPU-second, ours over markitdown's (null without --markitdown)
    rss_mib         peak memory of our child process
    words_kept      share of markitdown's words that we have (null without --markitdown)
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from ragtune_ui.engine.reader import DocumentReader  # noqa: E402

PAGES = 200
RUNS = 5
_WORDS = """
    the of and a to in is that it was for on are with as they at be this from have or by one had not but what all
    were when we there can an your which their said if do will each about how up out them then she many some so
    these would other into has more her two like him see time could no make than first been its who now people my
    made over did down only way find use may water long little very after words called just where most know
"""
_PLAIN = _WORDS.split()
_MARKITDOWN = """
import sys
from markitdown import MarkItDown
open(sys.argv[2], "w", encoding="utf-8").write(MarkItDown().convert(sys.argv[1]).text_content)
"""


def make(file: Path, pages: int, seed: int = 7) -> None:
    """A PDF of text pages: a chapter heading, a section heading and five paragraphs on each."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

    rng, styles = random.Random(seed), getSampleStyleSheet()

    def words(number: int) -> str:
        return " ".join(rng.choice(_PLAIN) for _ in range(number))

    def frame(canvas, document) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(72, 810, "Staff handbook, third edition")
        canvas.drawString(280, 30, f"Page {document.page}")

    story = []
    for number in range(1, pages + 1):
        story.append(Paragraph(f"Chapter {number}: {words(4)}", styles["Heading1"]))
        for part in range(5):
            if part == 2:
                story.append(Paragraph(f"About {words(5)}", styles["Heading2"]))
            story.append(Paragraph(f"{words(rng.randint(90, 120)).capitalize()}.", styles["BodyText"]))
        story.append(PageBreak())
    SimpleDocTemplate(str(file), pagesize=A4).build(story, onFirstPage=frame, onLaterPages=frame)


def spent() -> float:
    """CPU seconds of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def read(file: Path, keep_repeated: bool) -> tuple[str, float]:
    """The text as the product reads it, and the CPU seconds of the child process, its start included."""
    before, reader = spent(), DocumentReader()
    try:
        parsed = reader.read(file, "pdf", keep_repeated=keep_repeated)
    finally:
        reader.close()
    return parsed.text, spent() - before


def markitdown(python: str, file: Path, folder: Path) -> tuple[str, float]:
    """The same with markitdown."""
    before, target = spent(), folder / "markitdown.txt"
    subprocess.run([python, "-c", _MARKITDOWN, str(file), str(target)], check=True, capture_output=True)
    return target.read_text(encoding="utf-8"), spent() - before


def words_of(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text))


def _say(who: str, pages: int, seconds: float, start: float) -> None:
    pace, whole = (pages - 1) / (seconds - start), pages / seconds
    print(
        f"{who:10}  {pace:7.1f} pages per CPU-second ({whole:.1f} with its start of {start:.2f} s), {seconds:.2f} CPU s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markitdown", metavar="PYTHON", help="the Python of an environment that has markitdown")
    parser.add_argument("--pages", type=int, default=PAGES)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        file, short = folder / "handbook.pdf", folder / "short.pdf"
        make(file, args.pages)
        make(short, 1)
        starts = [read(short, keep_repeated=False)[1] for _ in range(RUNS)]
        runs = [read(file, keep_repeated=False)[1] for _ in range(RUNS)]
        rss = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
        ours, start = statistics.median(runs), statistics.median(starts)
        kept_text, _ = read(file, keep_repeated=True)
        figures: dict[str, float | None] = {"vs_markitdown": None, "rss_mib": round(rss, 1), "words_kept": None}
        print(f"{args.pages} pages, {words_of(kept_text).total():,} words, {file.stat().st_size / 1024:.0f} KB")
        _say("ours", args.pages, ours, start)
        print(f"            runs {', '.join(f'{s:.2f}' for s in runs)} s; peak memory {rss:.0f} MiB")
        if args.markitdown:
            text, theirs = markitdown(args.markitdown, file, folder)
            their_start = markitdown(args.markitdown, short, folder)[1]
            wanted, have = words_of(text), words_of(kept_text)
            figures["vs_markitdown"] = round((theirs - their_start) / (ours - start), 1)
            figures["words_kept"] = round((wanted & have).total() / wanted.total(), 4)
            _say("markitdown", args.pages, theirs, their_start)
        else:
            print("markitdown was not measured: name its Python with --markitdown.")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

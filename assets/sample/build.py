"""Render sources/*.md of the sample project into documents/, or check questions.jsonl against them.

Building needs reportlab and python-docx, and building twice gives the same bytes. The built files
are kept in the tree, so only somebody who edits a source needs to build. --check needs pypdfium2.
"""

import argparse
import datetime
import html
import io
import json
import re
import sys
import zipfile
from collections import Counter
from pathlib import Path

KINDS = ("factoid", "definition", "procedure", "reason", "number", "list")
HERE = Path(__file__).resolve().parent
SOURCES, DOCUMENTS = HERE / "sources", HERE / "documents"
FORMATS = {
    "crossing-company": "md",
    "fog-and-wind-rules": "md",
    "battery-house": "md",
    "tide-house": "md",
    "drive-winch": "pdf",
    "heronjack-hydraulics": "pdf",
    "winter-haul-out": "pdf",
    "guide-cables": "docx",
    "boarding-ramps": "docx",
    "wheelhouse-desk": "docx",
    "heronjack-crane": "html",
    "drills-and-rescue": "html",
}
WANTED = {
    ("train", True): 100,
    ("train", False): 20,
    ("dev", True): 20,
    ("dev", False): 5,
    ("test", True): 40,
    ("test", False): 20,
}
OWNER, FIXED = "The Orrelmouth Crossing Company", datetime.datetime(2024, 1, 1)


def blocks(text):
    """Yield (kind, value) for the small part of Markdown that the sources use."""
    for part in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in part.splitlines()]
        if lines[0].startswith("<!--"):
            yield "break", None
        elif lines[0].startswith("#"):
            marks, heading = lines[0].split(" ", 1)
            yield f"h{len(marks)}", heading
        elif lines[0].startswith("|"):
            rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
            yield "table", [rows[0], *rows[2:]]
        elif lines[0].startswith("- "):
            yield "ul", [line[2:] for line in lines]
        elif re.match(r"\d+\. ", lines[0]):
            yield "ol", [line.split(". ", 1)[1] for line in lines]
        else:
            yield "p", " ".join(lines)


def as_html(parts):
    title, out = parts[0][1], []
    for kind, value in parts:
        if kind in ("h1", "h2", "p"):
            out.append(f"<{kind}>{html.escape(value, quote=False)}</{kind}>")
        elif kind in ("ul", "ol"):
            out += [f"<{kind}>", *(f"<li>{html.escape(v, quote=False)}</li>" for v in value), f"</{kind}>"]
        elif kind == "table":
            tags = ["th"] + ["td"] * (len(value) - 1)
            rows = ["".join(f"<{t}>{html.escape(c)}</{t}>" for c in row) for t, row in zip(tags, value, strict=True)]
            out += ["<table>", *(f"<tr>{row}</tr>" for row in rows), "</table>"]
    body, links = "\n".join(out), '<a href="#top">Home</a> <a href="#top">Machines</a> <a href="#top">Forms</a>'
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)} | Works library</title></head><body>
<nav>{links} <a href="#top">Log out</a></nav>
<main id="top">
{body}
</main>
<footer><p>Works library. A printed copy may be out of date.</p></footer></body></html>
""".encode()


def as_pdf(parts):
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A5
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table

    plain = ParagraphStyle(
        "p",
        fontName="Times-Roman",
        fontSize=10.5,
        leading=14,
        spaceAfter=7,
        hyphenationLang="",
        embeddedHyphenation=0,
        splitLongWords=0,
    )
    styles = {
        "p": plain,
        "h1": ParagraphStyle("h1", plain, fontName="Helvetica-Bold", fontSize=18, leading=22, spaceAfter=12),
        "h2": ParagraphStyle("h2", plain, fontName="Helvetica-Bold", fontSize=13, leading=17, spaceBefore=8),
    }
    title, story, buffer = parts[0][1], [], io.BytesIO()
    for kind, value in parts:
        if kind == "break" or kind in styles:
            story.append(PageBreak() if kind == "break" else Paragraph(html.escape(value, quote=False), styles[kind]))
        elif kind == "table":
            cells = [[Paragraph(html.escape(c, quote=False), plain) for c in row] for row in value]
            style = [("GRID", (0, 0), (-1, -1), 0.5, colors.grey), ("VALIGN", (0, 0), (-1, -1), "TOP")]
            story += [Spacer(1, 4), Table(cells, style=style, repeatRows=1), Spacer(1, 8)]
        else:
            marks = [f"{n}." if kind == "ol" else "\u2022" for n in range(1, len(value) + 1)]
            story += [Paragraph(f"{m} {html.escape(v, quote=False)}", plain) for m, v in zip(marks, value, strict=True)]

    def footer(canvas, doc):
        canvas.setFont("Helvetica", 8)
        canvas.drawCentredString(A5[0] / 2, 24, f"{title} - page {doc.page}")

    pdf = SimpleDocTemplate(
        buffer,
        pagesize=A5,
        leftMargin=42,
        rightMargin=42,
        topMargin=44,
        bottomMargin=48,
        title=title,
        author=OWNER,
        invariant=1,
        allowSplitting=0,
    )
    pdf.build(story, onFirstPage=footer, onLaterPages=footer)
    return buffer.getvalue()


def as_docx(parts):
    import docx

    document = docx.Document()
    props = document.core_properties
    props.title, props.author, props.last_modified_by, props.comments = parts[0][1], OWNER, OWNER, ""
    props.created = props.modified = FIXED
    for kind, value in parts:
        if kind in ("h1", "h2", "p"):
            document.add_paragraph(value, {"h1": "Heading 1", "h2": "Heading 2", "p": "Normal"}[kind])
        elif kind in ("ul", "ol"):
            for item in value:
                document.add_paragraph(item, "List Bullet" if kind == "ul" else "List Number")
        elif kind == "table":
            table = document.add_table(len(value), len(value[0]), "Table Grid")
            for row, texts in zip(table.rows, value, strict=True):
                for cell, text in zip(row.cells, texts, strict=True):
                    cell.text = text
    first, second = io.BytesIO(), io.BytesIO()
    document.save(first)
    with zipfile.ZipFile(first) as old, zipfile.ZipFile(second, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name, FIXED.timetuple()[:6]), old.read(name), zipfile.ZIP_DEFLATED)
    return second.getvalue()


def build():
    render = {"html": as_html, "pdf": as_pdf, "docx": as_docx}
    DOCUMENTS.mkdir(exist_ok=True)
    for stem, ext in FORMATS.items():
        data = (SOURCES / f"{stem}.md").read_bytes()
        data = data if ext == "md" else render[ext](list(blocks(data.decode("utf-8"))))
        (DOCUMENTS / f"{stem}.{ext}").write_bytes(data)
        print(f"{stem}.{ext}: {len(data)} bytes")


def squash(text):
    return " ".join(text.split())


def built_text(path):
    """The text a reader of this built document would get, whitespace-normalised."""
    if path.suffix == ".pdf":
        import pypdfium2

        return squash(" ".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(path)))
    if path.suffix == ".docx":
        xml = zipfile.ZipFile(path).read("word/document.xml").decode("utf-8").replace("</w:p>", " ")
        return squash(html.unescape(re.sub(r"<[^>]+>", "", xml)))
    text = path.read_text("utf-8")
    return squash(html.unescape(re.sub(r"<[^>]+>", " ", text)) if path.suffix == ".html" else text)


def check():
    """Return the list of faults in questions.jsonl, each a plain sentence."""
    rows = [json.loads(line) for line in (HERE / "questions.jsonl").read_text("utf-8").splitlines()]
    held = set(json.loads((HERE / "sample.json").read_text("utf-8"))["held_back_documents"])
    source = {f"{s}.{e}": squash((SOURCES / f"{s}.md").read_text("utf-8")) for s, e in FORMATS.items()}
    built = {name: built_text(DOCUMENTS / name) for name in source}
    counts = Counter((r["split"], r["answerable"]) for r in rows)
    faults = [] if counts == WANTED else [f"The counts are {dict(counts)}, not {WANTED}."]
    for field in ("id", "question", "evidence"):
        values = Counter(r[field] for r in rows if r[field])
        faults += [f"The {field} {v!r} occurs {n} times." for v, n in values.items() if n > 1]
    for r in rows:
        if not r["answerable"]:
            filled = [field for field in ("answer", "evidence", "source") if r[field]]
            faults += [f"{r['id']}: it is unanswerable but its {field} is filled." for field in filled]
            continue
        evidence, answer = squash(r["evidence"]), r["answer"].lower()
        leak = re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", r["question"].lower())
        tests = {
            "the kind is unknown": r["kind"] not in KINDS,
            "the evidence is not in the source": evidence not in source[r["source"]],
            "the evidence is not in the built document": evidence not in built[r["source"]],
            "the answer is not in the evidence": not answer or answer not in evidence.lower(),
            "the question gives the answer away": leak,
            "the answer is longer than 14 words": len(answer.split()) > 14,
            "held-back and other documents are mixed": (r["split"] == "test") != (r["source"] in held),
        }
        faults += [f"{r['id']}: {why}." for why, wrong in tests.items() if wrong]
    print("Counts: " + ", ".join(f"{s} {'answerable' if a else 'unanswerable'} {n}" for (s, a), n in counts.items()))
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="check the questions instead of building")
    args = parser.parse_args()
    try:
        faults = check() if args.check else build()
    except ImportError as error:
        sys.exit(f"The Python package {error.name} is missing; install reportlab, python-docx and pypdfium2.")
    if faults:
        sys.exit("\n".join(faults))
    print("The sample is in order." if args.check else "Built 12 documents.")


if __name__ == "__main__":
    main()

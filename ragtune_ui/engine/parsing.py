"""The child process that reads files: one JSON request a line in, one JSON reply a line out.

It runs with limits on memory, processor time, open files and written bytes, so that a hostile
file ends this process and never the program. ``reader.DocumentReader`` starts and replaces it.
A request says what to ``do``: "read", "unpack" (a ZIP or e-mail), "picture" (of a PDF page) or
"recognise" (the text on a scanned page).
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

from ragtune_ui.engine.formats import parse
from ragtune_ui.engine.reading.found import Problem, damaged

MEMORY = 4 * 1024**3  # bytes of address space; the parsers map much more than they use
PROCESSOR_SECONDS = 60  # for one request
OPEN_FILES = 64
LARGE = 1024**2  # bytes of a reply after which memory is tidied up
WRITTEN_BYTES = 256 * 1024**2  # of one file taken out of an archive


def reply_to(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to one request, or the problem in words; "last": this process has to be replaced."""
    try:
        return _answer(request, Path(request["file"]))
    except Problem as problem:
        return {"status": problem.status, "happened": problem.happened, "remedy": problem.remedy,
                "pages": problem.pages}  # fmt: skip
    except (MemoryError, RecursionError) as error:
        return {"status": "unreadable", "happened": "Reading it took more memory than is allowed.",
                "remedy": "Split it into smaller files.", "details": type(error).__name__, "last": True}  # fmt: skip
    except Exception as error:  # a parser's own failure is one file's failure, with its trace for the folded part
        problem = damaged()
        return {"status": problem.status, "happened": problem.happened, "remedy": problem.remedy,
                "details": type(error).__name__, "last": True}  # fmt: skip


def _answer(request: dict[str, Any], file: Path) -> dict[str, Any]:
    do = request["do"]
    if do == "unpack":
        from ragtune_ui.engine.reading.archives import Unpacker

        unpacker = Unpacker(Path(request["to"]), request["limit"])
        if request["kind"] == "mail":
            unpacker.attachments(file.read_bytes())
        else:
            unpacker.archive(file)
        return {"files": unpacker.files, "left_out": unpacker.left_out}
    if do == "picture":
        from ragtune_ui.engine.reading.pictures import picture_of

        return {"picture": picture_of(file, request["page"], request["width"])}
    if do == "recognise":
        from ragtune_ui.engine.reading.recognition import recognised

        return {"text": recognised(file, request["page"])}
    return parse(file, request["kind"], request["stem"], request["keep_repeated"])


def limit() -> None:
    """Put this process under its limits, where the system has them."""
    try:
        import resource
    except ImportError:  # Windows: the time limit of the parent is what remains
        return
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_FSIZE, WRITTEN_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):  # macOS refuses some; the others still hold
            continue


def allow_more_time() -> None:
    """Let the next file use ``PROCESSOR_SECONDS``: the system counts from the start of the process."""
    try:
        import resource
    except ImportError:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + PROCESSOR_SECONDS + 1, hard))


def main() -> None:
    """Serve requests until the pipe closes, which it does when the program ends."""
    # A parser that prints must not write into the replies.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    limit()
    # Reading makes many small objects and no circles of them: looking for circles all the time costs a tenth.
    gc.disable()
    for line in sys.stdin.buffer:
        allow_more_time()
        reply = json.dumps(reply_to(json.loads(line)), ensure_ascii=False).encode("utf-8", "replace")
        replies.write(reply + b"\n")
        replies.flush()
        if len(reply) > LARGE:
            gc.collect()


if __name__ == "__main__":
    main()

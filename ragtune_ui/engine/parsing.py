"""The child process that reads files: one JSON request a line in, one JSON reply a line out.

It runs with limits on memory, processor time, open files and written bytes, so that a hostile
file ends this process and never the program. ``reader.DocumentReader`` starts and replaces it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from ragtune_ui.engine.formats import SLOW, Problem, damaged, parse

MEMORY = 4 * 1024**3  # bytes of address space; the parser maps much more than it uses
PROCESSOR_SECONDS = 60  # for one file
OPEN_FILES = 64
WRITTEN_BYTES = 64 * 1024**2  # of one temporary file


def reply_to(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to one request: what was read, or the problem; "last": this process has to be replaced."""
    try:
        answer = parse(Path(request["file"]).read_bytes(), request["kind"], request["stem"])
        # A parser that ran out of time may still be at work on its threads.
        return answer | {"last": SLOW in answer["notes"]}
    except Problem as problem:
        return {"status": problem.status, "happened": problem.happened, "remedy": problem.remedy}
    except MemoryError:
        return {"status": "unreadable", "happened": "Reading it took more memory than is allowed.",
                "remedy": "Split it into smaller files.", "last": True}  # fmt: skip
    except Exception as error:  # a parser's own failure is one file's failure, with its trace for the folded part
        problem = damaged()
        return {"status": problem.status, "happened": problem.happened, "remedy": problem.remedy,
                "details": type(error).__name__, "last": True}  # fmt: skip


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
    for line in sys.stdin.buffer:
        allow_more_time()
        answer = reply_to(json.loads(line))
        replies.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
        replies.flush()


if __name__ == "__main__":
    main()

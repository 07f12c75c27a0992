"""The training process: ``python -m ragtune_ui.worker RUN_FOLDER``.

Like ``app.py`` a front door: it joins the trainer (engine) to the run's folder (store), so that
neither knows the other. Its only way back is the event log; the only way in is the stop file.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path

from ragtune_ui.domain.errors import Busy, RagtuneError
from ragtune_ui.domain.plans import RunSheet
from ragtune_ui.store import files
from ragtune_ui.store.events import EventLog
from ragtune_ui.studio.jobs import STOP_FILE, working


def main(arguments: list[str]) -> int:
    """Train the run in the folder named by the one argument; the exit code is 0 unless it failed."""
    if len(arguments) != 1:
        print("Give one argument: the folder of the run.", file=sys.stderr)
        return 2
    os.environ["HF_HUB_OFFLINE"] = "1"
    if hasattr(os, "nice"):
        os.nice(5)  # the window and the person's other programs come first
    run = Path(arguments[0])
    log = EventLog(run / "events.jsonl")
    asked_to_end = [False]
    signal.signal(signal.SIGTERM, lambda *_: asked_to_end.__setitem__(0, True))
    try:
        with working(run):
            sheet = files.read_record(run / "sheet.json", RunSheet)
            from ragtune_ui.engine.trainer import train

            train(
                run,
                sheet,
                emit=log.append,
                should_stop=lambda: asked_to_end[0] or (run / STOP_FILE).exists(),
                publish=files.publish,
                verified=files.verified,
            )
        return 0
    except Busy as error:  # the log belongs to the worker that is on this run
        print(error.sentence, file=sys.stderr)
    except RagtuneError as error:
        log.append("failed", sentence=str(error), remedy=error.remedy, details=error.details)
    except MemoryError:
        log.append(
            "failed",
            sentence="Training stopped: this computer ran out of memory.",
            remedy="Choose half the batch or a smaller model, then continue from the last saved point.",
            details=traceback.format_exc()[-3000:],
        )
    except Exception:
        log.append(
            "failed",
            sentence="Training stopped because of something RAGTune did not expect.",
            remedy="Continue from the last saved point; if it happens again, send us the details.",
            details=traceback.format_exc()[-3000:],
        )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

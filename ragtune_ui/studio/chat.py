"""Compare desk: one question, the same passages, both models; votes."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.errors import ModelError
from ragtune_ui.domain.passages import Chunk
from ragtune_ui.domain.ports import Reply, Speaker
from ragtune_ui.store import files
from ragtune_ui.store.projects import Project, Turn, now

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

ANSWER_TOKENS = 96  # of an answer, at most; also where it is measured and shipped, so that all see the same answers
VOTES = {"base": "Original is better", "same": "About the same", "tuned": "Tuned is better", "neither": "Both wrong"}


@dataclass(frozen=True)
class Exchange:
    """What stands on the page while answers grow: both so far, over the same passages."""

    turn: Turn
    base: Reply | None
    tuned: Reply | None
    done: bool


class Chat:
    """What a person can ask for on the Compare page."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def ask(
        self,
        project: Project,
        question: str,
        run: str = "",
        with_passages: bool = True,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[Exchange]:
        """Both answers to one question, in step, as they grow; the finished turn is kept.

        ``run`` "", or one of another project, takes the latest training with an adapter; without one only the
        original answers.

        Raises:
            PassageError: nothing was asked, or there are no passages. ModelError: the model cannot be used.
        """
        found = self._studio.retrieval.find(project, question)
        run = self._studio.training.chosen(project, run)
        model, contract, adapter = self.setting(project, run)
        sides = ["base", "tuned"] if adapter else ["base"]
        turn = Turn(uuid.uuid4().hex[:12], run, found.question, "", "", (), at=now())
        latest: dict[str, Reply] = {}
        stopped = threading.Event()
        with self._studio.speakers.using(model, adapter) as speaker:
            given = fitted(speaker, contract, found.question, [p.chunk for p in found.passages], ANSWER_TOKENS)
            given = given if with_passages else []
            turn = replace(turn, passages=tuple(given))
            yield Exchange(turn, None, None, False)
            asked = contract.messages(found.question, given) if given else contract.closed_book(found.question)
            halt = lambda: stopped.is_set() or should_stop()
            try:
                for reply in speaker.stream(asked, sides, ANSWER_TOKENS, halt):
                    latest[reply.side] = reply
                    yield Exchange(turn, latest.get("base"), latest.get("tuned"), False)
            finally:
                stopped.set()
                said = {side: reply.text for side, reply in latest.items()}
                turn = replace(turn, base=said.get("base", ""), tuned=said.get("tuned", ""))
                if said:
                    self._keep(project, turn)
        yield Exchange(turn, latest.get("base"), latest.get("tuned"), True)

    def _keep(self, project: Project, turn: Turn) -> None:
        """Keep a turn, unless its project went to the trash meanwhile: that would make its folder anew outside."""
        with project.changing():
            if project.here:
                project.keep_turns([*project.turns(), turn])

    def setting(self, project: Project, run: str) -> tuple[Path, Contract, Path | None]:
        """Model folder, contract and adapter of a run; the project's model and no adapter for "".

        Raises:
            ModelError: the run's adapter or its base model is no longer there.
        """
        if not run:
            return self._studio.model_folder(project.choices().model), Contract(), None
        sheet = project.sheet(run)
        adapter = project.adapter(run)
        if adapter is None:
            raise ModelError("This training left no result to compare.", "Choose a finished one, or continue it.")
        contract = files.read_record(project.dataset_folder(sheet.dataset) / "contract.json", Contract)
        return self._studio.model_folder(sheet.model), contract, adapter

    def vote(self, project: Project, turn: str, vote: str) -> dict[str, int]:
        """Keep a vote on a turn; returns the counts over all turns."""
        if vote not in VOTES:
            raise ModelError("That is no vote.", f"Choose one of: {', '.join(VOTES.values())}.")
        with project.changing():
            if turn not in {t.id for t in project.turns()}:
                raise ModelError("That answer is no longer there.", "Ask again, then vote.")
            project.keep_turns([replace(t, vote=vote) if t.id == turn else t for t in project.turns()])
        return self.votes(project)

    def votes(self, project: Project) -> dict[str, int]:
        """How often each vote was given."""
        return {v: sum(t.vote == v for t in project.turns()) for v in VOTES}


def fitted(speaker: Speaker, contract: Contract, question: str, passages: list[Chunk], room: int) -> list[Chunk]:
    """As many of the best passages as the model keeps apart, and its positions hold beside an answer of ``room``
    tokens."""
    if speaker.passages:
        passages = passages[: speaker.passages]
    while passages and not speaker.fits(contract.messages(question, passages), room):
        passages = passages[:-1]
    return passages

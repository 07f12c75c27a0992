"""Advisor desk: tries a small grid of search settings on the person's own test set and says what it would change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ragtune_ui.domain.errors import PassageError, RagtuneError
from ragtune_ui.domain.passages import ChunkSettings, Passage, SearchSettings
from ragtune_ui.domain.ranks import Answers, Ranking, Span, advised, reweighed
from ragtune_ui.domain.scores import Interval
from ragtune_ui.domain.words import counted
from ragtune_ui.store import files
from ragtune_ui.store.projects import Project, now
from ragtune_ui.studio.jobs import Task

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

SIZES = (80, 120, 160, 240, 320)  # word pieces
BALANCES = (0.2, 0.35, 0.5, 0.65, 0.8)
POOL = 50  # passages found once for each question and weighed anew for each balance
FEWEST = 8  # questions; fewer say nothing
MOST = 10  # passages a model is given, at most
BLOCK = 256  # questions asked at a time
AGAIN = 200  # questions that are tried with a reranker, at most: it reads every passage


@dataclass(frozen=True)
class Setting:
    """One point of the grid."""

    chunks: ChunkSettings
    search: SearchSettings


@dataclass(frozen=True)
class Advice:
    """What was tried and what it says. Intervals are percent of questions whose passage the model gets to read."""

    now: Setting
    best: Setting
    likely: Setting  # best by figures alone, where the gain could be chance
    gain: Interval  # points, measured on questions that had no say in the choice
    before: Interval
    after: Interval
    questions: int
    tried: int
    at: str = ""
    used: bool = False

    @property
    def changes(self) -> bool:
        return self.best != self.now


class Advisor:
    """Search settings for this project's documents and questions."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def start(self, project: Project, reranker: str = "") -> str:
        """Try the grid in the background; with a reranker too, if one is named."""
        wanted = self._studio.proving.wanted(project)
        if len(wanted) < FEWEST:
            raise PassageError(
                f"{counted(len(wanted), 'question tests', 'questions test')} the search; advice needs "
                f"at least {FEWEST}.",
                "Press “This answers it” on right passages, or approve questions.",
            )

        def work(task: Task) -> str:
            advice = self.advise(project, task, reranker)
            if not advice.changes:
                return f"Your settings are as good as any of the {advice.tried} tried."
            return f"Other settings find {advice.gain.mean:+.1f} points more of your answers."

        return self._studio.jobs.start(project, "advice", "Trying other search settings", work)

    def advise(self, project: Project, task: Task, reranker: str = "") -> Advice:
        """Try every setting of the grid on the test set and keep what came out. Raises Stopped."""
        choices = project.choices()
        at_now = Setting(choices.chunks, choices.search)
        wanted = self._studio.proving.wanted(project)
        settings = grid(at_now, reranker or choices.search.reranker)
        by_chunks: dict[ChunkSettings, list[Setting]] = {}
        for setting in settings:
            by_chunks.setdefault(setting.chunks, []).append(setting)
        tried: dict[str, list[Ranking]] = {}
        names: dict[str, Setting] = {}
        for done, (chunks, same) in enumerate(by_chunks.items()):
            share = _Share(task, done, len(by_chunks), f"{chunks.size} word pieces")
            for setting, rankings in self._tried(project, chunks, same, wanted, share):
                name = f"{len(names)}"
                names[name], tried[name] = setting, rankings
        mine = next(name for name, setting in names.items() if setting == at_now)
        given = {n: self._studio.training.given(project, s.search.number) for n, s in names.items()}
        choice = advised(tried, given, mine)
        advice = Advice(at_now, names[choice.best], names[choice.likely], choice.gain, choice.before, choice.after,
                        len(wanted), len(names), now())  # fmt: skip
        files.write_record(project.folder / "advice.json", advice)
        return advice

    def latest(self, project: Project) -> Advice | None:
        """What the last run said; None where there is none."""
        path = project.folder / "advice.json"
        try:
            return files.cached(path, Advice, files.read_record) if path.exists() else None
        except RagtuneError:
            return None

    def use(self, project: Project) -> str:
        """Take the advised settings; ``undo`` takes them back."""
        advice = self._advice(project)
        again = self._studio.retrieval.change(project, advice.best.chunks, advice.best.search)
        files.write_record(project.folder / "advice.json", replace(advice, used=True))
        return "In use. Passages are made again now." if again else "In use from the next search on."

    def undo(self, project: Project) -> str:
        """Back to the settings that were in use before the advice."""
        advice = self._advice(project)
        again = self._studio.retrieval.change(project, advice.now.chunks, advice.now.search)
        files.write_record(project.folder / "advice.json", replace(advice, used=False))
        return "Back as before. Passages are made again now." if again else "Back as before."

    def _advice(self, project: Project) -> Advice:
        advice = self.latest(project)
        if advice is None:
            raise PassageError("There is no advice yet.", "Press “Find better settings” first.")
        return advice

    def _tried(
        self, project: Project, chunks: ChunkSettings, settings: Sequence[Setting],
        wanted: Mapping[str, Sequence[Span]], share: _Share,
    ) -> list[tuple[Setting, list[Ranking]]]:  # fmt: skip
        """The rankings of each setting that cuts alike; indexed once, beside the project's own index."""
        found = self._studio.retrieval.trial(project, chunks, share.progress)
        try:
            answers, questions = Answers(found.chunks), list(wanted)
            results = []
            plain = [s for s in settings if not s.search.reranker]
            pool = _asked(found.search, questions, replace(settings[0].search, number=POOL, threshold=0.0, reranker=""),
                          share)  # fmt: skip
            for setting in plain:
                ranked = (reweighed(p, setting.search.balance) for p in pool)
                results.append((setting, _rankings(answers, wanted, ranked)))
            for setting in settings:
                if setting.search.reranker:
                    again = _asked(found.search, questions[:AGAIN], replace(setting.search, number=MOST), share)
                    rest = (reweighed(p, setting.search.balance) for p in pool[len(again) :])
                    results.append((setting, _rankings(answers, wanted, [*again, *rest])))
            return results
        finally:
            found.close()


class _Share:
    """Progress of one part of the work as a share of all."""

    def __init__(self, task: Task, part: int, parts: int, name: str) -> None:
        self._task, self._part, self._parts, self._name = task, part, parts, name

    def progress(self, done: int, total: int, note: str) -> None:
        within = min(1.0, done / total) if total else 0.0
        self._task.progress(round(1000 * (self._part + within)), 1000 * self._parts, f"{self._name}: {note}")


def grid(now: Setting, reranker: str) -> list[Setting]:
    """The settings to try: each passage length with as many passages as fill the same reading room, each
    balance, with and without a reranker; the settings in use come first."""
    room = now.chunks.size * now.search.number
    sizes = sorted({now.chunks.size, *(s for s in SIZES if s <= room)})
    rerankers = ["", reranker] if reranker else [""]
    found = [now]
    for size in sizes:
        share = now.chunks.overlap / now.chunks.size
        chunks = now.chunks if size == now.chunks.size else replace(
            now.chunks, size=size, overlap=2 * round(share * size / 2))  # fmt: skip
        number = now.search.number if size == now.chunks.size else min(MOST, max(1, room // size))
        for again in rerankers:
            for balance in [now.search.balance] if again else sorted({now.search.balance, *BALANCES}):
                search = replace(now.search, number=number, balance=balance, reranker=again)
                found.append(Setting(chunks, search))
    return list(dict.fromkeys(found))


def _asked(search: Callable[[Sequence[str], SearchSettings], list[list[Passage]]], questions: Sequence[str],
           settings: SearchSettings, share: _Share) -> list[list[Passage]]:  # fmt: skip
    found: list[list[Passage]] = []
    block = 8 if settings.reranker else BLOCK
    for start in range(0, len(questions), block):
        note = "reading passages again" if settings.reranker else "asking the test questions"
        share.progress(len(questions), len(questions), f"{note}, {start:,} of {len(questions):,}")
        found += search(questions[start : start + block], settings)
    return found


def _rankings(
    answers: Answers, wanted: Mapping[str, Sequence[Span]], found: Iterable[Sequence[Passage]]
) -> list[Ranking]:
    return [
        answers.ranking(question, spans, passages[: 2 * MOST])
        for (question, spans), passages in zip(wanted.items(), found, strict=True)
    ]

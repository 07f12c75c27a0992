"""Mixing desk: three lanes, exact counts, real samples, frozen once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.errors import MixError
from ragtune_ui.domain.examples import Example, Message, PlainPrompt
from ragtune_ui.domain.mixes import DatasetMix, MixPlan, Pools, Stock, Tools, plan_mix
from ragtune_ui.domain.passages import Chunk, Passage
from ragtune_ui.domain.questions import Question
from ragtune_ui.domain.recipes import compose, dap, hybrid, raft
from ragtune_ui.domain.words import counted
from ragtune_ui.store import files
from ragtune_ui.store.presets import Preset, load_presets, preset_named
from ragtune_ui.store.projects import Manifest, Project
from ragtune_ui.studio.jobs import Task

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

NEAR = 20  # ranks the recipes may draw distractors from
BLOCK = 256  # questions searched at a time, at most, so that a stop is heard
OWN_ANSWER_TOKENS = 256  # room to come to an end in: an answer cut short would teach to stop in mid-sentence


@dataclass(frozen=True)
class Outlook:
    """What a mix will give, before it is composed."""

    plan: MixPlan
    tokens: int  # word pieces of one round, an estimate from the lengths of passages and questions
    reading: int  # of these, word pieces of a subject-reading stage, which has rounds of its own
    advice: tuple[str, ...]


class Mixing:
    """What a person can ask for on the Mix page."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def presets(self) -> list[Preset]:
        """The presets, the recommended one first."""
        return load_presets(self._studio.settings.presets)

    def use_preset(self, project: Project, name: str) -> Preset:
        """Make a preset's mix the project's."""
        preset = preset_named(self.presets(), name)
        project.choose(mix=preset.mix, preset=preset.name, plan=None)
        return preset

    def keep(self, project: Project, mix: DatasetMix) -> DatasetMix:
        """Keep the mix as it stands in the form."""
        project.choose(mix=mix)
        return mix

    def borne(self, project: Project, mix: DatasetMix) -> DatasetMix:
        """The mix as the project's model bears it: no more passages at once than it keeps apart."""
        most = self._studio.training.keeps_apart(project)
        return replace(mix, distractors=min(mix.distractors, max(1, most - 1))) if most else mix

    def outlook(self, project: Project, mix: DatasetMix) -> Outlook:
        """Counts, length and advice for a mix, without composing it."""
        wished, mix = mix, self.borne(project, mix)
        pools = self.pools(project)
        stock = Stock(sum(raft.usable(q) for q in pools.questions), len(pools.chunks), len(pools.prompts))
        plan = plan_mix(mix, stock)
        mean = sum(c.tokens for c in pools.chunks) / len(pools.chunks) if pools.chunks else 0
        shown = (1 - mix.clean / 100) * mix.distractors + 1
        text = plan.counts["dap"] * mean
        tokens = plan.counts["raft"] * (shown * (mean + 14) + 30) + plan.counts["plain"] * 45 + text
        reading = text if mix.order == "dap first" else 0
        advice = [s.sentence for s in plan.shortages]
        if plan.counts["raft"] and mix.distractors < wished.distractors:
            most = self._studio.training.keeps_apart(project)
            advice.append(
                f"The chosen model keeps {most} passages apart: it practises with "
                f"{counted(mix.distractors, 'misleading passage')} instead of {wished.distractors}."
            )
        refusals = raft.advice(pools.questions, mix, plan.counts["raft"])
        advice += [refusals] if refusals else []
        if 0 < mix.plain < 20:
            advice.append("Below 20 % everyday instructions models start to forget everyday skill.")
        if mix.dap:
            advice.append(dap.advice(sum(c.tokens for c in pools.chunks)))
        if plan.counts["raft"] + plan.counts["plain"] < 100:
            advice.append("Fewer than 100 examples: expect a small effect. Approve more questions.")
        return Outlook(plan, round(tokens), round(reading), tuple(advice))

    def pools(self, project: Project) -> Pools:
        """What may be learned from: nothing that is held back."""
        documents = project.documents()
        held = {d.id for d in documents if d.held_back}
        open_ = {d.id for d in documents if d.ready} - held
        questions = [
            q
            for q in project.questions()
            # A question whose document was removed has nothing left to rest on.
            if q.split == "train" and q.document not in held and (q.document in open_ or not q.evidence)
        ]
        chunks = [c for c in project.chunks() if c.document in open_]
        return Pools(questions, chunks, self.prompts())

    def prompts(self) -> list[PlainPrompt]:
        """The plain instructions that came with the program."""
        path = self._studio.settings.assets / "instructions" / "everyday.jsonl"
        found: list[PlainPrompt] = files.cached(path, PlainPrompt, files.read_records)
        return found

    def dev(self, project: Project) -> list[Question]:
        return [q for q in project.questions() if q.split == "dev" and raft.usable(q)]

    def samples(self, project: Project, mix: DatasetMix, turn: int = 0) -> list[Example]:
        """One real example of each kind the mix holds; ``turn`` shows others.

        Raises:
            MixError: there is nothing to learn from yet.
        """
        pools = self.pools(project)
        usable = [q for q in pools.questions if raft.usable(q)]
        few = usable[(turn * 4) % len(usable) :][:8] if usable else []
        withheld = min(max(mix.withheld, 15 if mix.withheld else 0), 100 - mix.clean)
        small = replace(self.borne(project, mix), size=24, seed=mix.seed + turn, withheld=withheld)
        dataset = compose(small, replace(pools, questions=few), [], self._tools(project))
        seen: dict[str, Example] = {}
        for example in dataset.examples:
            seen.setdefault(example.kind, example)
        order = ["answer", "clean", "refusal", "plain", "text"]
        return [seen[k] for k in order if k in seen]

    def current(self, project: Project) -> Manifest | None:
        """The dataset frozen last."""
        return next(iter(project.datasets()), None)

    def changes(self, project: Project, manifest: Manifest) -> int:
        """How many of its questions were changed, taken back or added since a dataset was frozen."""
        now = {q.id: f"{q.question}\n{q.answer}" for q in self.pools(project).questions if raft.usable(q)}
        return sum(now.get(id) != manifest.questions.get(id) for id in now.keys() | manifest.questions.keys())

    def since(self, project: Project, manifest: Manifest) -> str:
        """What changed since a dataset was frozen, so that composing it anew may give another; "" for nothing.

        ``3 questions, the passages changed``.
        """
        number = self.changes(project, manifest)
        parts = [counted(number, "question")] if number else []
        if manifest.passages and manifest.passages != self._digest(project):
            parts.append("the passages")
        if manifest.model and manifest.model != project.choices().model:
            parts.append("the model")
        return f"{', '.join(parts)} changed" if parts else ""

    def _digest(self, project: Project) -> str:
        """The digest of the passages that may be learned from; the rail asks for it every second."""
        rests_on = [project.folder / "chunks.jsonl", *project.shelf()]  # and on which documents are held back
        make = lambda: digest_of_passages(self.pools(project).chunks)
        return files.derived(("passages", project.folder), rests_on, make)

    def freeze(self, project: Project, mix: DatasetMix, choose: bool = True) -> str:
        """Compose and freeze the mix in the background, and ``choose`` it for the project; returns the job's id.

        Raises:
            MixError: there is nothing to learn from. Busy: other heavy work runs.
        """
        if self.outlook(project, mix).plan.total == 0:
            raise MixError("There is nothing to learn from yet.", "Approve some questions first.")
        if choose:
            project.choose(mix=mix)

        def work(task: Task) -> str:
            return self.compose(project, mix, task).sentence

        return self._studio.jobs.start(project, "mix", "Composing the dataset", work)

    def update(self, project: Project, dataset: str) -> str:
        """Freeze a dataset's mix anew with the questions as they are now; returns the job's id.

        The mix that a person chose stays, be it another one: it is what the form shows and what training takes."""
        return self.freeze(project, project.dataset(dataset).mix, choose=False)

    def compose(self, project: Project, mix: DatasetMix, task: Task) -> Manifest:
        """The dataset of a mix, as the project's model bears it, composed and on the shelf."""
        mix = self.borne(project, mix)
        pools = self.pools(project)
        own = None
        if mix.plain and mix.plain_targets == "own":
            wanted = self.outlook(project, mix).plan.counts["plain"]
            own = self._own_answers(project, [p for p in pools.prompts if p.id in self._drawn(mix, wanted)], task)
        task.progress(0, 1, "Finding misleading passages")
        dataset = compose(mix, pools, self.dev(project), self._tools(project, own, task), task.progress)
        model = project.choices().model if own is not None else ""
        asked = [q for q in pools.questions if raft.usable(q)]
        manifest = project.keep_dataset(dataset, asked, digest_of_passages(pools.chunks), model)
        task.progress(1, 1, "Frozen")
        task.result(dataset=manifest.id, counts=manifest.counts)
        return manifest

    def _drawn(self, mix: DatasetMix, wanted: int) -> set[str]:
        blank = Tools(lambda _: [], Contract())
        return {e.id.removeprefix("plain-") for e in hybrid.examples(self.prompts(), blank, mix, wanted)}

    def _tools(self, project: Project, own: dict[str, str] | None = None, task: Task | None = None) -> Tools:
        """What the recipes use; a search for many questions tells ``task`` how far it is, and hears a stop."""
        seen = [d.id for d in project.documents() if d.ready and not d.held_back]

        def search(questions: Sequence[str]) -> list[list[Chunk]]:
            found: list[list[Passage]] = []
            while len(found) < len(questions):
                if task is not None and len(questions) > BLOCK:
                    task.progress(len(found), len(questions), "Finding misleading passages")
                # Parts of about the same size: a few questions alone would be searched in another way.
                parts = -(-(len(questions) - len(found)) // BLOCK)
                size = -(-(len(questions) - len(found)) // parts)
                part = questions[len(found) : len(found) + size]
                found += self._studio.retrieval.search(project, part, number=NEAR, documents=seen)
            return [[p.chunk for p in passages] for passages in found]

        return Tools(search, Contract(), own)

    def _own_answers(self, project: Project, prompts: Sequence[PlainPrompt], task: Task) -> dict[str, str]:
        """The base model's own replies to plain instructions, asked once and kept; "" for one that found no end."""
        model = project.choices().model
        path = project.folder / "own-answers.json"
        kept: dict[str, dict[str, Any]] = files.read_json(path) if path.exists() else {}
        before = kept.get(model, {})
        # Kept without a limit, or under another one, may be replies that were cut there: they are asked anew.
        mine: dict[str, str] = before["replies"] if before.get("limit") == OWN_ANSWER_TOKENS else {}
        missing = [p for p in prompts if p.id not in mine]
        if missing:
            asked = [(Message("user", p.prompt),) for p in missing]

            def progress(done: int, total: int, note: str) -> None:
                task.progress(done, total, "The original model answers everyday instructions")

            with self._studio.speakers.using(self._studio.model_folder(model), None) as speaker:
                replies = speaker.whole(asked, "base", OWN_ANSWER_TOKENS, progress)
            mine = {**mine, **{p.id: r for p, r in zip(missing, replies, strict=True)}}
            kept = {**kept, model: {"limit": OWN_ANSWER_TOKENS, "replies": mine}}
            files.write_text(path, json.dumps(kept, ensure_ascii=False, indent=1) + "\n")
        return {p.id: mine[p.id] for p in prompts}


def digest_of_passages(chunks: Sequence[Chunk]) -> str:
    """sha256 over the passages' ids and words; an id alone outlives a change of the words at its place."""
    sha = hashlib.sha256()
    for chunk in chunks:
        sha.update(f"{chunk.id}\n{chunk.text}\0".encode())
    return sha.hexdigest()

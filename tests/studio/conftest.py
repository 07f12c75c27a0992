"""A studio whose ports are filled with small fakes, and a worker that is a real process.

The documents state weights ("The red crane weighs 12 tonnes."), one a paragraph; the fakes cut at
paragraphs, search by shared words, and answer by reading the passages they are given.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.documents import Page, Parsed, Repeated, Unpacked
from ragtune_ui.domain.endpoints import Endpoint
from ragtune_ui.domain.errors import DocumentError, ModelError, QuestionError
from ragtune_ui.domain.passages import Chunk, Passage, Updated, find_span, marks
from ragtune_ui.domain.plans import RunSheet, TrainingPlan
from ragtune_ui.domain.ports import Engines, ModelChoice, Reply
from ragtune_ui.domain.questions import Question, question_id
from ragtune_ui.domain.records import to_record
from ragtune_ui.domain.runs import Job
from ragtune_ui.settings import Settings
from ragtune_ui.store import files
from ragtune_ui.store.projects import Project
from ragtune_ui.studio import jobs
from ragtune_ui.studio.studio import Studio

ROOT = Path(__file__).resolve().parents[2]
FACT = re.compile(r"The (\w+ \w+) weighs (\d+ tonnes)\.")
PLAN = TrainingPlan(rounds=1, batch=4)


def facts(things: Sequence[str], start: int = 10) -> str:
    return "\n\n".join(f"The {thing} weighs {start + n} tonnes." for n, thing in enumerate(things))


def library(documents: int = 5, each: int = 6) -> dict[str, str]:
    """Documents of ``each`` facts, no thing twice."""
    colours = ["red", "blue", "green", "grey", "white", "black", "brown", "pink", "gold", "teal"]
    things = ["crane", "winch", "ferry", "barge", "anchor", "boiler", "ramp", "mast"]
    return {
        f"part-{d}.md": f"# Part {d}\n\n" + facts([f"{colours[d]} {t}" for t in things[:each]], 10 + 20 * d)
        for d in range(documents)
    }


class Reader:
    """Pages end at a form feed; lines from "~" on are headers, taken off unless they are kept."""

    def read(self, file: Path, kind: str, keep_repeated: bool = False, progress=None) -> Parsed:
        source = file.parent.parent / "sources" / f"{file.stem}.md"  # beside a binary file of the sample
        text = (source if source.exists() else file).read_bytes().decode("utf-8", "replace")
        if text.startswith("!"):
            raise DocumentError(f"It is {text[1:].strip()}.", "Mend it.", status="password")
        if not text.strip():
            raise DocumentError("There is no text in it.", "Add another file.", status="empty")
        heads = re.findall(r"~.*\n", text)
        if not keep_repeated:
            text = re.sub(r"~.*\n", "", text)
        pages = tuple(Page(n, t) for n, t in enumerate(text.split("\f"), 1))
        return Parsed(file.stem.title(), pages, (), (Repeated(heads[0].strip(), len(heads)),) if heads else ())

    def unpack(self, file: Path, kind: str, to: Path, progress=None) -> Unpacked:
        if kind == "mail":
            return Unpacked(())
        if not zipfile.is_zipfile(file):
            raise DocumentError("The archive is damaged or incomplete.", "Pack it again.")
        to.mkdir(parents=True)
        found, left_out = [], []
        with zipfile.ZipFile(file) as archive:
            for number, name in enumerate(archive.namelist()):
                if name.endswith((".md", ".txt")):
                    (to / f"{number}.md").write_bytes(archive.read(name))
                    found.append((name, to / f"{number}.md"))
                else:
                    left_out.append((name, "it is no kind of document that RAGTune reads"))
        return Unpacked(tuple(found), tuple(left_out))

    def picture(self, file: Path, page: int, width: int) -> bytes:
        return f"{file.name} {page} {width}".encode()


class Chunker:
    def count(self, texts, model=None) -> list[int]:
        return [len(text.split()) for text in texts]

    def cut(self, document, text, settings, most=0) -> list[Chunk]:
        found, heading = [], ()
        pattern = r"\S[^\n]*(?:\n(?!\n)[^\n]+)*" if settings.size >= 100 else r"\S[^\n]*"
        for match in re.finditer(pattern, text):
            if match.group().startswith("#"):
                heading = (match.group().lstrip("# ").split("\n")[0],)
                if "\n" not in match.group():
                    continue
            id = hashlib.sha256(f"{document.id}{match.span()}{settings.size}".encode()).hexdigest()[:12]
            found.append(
                Chunk(id, document.id, document.name, document.page_at(match.start()), heading, *match.span(),
                      match.group(), len(match.group().split()))
            )  # fmt: skip
        return found[: most or None]


class Searcher:
    """Ranks by shared words. Its folder holds what it indexed, so that a restart finds it again."""

    def __init__(self, folder: Path, fakes: Fakes, source: str = "") -> None:
        self.path, self.fakes, self.source = folder / "chunks.jsonl", fakes, source

    def update(self, chunks, progress) -> Updated:
        if not chunks:
            shutil.rmtree(self.path.parent, ignore_errors=True)
            return Updated()
        self.fakes.updates += 1
        self.fakes.gate.wait(10)
        before = {c.id for c in files.read_records(self.path, Chunk)}
        kept: list[Chunk] = []
        try:
            for done, chunk in enumerate(chunks):
                progress(done, len(chunks), "Indexing")
                kept.append(chunk)
            progress(len(chunks), len(chunks), "Indexed")
        finally:
            files.write_records(self.path, kept)
        new = {c.id for c in kept} - before
        return Updated(len(new), 0, len(kept) - len(new), len(before - {c.id for c in kept}))

    def plane(self) -> dict[str, tuple[float, float]]:
        return {c.id: (n / 100, -n / 100) for n, c in enumerate(files.read_records(self.path, Chunk))}

    def search(self, questions, settings, documents=None) -> list[list[Passage]]:
        self.fakes.searches.append(list(questions))
        pool = [c for c in files.read_records(self.path, Chunk) if documents is None or c.document in documents]
        found = []
        for question in questions:
            ranked = sorted(pool, key=lambda c: (-len(marks(question, c.text)), c.document, c.start))
            found.append([Passage(c, n, 1 / n, 1 / n, 1 / n) for n, c in enumerate(ranked[: settings.number], 1)])
        return found

    def count(self) -> int:
        return len(files.read_records(self.path, Chunk))


class Writer:
    def write(self, document, text, chunks, asked=(), prover=None, progress=None) -> Iterator[Question]:
        if prover is not None:
            prover.fakes.proved.append(document.name)
            progress(0, 1, "")
        known = {q.id for q in asked}
        for m in FACT.finditer(text):
            said = f"How much does the {m[1]} weigh?"
            if question_id(said, document.id) not in known:
                yield Question(question_id(said, document.id), said, m[2], m[0], document.id, *m.span())

    def ask(self, document, text, chunks, asked, speaker, wanted, progress) -> Iterator[Question]:
        progress(0, 1, "")
        for m in list(re.finditer(r"The (\w+) sailor is ([^.]+)\.", text))[:wanted]:
            speaker.fakes.written.append((document.name, wanted))
            for said in (f"Who is the {m[1]} sailor?", "What is it?"):
                yield Question(question_id(said, document.id), said, m[2], m[0], document.id, *m.span())


class Speaker:
    """The base side answers without a citation; the tuned side cites, and refuses where nothing is said."""

    def __init__(self, model: Path, adapter: Path | None, fakes: Fakes) -> None:
        self.model, self.adapter, self.fakes, self.closed = model, adapter, fakes, False
        self.passages = fakes.passages
        fakes.loaded.append((model, adapter))

    def reply(self, prompt, side: str) -> str:
        assert not self.closed, "a closed model was asked"
        self.fakes.asked.append((side, prompt))
        text = prompt[-1].content
        asked = re.search(r"the (\w+ \w+) weigh", text.rsplit("Question:", 1)[-1])
        for number, passage in re.findall(r"^\[(\d+)\] (.*)$", text, re.MULTILINE):
            found = asked and re.search(rf"The {asked[1]} weighs (\d+ tonnes)", passage)
            if found:
                return f"{found[1]} [{number}]" if side == "tuned" else f"It is about {found[1]} or so"
        return Contract().refusal if side == "tuned" else "It is heavy"

    def stream(self, messages, sides, limit, should_stop):
        words = {side: self.reply(messages, side).split() for side in sides}
        for n in range(1, max(map(len, words.values())) + 1):
            if should_stop():
                return
            for side in sides:
                yield Reply(side, " ".join(words[side][:n]), n, 0.1 * n, n >= len(words[side]))

    def answer(self, prompts, side, limit, progress) -> list[str]:
        replies = []
        for done, prompt in enumerate(prompts):
            progress(done, len(prompts), "")
            replies.append(self.reply(prompt, side))
        return replies

    def whole(self, prompts, side, limit, progress) -> list[str]:
        replies = self.answer(prompts, side, limit, progress)
        return [reply if len(reply.split()) < limit else "" for reply in replies]

    def fits(self, messages, room: int) -> bool:
        return sum(len(m.content.split()) for m in messages) + room < self.fakes.positions

    def close(self) -> None:
        self.closed = True


class Server(Speaker):
    """A model server with two models; it is away while ``fakes.away``."""

    def __init__(self, place: Endpoint, fakes: Fakes) -> None:
        super().__init__(Path(place.url), None, fakes)
        self.place = place

    def models(self) -> list[str]:
        if self.fakes.away:
            raise QuestionError(f"No model server answers at {self.place.url}.", "Start it and try again.")
        return ["big", "small"]


class Exporter:
    def export(self, run, model, to, contract, parts, checks, progress):
        for part in parts:
            progress(1, 2, part)
            (to / part).mkdir()
            (to / part / "weights.safetensors").write_bytes(b"weights")
        files.write_record(to / "contract.json", contract)
        return {"same": len(checks), "of": len(checks), "parts": list(parts)}


class Catalog:
    def __init__(self, fakes: Fakes) -> None:
        self.fakes, self.model = fakes, fakes.model
        self.problem = ""

    def choices(self) -> list[ModelChoice]:
        size, about = 7, "Small."
        mine = ModelChoice("built-in", "Reader", "built-in", size, size, "CC0", about, 1024, True, self.problem)
        return [
            replace(mine, passages=self.fakes.passages),
            ModelChoice(
                "big/one", "Big", "hub", 2 * size, size, "MIT", about, 1024, False, "It does not fit in memory."
            ),
        ]

    def folder(self, id, progress, allow_download=False) -> Path:
        if id == "built-in":
            return self.model
        if Path(id).is_dir():
            return Path(id)
        raise ModelError(f"The model {id} is not on this computer.", "Choose another one.")

    def look(self, folder: Path) -> ModelChoice:
        if not (folder / "config.json").exists():
            raise ModelError("There is no model in that folder.", "Choose one with a config.json.")
        return ModelChoice(str(folder), folder.name, "folder", 7, 7, "?", "Mine.", 512, True)


WORKER = """
import os, signal, sys, time
from pathlib import Path
from ragtune_ui.domain.errors import Busy
from ragtune_ui.store import files
from ragtune_ui.store.events import EventLog, job_of
from ragtune_ui.studio.jobs import STOP_FILE, working

run, mode = Path(sys.argv[1]), sys.argv[2]
log = EventLog(run / "events.jsonl")

def publish(name):
    files.publish(run / name, lambda to: (to / "adapter_model.safetensors").write_text(name))

if mode == "stillborn":
    print("no luck at all", file=sys.stderr)
    os._exit(3)
try:
    with working(run):
        saved = job_of(run).saved
        log.append("started", pid=os.getpid(), total=8, **({"resumed": saved} if saved else {}))
        for step in range(saved + 1, 9):
            if (run / STOP_FILE).exists() and mode != "deaf":
                publish("adapter")
                log.append("stopped", note=f"Stopped at step {step - 1} of 8.")
                sys.exit(0)
            log.append("step", step=step, loss=9.0 - step, rate=0.1, tokens=100, seconds=0.5)
            if step % 2 == 0:
                publish(f"checkpoints/step-{step:06d}")
                log.append("checkpoint", step=step)
            if step == 5 and mode == "crash":
                raise RuntimeError("no luck")
            if step == 5 and mode == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if mode == "slow":
                time.sleep(0.15)
            while mode in ("deaf", "hang") and step == 3:
                if (run / STOP_FILE).exists() and mode == "hang":
                    break
                time.sleep(0.02)
        publish("adapter")
        log.append("result", seconds=4.0, tokens=800)
        log.append("finished", note="Trained 8 steps.")
except Busy as error:
    print(error, file=sys.stderr)
    sys.exit(1)
"""


class Fakes:
    """What the fakes saw, and how the next ones behave."""

    def __init__(self, folder: Path) -> None:
        self.model = folder / "model"
        self.model.mkdir(parents=True)
        (self.model / "config.json").write_text("{}")
        (self.model / "model.safetensors").write_bytes(b"weights")
        self.script = folder / "worker.py"
        self.script.write_text(WORKER)
        self.mode = "train"
        self.positions = 4096
        self.passages = 0  # that the built-in model keeps apart; 0: all
        self.away = False  # the model server
        self.updates = 0
        self.searches: list[list[str]] = []
        self.loaded: list[tuple[Path, Path | None]] = []
        self.asked: list[tuple[str, object]] = []
        self.proved: list[str] = []  # documents whose questions a model was to answer
        self.written: list[tuple[str, int]] = []  # documents that the model was to ask about, and how many questions
        self.gate = threading.Event()
        self.gate.set()
        self.catalog = Catalog(self)

    def engines(self) -> Engines:
        return Engines(
            reader=Reader,
            chunker=lambda source: Chunker(),
            searcher=lambda folder, source: Searcher(folder, self, source),
            writer=Writer,
            catalog=lambda: self.catalog,
            speaker=lambda model, adapter: Speaker(model, adapter, self),
            server=lambda place: Server(place, self),
            worker=lambda run: [sys.executable, str(self.script), str(run), self.mode],
            exporter=Exporter,
        )


class House:
    """A studio with one project, and the steps of the way as one call each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fakes = Fakes(folder / "fakes")
        assets = folder / "assets"
        prompts = [{"id": f"e{n:03}", "prompt": f"Say {n}.", "answer": f"It is {n}."} for n in range(60)]
        (assets / "instructions").mkdir(parents=True)
        (assets / "instructions" / "everyday.jsonl").write_text("".join(json.dumps(p) + "\n" for p in prompts))
        self.settings = Settings(folder / "home", assets, ROOT / "presets", file_limit=2 * 2**20)
        self.studio = self.restarted()
        self.project = self.studio.home.create("Harbour")

    def restarted(self) -> Studio:
        """Another studio on the same folder: what a restart of the app sees."""
        return Studio(self.settings, self.fakes.engines())

    def files(self, contents: dict[str, str | bytes]) -> list[tuple[str, Path]]:
        found = []
        for name, content in contents.items():
            path = self.folder / "uploads" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            found.append((name, path))
        return found

    def wait(self, id: str, studio: Studio | None = None) -> Job:
        return (studio or self.studio).jobs.wait(self.project, id)

    def idle(self) -> None:
        """Wait until nothing holds the bench and no job runs any more."""
        wait_until(lambda: self.studio.jobs.holder() is None and not self.alive())

    def alive(self) -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t.name.startswith(("job-", "then-"))]

    def add(self, contents: dict[str, str | bytes] | None = None) -> Job:
        return self.wait(self.studio.documents.add(self.project, self.files(contents or library())))

    def ask(self) -> None:
        """Written questions, all approved."""
        self.wait(self.studio.questions.write(self.project))
        self.studio.questions.approve_supported(self.project)

    def train(self, mode: str = "train", studio: Studio | None = None) -> str:
        """Compose and train to the end of the worker; returns the run's id."""
        self.fakes.mode = mode
        studio = studio or self.studio
        before = len(self.project.runs())
        studio.training.start(self.project, PLAN)
        wait_until(lambda: len(self.project.runs()) > before and self.project.runs()[0].ended)
        wait_until(lambda: studio.jobs.holder() is None)
        return self.project.runs()[0].id

    def launch(self, mode: str) -> str:
        """Start a worker on a run of no particular dataset; returns the run's id."""
        self.fakes.mode = mode
        run = self.project.new_run(RunSheet("built-in", str(self.fakes.model), "d", "d", "mixed", PLAN))
        self.studio.training._supervise(self.project, run)
        return run

    def document(self, name: str):
        return next(d for d in self.project.documents() if d.name == name)

    def question(self, thing: str) -> Question:
        return next(q for q in self.project.questions() if thing in q.question)


def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    gate = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if true():
            return
        gate.wait(0.01)
    raise AssertionError("it did not come to pass in time")


def span_of(text: str, words: str) -> tuple[int, int]:
    span = find_span(text, words)
    assert span is not None
    return span


def everything(project: Project) -> str:
    """All that is kept of a project's examples, as text."""
    return json.dumps([to_record(e) for m in project.datasets() for e in project.examples(m.id)])


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(jobs, "POLL", 0.02)
    monkeypatch.setattr(jobs, "QUIET", 0.0)
    made = House(tmp_path)
    yield made
    made.fakes.gate.set()
    for shelf in ("runs", "jobs"):
        for path in (made.project.folder / shelf).glob("*/events.jsonl"):
            made.studio.jobs.stop(made.project, path.parent.name)
    wait_until(lambda: not made.alive())


@pytest.fixture
def full(house: House) -> House:
    """The house with documents, passages and approved questions."""
    house.add()
    house.ask()
    return house


@pytest.fixture
def tuned(full: House) -> House:
    """The house with a finished training, as its worker would have left it."""
    full.wait(full.studio.mixing.freeze(full.project, full.project.choices().mix))
    dataset = full.project.datasets()[0]
    folder = str(full.project.dataset_folder(dataset.id))
    run = full.project.new_run(RunSheet("built-in", str(full.fakes.model), dataset.id, folder, dataset.mix.order, PLAN))
    log = full.project.log(full.project.run_folder(run))
    log.append("asked", what="train", title="Training")
    log.append("started", pid=1, total=8)
    for step in range(1, 9):
        log.append("step", step=step, loss=9.0 - step, rate=0.1, tokens=100, seconds=0.5)
    weights = lambda to: (to / "adapter_model.safetensors").write_text("adapter")
    files.publish(full.project.run_folder(run) / "adapter", weights)
    log.append("result", seconds=4.0, tokens=800)
    log.append("finished", note="Trained 8 steps.")
    full.studio.speakers.release()
    full.fakes.loaded.clear()
    return full

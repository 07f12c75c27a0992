"""How well the built-in reader reads, asks and learns: ``python tests/benchmarks/reader.py --data DATA [--sample]``.

DATA holds ``reading/squad-1.1-dev.jsonl.gz``, which the reader was never trained on. Greedy answers to random questions
in the product's own prompt: the passage with the answer alone, then beside two hard distractors that the product's own
search ranks highest among the passages that do not hold the answer. Questions about 200 passages are written as the
program writes them (by rules; no document's form to help) and count as surviving where the reader gives the answer
back and the search finds the passage; ``--parts asks`` measures what the model itself writes for a span, ``--parts
written`` how it reads invented practical prose that it never saw, and whether it can tell that a passage is silent.
``--sample`` tunes the reader on the sample project with each of ``--seeds`` and reads the figures off the verdict.
Prints a table and, last, one line of JSON; percent, points, tokens a second and seconds of wall time. ``--work`` keeps
the index of passages between calls.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from ragtune_ui.domain.contract import Contract  # noqa: E402
from ragtune_ui.domain.documents import Document  # noqa: E402
from ragtune_ui.domain.passages import Chunk, SearchSettings  # noqa: E402
from ragtune_ui.domain.scores import exact_match, token_f1  # noqa: E402

ANSWER_TOKENS = 24
DISTRACTORS = 2
ASKED_PASSAGES = 200
FOUND_WITHIN = 10
CHAT_TOKENS, CHATS = 48, 5


def quiet(done: int, total: int, note: str) -> None:
    """Progress that nobody looks at."""


def corpus(data: Path) -> tuple[list[Chunk], list[tuple[str, Chunk, list[str]]]]:
    """Every passage of the development set, and (question, passage, answers)."""
    with gzip.open(data / "reading" / "squad-1.1-dev.jsonl.gz", "rt", encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    chunks = [
        Chunk(f"c{n}", f"d{n}", row["title"], 1, (), 0, len(row["passage"]), row["passage"], 0)
        for n, row in enumerate(rows)
    ]
    asked = [(q["question"], c, q["answers"]) for c, r in zip(chunks, rows, strict=True) for q in r["questions"]]
    return chunks, [a for a in asked if a[2]]


def index_of(chunks: Sequence[Chunk], work: Path) -> Any:
    """The product's search over the passages, its default model and settings."""
    from ragtune_ui.engine.embedder import embedder_from
    from ragtune_ui.engine.searcher import LanceSearcher

    searcher = LanceSearcher(work / "reader-index", embedder_from("built-in", False))
    searcher.update(chunks, quiet)
    return searcher


def score(speaker: Any, asked: Sequence[tuple[str, list[Chunk], list[str]]]) -> tuple[float, float]:
    """(EM, token F1) in percent, the best over each question's answers."""
    contract = Contract()
    replies = speaker.answer([contract.messages(q, ps) for q, ps, _ in asked], "base", ANSWER_TOKENS, quiet)
    texts = [contract.read(reply).text for reply in replies]
    pairs = list(zip(texts, [answers for _, _, answers in asked], strict=True))
    em = 100 * statistics.fmean(max(exact_match(t, a) for a in answers) for t, answers in pairs)
    return em, 100 * statistics.fmean(max(token_f1(t, a) for a in answers) for t, answers in pairs)


def with_distractors(asked: Sequence[tuple[str, Chunk, list[str]]], searcher: Any, seed: int) -> list[Any]:
    """Each question with its passage among the two best-ranked ones that hold none of its answers."""
    rng, made = random.Random(seed), []
    ranked = searcher.search([q for q, _, _ in asked], SearchSettings(number=20))
    for (question, oracle, answers), found in zip(asked, ranked, strict=True):
        holds = lambda text, answers=answers: any(a.lower() in text.lower() for a in answers)
        hard = [p.chunk for p in found if p.chunk.id != oracle.id and not holds(p.chunk.text)][:DISTRACTORS]
        shown = [oracle, *hard]
        rng.shuffle(shown)
        made.append((question, shown, answers))
    return made


def documents(chunks: Sequence[Chunk], seed: int) -> list[tuple[Document, Chunk]]:
    """200 random passages, each as a document of its own."""
    some = random.Random(seed).sample(list(chunks), ASKED_PASSAGES)
    return [(Document(c.document, c.title, c.title, "text", "", 1, 1, 1, (0,), language="English"), c) for c in some]


def round_trip(speaker: Any, searcher: Any, chunks: Sequence[Chunk], seed: int, show: Path | None) -> dict[str, float]:
    """Of the questions that the program's own writer makes of 200 passages: how many survive."""
    from ragtune_ui.engine.writer import QuestionWriter
    from ragtune_ui.engine.writing import model

    made = [(q, c) for document, c in documents(chunks, seed) for q in QuestionWriter().write(document, c.text, [c])]
    back = model.answers([(q.question, c) for q, c in made], speaker, quiet)
    found = searcher.search([q.question for q, _ in made], SearchSettings(number=FOUND_WITHIN))
    agreed = [model.agrees(said, q.answer) for said, (q, _) in zip(back, made, strict=True)]
    there = [c.id in {p.chunk.id for p in hits} for hits, (_, c) in zip(found, made, strict=True)]
    kept = [pair for pair, both in zip(made, zip(agreed, there, strict=True), strict=True) if all(both)]
    if show is not None:
        lines = [f"- {q.question} | {q.answer} | {q.evidence}" for q, _ in kept]
        show.write_text("\n".join(lines) + "\n", encoding="utf-8")
    share = lambda n: round(100 * n / len(made), 1)
    return {
        "written": len(made),
        "read_back": share(sum(agreed)),
        "found_again": share(sum(there)),
        "survivors": len(kept),
        "roundtrip": share(len(kept)),
    }


def model_asks(speaker: Any, searcher: Any, chunks: Sequence[Chunk], seed: int) -> dict[str, float]:
    """Of the questions that the model writes for one span of each of 200 passages: how many survive."""
    from ragtune_ui.engine.writing import model

    wanted = []
    for document, chunk in documents(chunks, seed):
        wanted += model.candidates(document, chunk.text, [chunk])[:1]
    written = [r for r in model.write(wanted, speaker, quiet) if r.wording]
    found = searcher.search([r.question for r in written], SearchSettings(number=FOUND_WITHIN))
    kept = [
        r
        for r, hits in zip(written, found, strict=True)
        if r.survives and r.candidate.chunk.id in {p.chunk.id for p in hits}
    ]
    return {
        "asked": len(wanted),
        "worded_well": round(100 * len(written) / len(wanted), 1),
        "asked_and_back": round(100 * len(kept) / max(1, len(written)), 1),
    }


def chat_speed(folder: Path, asked: Sequence[tuple[str, list[Chunk], list[str]]]) -> float:
    """Tokens a second and side while both sides of the chat write, an adapter of the default size on one."""
    import torch
    from peft import LoraConfig, get_peft_model

    from ragtune_ui.engine.models import load_model
    from ragtune_ui.engine.speaker import ModelSpeaker

    with tempfile.TemporaryDirectory() as place:
        torch.manual_seed(0)
        get_peft_model(load_model(folder, "float32"), LoraConfig(r=32, target_modules="all-linear")).save_pretrained(
            place
        )
        speaker = ModelSpeaker(folder, Path(place))
        speaker._ends = set()  # so that every answer has the same length
        speeds = []
        for question, shown, _ in asked[:CHATS]:
            times = []
            for reply in speaker.stream(
                Contract().messages(question, shown), ("base", "tuned"), CHAT_TOKENS, lambda: False
            ):
                times.append((time.monotonic(), reply.tokens))
            (first, _), (last, tokens) = times[0], times[-1]
            speeds.append((tokens - 1) / (last - first))
    return statistics.median(speeds)


def written_ones(folder: Path, speaker: Any, searcher_of: Any, number: int, seed: int) -> dict[str, float]:
    """Documents written for the reader that it never saw: answers over the two passages that a search of them finds
    for a question (its own among them), and how well the odds of saying that they are silent, asked for in the words
    of its recipe, tell the questions that a document leaves open from the others (AUC, 0.5 is chance)."""
    sys.path.insert(0, str(ROOT / "assets" / "models" / "reader"))
    import build
    import torch
    import written

    from ragtune_ui.engine.models import load_model, load_tokenizer

    documents = [d for d in written.documents() if d.held_back]
    chunks = [
        Chunk(f"{d.title}-{n}", d.title, d.title, 1, (), 0, len(p), p, 0)
        for d in documents
        for n, p in enumerate(d.passages)
    ]
    by_id = {c.id: c for c in chunks}
    asked = [(q, by_id[f"{d.title}-{n}"], [a]) for d in documents for n, q, a in d.asked]
    asked += [(q, by_id[f"{d.title}-{n}"], []) for d in documents for n, q in d.open]
    rng = random.Random(seed)
    asked = rng.sample(asked, min(number, len(asked)))
    ranked = searcher_of(chunks).search([q for q, _, _ in asked], SearchSettings(number=2))
    given = []
    for (question, own, answers), found in zip(asked, ranked, strict=True):
        shown = [own, next(p.chunk for p in found if p.chunk.id != own.id)]
        rng.shuffle(shown)
        given.append((question, shown, answers))
    em, f1 = score(speaker, [row for row in given if row[2]])
    model, tokenizer = load_model(folder, "float32"), load_tokenizer(folder)
    said = tokenizer(build.NOT_SAID, add_special_tokens=False)["input_ids"][0]
    odds: dict[bool, list[float]] = {True: [], False: []}
    for question, shown, answers in given:
        *_, prompt = Contract().messages(question, shown)
        turn = [{"role": "user", "content": f"{prompt.content} {build.IF_SILENT}"}]
        text = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
        with torch.no_grad():
            ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
            odds[not answers].append(torch.log_softmax(model(input_ids=ids).logits[0, -1].float(), -1)[said].item())
    pairs = [(s > a) + 0.5 * (s == a) for s in odds[True] for a in odds[False]]
    figures = {"written": len(odds[False]), "written_open": len(odds[True]), "written_em": em, "written_f1": f1}
    return {**{n: round(v, 1) for n, v in figures.items()}, "silence_auc": round(statistics.fmean(pairs), 2)}


def sample(seeds: Sequence[int], model: Path | None) -> dict[str, Any]:
    """What the verdict says of the reader tuned on the sample, for each seed."""
    import os

    from app import engines
    from ragtune_ui.settings import Settings
    from ragtune_ui.store.presets import preset_named
    from ragtune_ui.studio.studio import Studio

    home = Path(tempfile.mkdtemp(prefix="reader-sample-"))
    studio = Studio(settings := Settings.from_env(os.environ, home), engines(settings))
    project, preset = studio.sample(), preset_named(studio.mixing.presets(), "Balanced")
    if model is not None:
        studio.training.choose_model(project, str(model))
    studio.jobs.wait(project, project.jobs()[0].id, lambda job: None)
    rows = []
    for seed in seeds:
        mix, plan = replace(preset.mix, seed=seed), replace(preset.plan, seed=seed)
        studio.jobs.wait(project, studio.mixing.freeze(project, mix), lambda job: None)
        began = time.monotonic()
        run = studio.training.launch(project, studio.mixing.current(project), plan)
        studio.jobs.wait(project, run, lambda job: None)
        seconds = time.monotonic() - began
        job = studio.jobs.wait(project, studio.verdicts.measure(project, run), lambda job: None)
        verdict = next(v for v in project.verdicts() if v.run == run)
        difference, tuned = verdict.difference, verdict.cells["tuned_rag"]
        rows.append(
            {
                "seed": seed,
                "train_s": round(seconds),
                "decision": verdict.decision,
                "base_f1": round(verdict.cells["base_rag"]["f1"].mean, 1),
                **{
                    name: [round(i.mean, 1), round(i.low, 1), round(i.high, 1)]
                    for name, i in (("f1_gain", difference["f1"]), ("refusal_f1_gain", difference["refusal_f1"]))
                },
                "citation_precision": round(tuned["citation_precision"].mean, 1),
                "over_refusal": round(tuned["over_refusal"].mean, 1),
                "said": job.note,
            }
        )
        print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
    return {
        "seeds": rows,
        "f1_gain": min(r["f1_gain"][0] for r in rows),
        "f1_gain_low": min(r["f1_gain"][1] for r in rows),
        "citation_precision": min(r["citation_precision"] for r in rows),
        "refusal_f1_gain": min(r["refusal_f1_gain"][0] for r in rows),
        "refusal_f1_gain_low": min(r["refusal_f1_gain"][1] for r in rows),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ROOT / "assets" / "models" / "reader")
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--show", type=Path, help="write the surviving questions to this file")
    parser.add_argument("--parts", default="oracle,distractors,roundtrip,chat", help="what to measure")
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    args = parser.parse_args()
    parts = set(args.parts.split(","))
    from ragtune_ui.engine.models import load_model
    from ragtune_ui.engine.speaker import ModelSpeaker

    began = time.monotonic()
    load_model(args.model, "float32")  # the libraries load with the first model
    figures: dict[str, Any] = {"first_load_s": round(time.monotonic() - began, 2)}
    began = time.monotonic()
    speaker = ModelSpeaker(args.model)
    figures["load_s"] = round(time.monotonic() - began, 2)
    chunks, everything = corpus(args.data)
    asked = random.Random(args.seed).sample(everything, args.questions)
    figures["questions"] = len(asked)
    if "oracle" in parts:
        em, f1 = score(speaker, [(q, [c], a) for q, c, a in asked])
        figures |= {"oracle_em": round(em, 1), "oracle_f1": round(f1, 1)}
        print(json.dumps(figures), flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        searcher = index_of(chunks, work) if parts & {"distractors", "roundtrip", "asks", "chat"} else None
        hard = with_distractors(asked, searcher, args.seed) if parts & {"distractors", "chat"} else []
        if "distractors" in parts:
            em, f1 = score(speaker, hard)
            figures |= {"distractors_em": round(em, 1), "distractors_f1": round(f1, 1)}
        if "roundtrip" in parts:
            figures |= round_trip(speaker, searcher, chunks, args.seed, args.show)
        if "asks" in parts:
            figures |= model_asks(speaker, searcher, chunks, args.seed)
        if "written" in parts:
            place = work / "written"
            figures |= written_ones(args.model, speaker, lambda cs: index_of(cs, place), args.questions, args.seed)
        if "chat" in parts:
            figures["tok_per_s"] = round(chat_speed(args.model, hard), 1)
    if args.sample:
        default = args.model == ROOT / "assets" / "models" / "reader"
        figures |= sample(args.seeds, None if default else args.model)
    for name, value in figures.items():
        if name != "seeds":
            print(f"{name:>22}  {value}")
    print(json.dumps(figures, ensure_ascii=False))


if __name__ == "__main__":
    main()

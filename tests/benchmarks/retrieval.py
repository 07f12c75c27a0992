"""Search, measured: ``python tests/benchmarks/retrieval.py --data DATA --work WORK [--parts quality,embed,...]``.

DATA holds ``reading/squad-1.1-dev.jsonl.gz`` (2,067 passages, 10,570 questions, as one corpus, each passage whole)
and ``corpora/handbook``; WORK keeps vectors between runs. ``--chroma PYTHON`` is an interpreter that has chromadb.
Parts, each printing its rows, and one line of JSON last:

quality  right passage first and among five: words alone, meaning alone, fused by the default settings; the advisor's
         balance, chosen on one half of the documents and measured on the other
embed    passages per CPU-second by RAGTune's loop and by ``SentenceTransformer.encode``, the same texts, one thread
batch    all questions as one batch against a loop of single searches, timed on a sample; CPU time, each side embeds its
         questions anew. A loop of LanceDB's own hybrid queries on the same table stands beside it
ingest   rows per second of adding ready vectors with their texts, here and in chromadb
large    100,000 passages: vectors are mixtures of real ones (of all passages and questions above), texts are sentences
         of the corpus; hybrid search of one question with its embedding, recall of the index of vectors against all
preview  time to cut and count a preview anew, over every document of the handbook
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import numpy as np  # noqa: E402

from ragtune_ui.domain.documents import Document  # noqa: E402
from ragtune_ui.domain.passages import Chunk, ChunkSettings, SearchSettings  # noqa: E402
from ragtune_ui.domain.ranks import Ranking, best_of, halves, hit, reweighed  # noqa: E402
from ragtune_ui.engine import shelf  # noqa: E402
from ragtune_ui.engine.chunker import PassageChunker  # noqa: E402
from ragtune_ui.engine.embedder import built_in_folder, embedder_from  # noqa: E402
from ragtune_ui.engine.searcher import LanceSearcher, worded  # noqa: E402
from ragtune_ui.studio.advisor import BALANCES, POOL  # noqa: E402

PARTS = ("quality", "embed", "batch", "ingest", "large", "preview")
LARGE = 100_000
SAMPLE = 120  # questions of a timed loop
CHROMA = """
import json, sys, time, numpy as np, chromadb
rows = np.load(sys.argv[1]); texts = json.load(open(sys.argv[2]))
client = chromadb.PersistentClient(sys.argv[3])
table = client.create_collection("passages", metadata={"hnsw:space": "cosine"})
began = time.perf_counter()
for start in range(0, len(texts), 5000):
    part = slice(start, start + 5000)
    table.add(ids=[str(n) for n in range(start, min(start + 5000, len(texts)))], embeddings=rows[part],
              documents=texts[part])
print(json.dumps({"seconds": time.perf_counter() - began, "rows": table.count(), "version": chromadb.__version__}))
"""


def quiet(done: int, total: int, note: str) -> None:
    """Progress that nobody looks at."""


class Bench:
    """The corpus and what several parts share."""

    def __init__(self, data: Path, work: Path, chroma: str) -> None:
        import torch

        torch.set_num_threads(1)  # a second thread that waits for a busy core would cost more than it does
        self.data, self.work, self.chroma = data, work, chroma
        work.mkdir(parents=True, exist_ok=True)
        with gzip.open(data / "reading" / "squad-1.1-dev.jsonl.gz", "rt", encoding="utf-8") as f:
            rows = [json.loads(line) for line in f]
        self.chunks = [
            Chunk(f"{n:06d}", r["title"], r["title"], 1, (), 0, len(r["passage"]), r["passage"], 0)
            for n, r in enumerate(rows)
        ]
        self.asked = [(q["question"], n) for n, r in enumerate(rows) for q in r["questions"]]
        self.questions = [q for q, _ in self.asked]
        self.embedder = embedder_from()
        self.searcher = LanceSearcher(work / "index.lance", self.embedder, work / "vectors")
        self.searcher.update(self.chunks, quiet)
        print(f"{len(self.chunks):,} passages, {len(self.asked):,} questions, embedder {self.embedder.name}")

    def vectors(self) -> np.ndarray:
        """Real vectors of all passages and questions."""
        return self.searcher._known.embed([*(worded(c) for c in self.chunks), *self.questions])[0]


def say(name: str, value: object) -> None:
    print(f"{name:>34}  {value}", flush=True)


def quality(b: Bench) -> dict[str, Any]:
    """Hit rates, and the advisor's honest figure."""

    def rankings(found: list[list[Any]]) -> list[Ranking]:
        right = [f"{n:06d}" for _, n in b.asked]
        return [
            Ranking(q, b.chunks[n].document, tuple(p.rank for p in passages if p.chunk.id == id), 1)
            for (q, n), passages, id in zip(b.asked, found, right, strict=True)
        ]

    def share(some: list[Ranking], k: int) -> float:
        return round(100 * sum(hit(r, k) for r in some) / len(some), 2)

    for name, balance in (("words alone", 0.0), ("meaning alone", 1.0)):
        alone = rankings(b.searcher.search(b.questions, SearchSettings(5, balance)))
        say(f"{name}: hit@1, hit@5", (share(alone, 1), share(alone, 5)))
    default = SearchSettings(number=5)
    fused = rankings(b.searcher.search(b.questions, default))
    say("fused: hit@1, hit@5", (share(fused, 1), share(fused, 5)))
    pool = b.searcher.search(b.questions, SearchSettings(POOL))
    now = str(default.balance)
    tried = {str(w): rankings([reweighed(p, w)[:10] for p in pool]) for w in sorted({default.balance, *BALANCES})}
    side = halves(fused)
    tune, held = ([n for n, first in enumerate(side) if first is which] for which in (True, False))
    best, _ = best_of(tried, dict.fromkeys(tried, 5), now, tune)
    advisor, before = share([tried[best][n] for n in held], 5), share([tried[now][n] for n in held], 5)
    say(f"advisor ({len(tune):,} tune, {len(held):,} held out)", f"balance {best}: {advisor}, default {before}")
    return {"hit1": share(fused, 1), "hit5": share(fused, 5), "advisor_hit5": advisor, "default_hit5_held_out": before}


def embed(b: Bench) -> dict[str, Any]:
    """Ours against the library's plain call, interleaved, on the same texts."""
    from sentence_transformers import SentenceTransformer

    folder = built_in_folder()
    if folder is None:
        return {"embed_vs_st": None}
    plain = SentenceTransformer(str(folder), device="cpu", trust_remote_code=False, local_files_only=True)
    texts = [worded(c) for c in random.Random(7).sample(b.chunks, 192)]
    b.embedder.embed(texts[:8]), plain.encode(texts[:8])
    ours, theirs = [], []
    for start in range(0, len(texts), 64):
        part = texts[start : start + 64]
        for times, call in ((ours, b.embedder.embed), (theirs, plain.encode)):
            began = time.process_time()
            call(part)
            times.append(time.process_time() - began)
    say("ours, passages per CPU-second", round(len(texts) / sum(ours), 1))
    say("SentenceTransformer.encode", round(len(texts) / sum(theirs), 1))
    return {"embed_vs_st": round(sum(theirs) / sum(ours), 2), "embed_per_cpu_s": round(len(texts) / sum(ours), 1)}


def batch(b: Bench) -> dict[str, Any]:
    """One batch against two loops; CPU time, questions embedded in each."""
    import lancedb
    from lancedb.index import FTS

    settings = SearchSettings(5)
    fresh = LanceSearcher(b.work / "index.lance", b.embedder)  # knows no question's vector
    fresh.search(b.questions[:1], settings)
    began = time.process_time()
    fresh.search(b.questions, settings)
    whole = (time.process_time() - began) / len(b.questions)
    sample = random.Random(7).sample(b.questions, SAMPLE)
    began = time.process_time()
    for question in sample:
        fresh.search([question], settings)
    single = (time.process_time() - began) / SAMPLE
    table = lancedb.connect(b.work / "index.lance").open_table(shelf.TABLE)
    if not any("words" in i.columns for i in table.list_indices()):
        table.create_index("words", config=FTS(base_tokenizer="icu", stem=True))

    def theirs(question: str) -> Any:
        query = table.search(query_type="hybrid", vector_column_name="vector", fts_columns="words")
        bare = " ".join(re.findall(r"\w+", question))
        return query.vector(b.embedder.embed([question])[0]).text(bare).limit(5).to_list()

    theirs(sample[0])
    began = time.process_time()
    for question in sample:
        theirs(question)
    hybrid = (time.process_time() - began) / SAMPLE
    began = time.process_time()
    b.embedder.embed(b.questions[::10])
    reading = (time.process_time() - began) / len(b.questions[::10])
    say("batch, CPU-ms a question", f"{1000 * whole:.2f} (embedding alone {1000 * reading:.2f})")
    say("loop of single searches", f"{1000 * single:.2f}")
    say("loop of LanceDB hybrid queries", f"{1000 * hybrid:.2f}")
    return {"batch_vs_loop": round(single / whole, 1), "batch_vs_lancedb_loop": round(hybrid / whole, 1),
            "batch_ms": round(1000 * whole, 2)}  # fmt: skip


def mixed(b: Bench, number: int) -> np.ndarray:
    """Vectors as real ones lie: each a mixture of two, and a little noise."""
    real, rng = b.vectors(), np.random.default_rng(3)
    first, second = real[rng.integers(len(real), size=number)], real[rng.integers(len(real), size=number)]
    rows = 0.65 * first + 0.35 * second + rng.normal(0, 0.01, (number, real.shape[1]))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def many(b: Bench, number: int) -> list[Chunk]:
    """Passages of three random sentences of the corpus each."""
    sentences = [s for c in b.chunks for s in re.split(r"(?<=[.!?])\s+", c.text) if len(s) > 40]
    rng = random.Random(5)
    texts = (" ".join(rng.sample(sentences, 3)) for _ in range(number))
    return [Chunk(f"{n:06d}", f"d{n // 100}", f"part {n // 100}", 1, (), n, n + 1, t, 90) for n, t in enumerate(texts)]


def ingest(b: Bench) -> dict[str, Any]:
    """Adding 20,000 ready vectors with texts; wall time."""
    number = 20_000
    vectors, chunks = mixed(b, number), many(b, number)
    shutil.rmtree(b.work / "ingest", ignore_errors=True)
    ours = shelf.Shelf(b.work / "ingest" / "ours.lance")
    began = time.perf_counter()
    ours.write(None, chunks, vectors, "benchmark", worded)
    rate = number / (time.perf_counter() - began)
    say("ours, rows per second", f"{rate:,.0f}")
    if not b.chroma:
        say("chromadb", "not measured: name an interpreter that has it with --chroma")
        return {"ingest_vs_chroma": None, "ingest_rows_per_s": round(rate)}
    np.save(b.work / "rows.npy", vectors)
    (b.work / "texts.json").write_text(json.dumps([worded(c) for c in chunks]))
    ran = subprocess.run(
        [b.chroma, "-c", CHROMA, b.work / "rows.npy", b.work / "texts.json", b.work / "ingest" / "chroma"],
        capture_output=True, text=True, check=True, env={**os.environ, "ANONYMIZED_TELEMETRY": "False"},
    )  # fmt: skip
    theirs = json.loads(ran.stdout.strip().splitlines()[-1])
    say(f"chromadb {theirs['version']}", f"{theirs['rows'] / theirs['seconds']:,.0f}")
    return {"ingest_vs_chroma": round(rate * theirs["seconds"] / theirs["rows"], 1), "ingest_rows_per_s": round(rate)}


def large(b: Bench) -> dict[str, Any]:
    """100,000 passages with the index of vectors built."""
    place = b.work / "large.lance"
    if not (place / "ready").exists():
        shutil.rmtree(place, ignore_errors=True)
        stock = shelf.Shelf(place)
        stock.write(None, many(b, LARGE), mixed(b, LARGE), b.embedder.fingerprint, worded)
        began = time.process_time()
        stock.settle(quiet)
        say("index built, CPU-seconds", round(time.process_time() - began))
        (place / "ready").touch()
    searcher = LanceSearcher(place, b.embedder)
    began = time.perf_counter()
    searcher.search(["warm"], SearchSettings())
    say("first search, seconds", round(time.perf_counter() - began, 1))
    index = searcher._read()
    assert index is not None and index.near, "the index of vectors is not in use"
    sample = random.Random(11).sample(b.questions, 200)
    times, work = [], time.process_time()
    for question in sample:
        began = time.perf_counter()
        searcher.search([question], SearchSettings(5))
        times.append(1000 * (time.perf_counter() - began))
    work = 1000 * (time.process_time() - work) / len(sample)
    asked = b.searcher._known.embed(sample)[0]
    exact = np.argpartition(-(asked @ index.vectors.T), 10, axis=1)[:, :10]
    found = [[index.rows[id] for id in shelf.nearest(index.table, v, 50)[:10]] for v in asked]
    recall = np.mean([len(set(e) & set(f)) / 10 for e, f in zip(exact.tolist(), found, strict=True)])
    say("hybrid, ms: median, 95 %", [round(float(np.percentile(times, q)), 1) for q in (50, 95)])
    say("hybrid, CPU-ms", round(work, 1))
    say("recall@10 of the index of vectors", round(float(recall), 4))
    return {
        "hybrid_p50_ms_100k": round(statistics.median(times), 1),
        "hybrid_cpu_ms_100k": round(work, 1),
        "recall10_100k": round(float(recall), 4),
    }


def preview(b: Bench) -> dict[str, Any]:
    """A preview after each move of the slider, every document of the handbook, worst case."""
    folder = built_in_folder()
    files = sorted((b.data / "corpora" / "handbook").rglob("*.md"))
    if folder is None or not files:
        return {"preview_ms": None}
    chunker, times = PassageChunker(folder / "tokenizer.json"), []
    for file in files:
        document = Document(file.name, file.name, file.name, "markdown", "", 0, 1, 1, (0,))
        text = file.read_text(encoding="utf-8")
        for size in (120, 200):
            began = time.perf_counter()
            chunks = chunker.cut(document, text, ChunkSettings(size, 16), 40)
            chunker.count([c.text for c in chunks], ROOT / "assets" / "models" / "reader")
            times.append(1000 * (time.perf_counter() - began))
    say("preview, ms: median, worst", (round(statistics.median(times), 1), round(max(times), 1)))
    return {"preview_ms": round(max(times), 1), "preview_p50_ms": round(statistics.median(times), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--chroma", default="", help="a Python that has chromadb")
    parser.add_argument("--parts", default=",".join(PARTS))
    args = parser.parse_args()
    bench = Bench(args.data, args.work, args.chroma)
    figures: dict[str, Any] = {}
    for part in args.parts.split(","):
        if part not in PARTS:
            parser.error(f"no part {part}; there are {', '.join(PARTS)}")
        figures |= globals()[part](bench)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

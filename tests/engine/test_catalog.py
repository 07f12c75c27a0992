"""The catalog: which folders are models, what is refused and why, and downloads that end in words."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ragtune_ui.domain.errors import ModelError, Stopped
from ragtune_ui.engine import downloads
from ragtune_ui.engine.catalog import ModelCatalog, header_problem
from ragtune_ui.settings import Settings

PRESETS = Path(__file__).parents[2] / "presets"


def quiet(done: int, total: int, note: str) -> None:
    return None


def settings(tmp_path: Path, network: bool = True) -> Settings:
    return Settings(home=tmp_path / "home", assets=tmp_path / "assets", presets=PRESETS, network=network)


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model to spoil."""
    return Path(shutil.copytree(tiny_model, tmp_path / "My Model"))


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


# --- folders


def test_a_good_folder_is_described_and_joins_the_choices(copy: Path, tmp_path: Path) -> None:
    catalog = ModelCatalog(settings(tmp_path))
    choice = catalog.look(copy)
    assert (choice.id, choice.title, choice.source, choice.positions) == (str(copy), "My Model", "folder", 1024)
    assert choice.here and not choice.problem and choice.memory > choice.size > 100_000
    assert catalog.folder(str(copy), quiet) == copy
    assert choice in catalog.choices()


def test_folders_added_earlier_are_listed_with_what_is_wrong_with_them(copy: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    listed = ModelCatalog(settings(tmp_path), folders=lambda: [str(copy), str(gone)]).choices()
    by_id = {c.id: c for c in listed}
    assert not by_id[str(copy)].problem
    assert "no such folder" in by_id[str(gone)].problem


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "no such folder"),
    "no description": (lambda f: (f / "config.json").unlink(), "lacks a model's description"),
    "torn description": (lambda f: (f / "config.json").write_text('{"model'), "cannot be read"),
    "description is a list": (lambda f: (f / "config.json").write_text("[]"), "not what it should be"),
    "deep description": (lambda f: (f / "config.json").write_text("[" * 100_000), "cannot be read"),
    "own code": (
        lambda f: edit(f / "config.json", auto_map={"AutoModelForCausalLM": "evil.Model"}),
        "code of its own",
    ),
    "tokenizer's own code": (
        lambda f: edit(f / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]}),
        "code of its own",
    ),
    "a python file": (lambda f: (f / "modeling.py").write_text("1"), "could run code"),
    "a pickle": (lambda f: (f / "pytorch_model.bin").write_bytes(b"\x80"), "could run code"),
    "a training state": (lambda f: (f / "OPTIMIZER.PT").write_bytes(b"\x80"), "could run code"),
    "unknown kind": (lambda f: edit(f / "config.json", model_type="nonesuch"), "not known here"),
    "an encoder": (
        lambda f: edit(f / "config.json", model_type="bert", architectures=["BertModel"]),
        "does not write text",
    ),
    "a classifier": (
        lambda f: edit(f / "config.json", architectures=["LlamaForSequenceClassification"]),
        "does not write text",
    ),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "no weights"),
    "half the weights": (
        lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-1000]),
        "damaged",
    ),
    "a missing part": (
        lambda f: (f / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-2.safetensors"}}'),
        "part of the weights is missing",
    ),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer is missing"),
    "no chat template": (lambda f: (f / "chat_template.jinja").unlink(), "no chat template"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_what_cannot_be_used_or_trusted_is_refused_in_words(copy: Path, tmp_path: Path, how: str) -> None:
    spoil, said = SPOILED[how]
    spoil(copy)
    catalog = ModelCatalog(settings(tmp_path))
    with pytest.raises(ModelError, match=said) as error:
        catalog.look(copy)
    assert error.value.remedy
    with pytest.raises(ModelError, match=said):
        catalog.folder(str(copy), quiet)


def header(table: object, data: bytes = b"\0" * 8, length: int | None = None) -> bytes:
    text = json.dumps(table).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


@pytest.mark.parametrize(
    ("data", "good"),
    [
        (header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}), True),
        (header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, length=2**63), False),
        (header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, b"\0" * 7), False),
        (header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, b"\0" * 9), False),
        (header({"a": {"data_offsets": [0, 8]}, "b": {"data_offsets": [4, 8]}}), False),
        (header({"a": {"data_offsets": [0, -8]}}), False),
        (header({"a": {"data_offsets": ["0", "8"]}}), False),
        (header({"a": {"data_offsets": [0, 4, 8]}}), False),
        (header({}), False),
        (header([1]), False),
        (b"", False),
        (b"\x80\x04not safetensors at all", False),
    ],
)
def test_a_header_that_does_not_fit_its_file_is_found(tmp_path: Path, data: bytes, good: bool) -> None:
    (tmp_path / "x.safetensors").write_bytes(data)
    assert bool(header_problem(tmp_path / "x.safetensors")) != good


# --- the built-in reader and the list


def test_the_built_in_reader_is_the_first_choice_and_its_absence_is_told(tiny_model: Path, tmp_path: Path) -> None:
    given = settings(tmp_path)
    first = ModelCatalog(given).choices()[0]
    assert first.id == "built-in" and not first.here and "weights are missing" in first.problem
    with pytest.raises(ModelError, match="weights are missing"):
        ModelCatalog(given).folder("built-in", quiet)
    shutil.copytree(tiny_model, given.assets / "models" / "reader")
    (given.assets / "models" / "reader" / "build.py").write_text("raise SystemExit")
    first = ModelCatalog(given).choices()[0]
    assert first.here and not first.problem and (first.positions, first.passages) == (1024, 0)
    config = given.assets / "models" / "reader" / "config.json"
    hinted = {**json.loads(config.read_text()), "task_specific_params": {"retrieval": {"passages": 2}}}
    config.write_text(json.dumps(hinted))
    assert ModelCatalog(given).choices()[0].passages == 2
    for odd in ("2", {"retrieval": 2}, {"retrieval": {"passages": "two"}}, {"retrieval": {"passages": -1}}, [2]):
        config.write_text(json.dumps(hinted | {"task_specific_params": odd}))
        assert ModelCatalog(given).choices()[0].passages == 0, odd  # anyone may have written the configuration
    config.write_text(json.dumps(hinted))
    assert ModelCatalog(given).folder("built-in", quiet) == given.assets / "models" / "reader"


def test_listing_the_models_loads_no_large_library(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys; from pathlib import Path; from ragtune_ui.engine.catalog import ModelCatalog;"
        "from ragtune_ui.settings import Settings; from dataclasses import replace;"
        f"ModelCatalog(replace(Settings.from_env({{}}), home=Path({str(tmp_path)!r}))).choices();"
        "print([m for m in ('torch', 'transformers', 'huggingface_hub') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_list_of_hub_models_is_read_strictly(tmp_path: Path) -> None:
    offers = [c for c in ModelCatalog(settings(tmp_path)).choices() if c.source == "hub"]
    assert len(offers) >= 6 and all(c.licence in ("Apache-2.0", "MIT") and not c.problem for c in offers)
    assert all(c.memory > c.size > 10**8 and c.positions >= 2048 and c.about for c in offers)
    closed = ModelCatalog(settings(tmp_path, network=False)).choices()
    assert all("switched off" in c.problem for c in closed if c.source == "hub")
    own = tmp_path / "presets"
    own.mkdir()
    (own / "models.toml").write_text('[[model]]\nid = "a/b"\ncolour = "blue"\n')
    with pytest.raises(Exception, match="model 1 has an unknown key: colour"):
        ModelCatalog(Settings(tmp_path, tmp_path, own)).choices()


# --- downloads


class FakeHub:
    """What huggingface_hub would do, out of a folder."""

    def __init__(self, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import huggingface_hub

        self.source, self.fail, self.asked = source, {}, []  # type: ignore[var-annotated]
        self.error: Exception | None = None
        self.extra: list[str] = []
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: self)
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", self.download)
        monkeypatch.setattr(huggingface_hub, "is_offline_mode", lambda: False)

    def model_info(self, id: str, files_metadata: bool, timeout: float) -> Any:
        if self.error:
            raise self.error
        names = [f.name for f in self.source.iterdir()] + self.extra
        return SimpleNamespace(sha="a" * 40, siblings=[self._sibling(n) for n in names])

    def _sibling(self, name: str) -> Any:
        data = (self.source / name).read_bytes() if (self.source / name).exists() else b""
        lfs = SimpleNamespace(sha256=hashlib.sha256(data).hexdigest()) if name.endswith(".safetensors") else None
        return SimpleNamespace(rfilename=name, size=len(data), lfs=lfs)

    def download(self, id: str, name: str, revision: str, local_dir: Path, tqdm_class: type) -> str:
        assert revision == "a" * 40
        self.asked.append(name)
        data = (self.source / name).read_bytes()
        trouble = self.fail.pop(name, None)
        if isinstance(trouble, Exception):
            raise trouble
        with tqdm_class(total=len(data), initial=0, desc=name) as bar:
            bar.update(len(data) // 2)
            bar.refresh()
            bar.update(len(data) - len(data) // 2)
        (local_dir / name).write_bytes(data if trouble is None else trouble(data))
        return str(local_dir / name)


@pytest.fixture
def hub(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    return FakeHub(tiny_model, monkeypatch)


def test_a_model_is_fetched_whole_once_and_found_again(hub: FakeHub, tmp_path: Path) -> None:
    hub.extra = ["pytorch_model.bin", "onnx/model.safetensors", "consolidated.safetensors", "modeling.py"]
    catalog, seen = ModelCatalog(settings(tmp_path)), []
    place = catalog.folder("owner/tiny", lambda done, total, note: seen.append((done, total)), allow_download=True)
    assert not set(hub.asked) & set(hub.extra)
    total = seen[0][1]
    assert [d for d, _ in seen] == sorted(d for d, _ in seen) and seen[-1] == (total, total)
    assert json.loads((place / downloads.MARK).read_text()) == {"id": "owner/tiny", "revision": "a" * 40}
    hub.asked.clear()
    offline = ModelCatalog(settings(tmp_path, network=False))
    assert offline.folder("owner/tiny", quiet) == place and not hub.asked
    assert [p.name for p in place.parent.iterdir()] == [place.name]


def test_a_broken_download_is_told_kept_and_gone_on_with(hub: FakeHub, tmp_path: Path) -> None:
    catalog = ModelCatalog(settings(tmp_path))
    for trouble, said in [
        (ConnectionError("reset"), "connection"),
        (TimeoutError("slow"), "connection"),
        (OSError(28, "No space left on device"), "disk is full"),
        (OSError("Consistency check failed: file should be of size 4"), "broke off"),
        (lambda data: data[:-3], "arrived damaged"),
        (lambda data: b"\1" + data[1:], "arrived damaged"),
    ]:
        hub.fail = {"model.safetensors": trouble}
        with pytest.raises(ModelError, match=said) as error:
            catalog.folder("owner/tiny", quiet, allow_download=True)
        assert error.value.remedy and "owner--tiny" not in error.value.sentence
        assert catalog._hub.place("owner/tiny") is None
    assert catalog.folder("owner/tiny", quiet, allow_download=True).is_dir()


def test_a_stop_ends_a_download(hub: FakeHub, tmp_path: Path) -> None:
    calls: list[int] = []

    def stop(done: int, total: int, note: str) -> None:
        calls.append(done)
        if len(calls) == 4:
            raise Stopped("Stopped.")

    with pytest.raises(Stopped):
        ModelCatalog(settings(tmp_path)).folder("owner/tiny", stop, allow_download=True)
    assert len(hub.asked) < 4


def http(kind: type, code: int = 404) -> Exception:
    import httpx2

    return kind("no", response=httpx2.Response(code, request=httpx2.Request("GET", "https://example.invalid")))


@pytest.mark.parametrize(
    ("error", "said"),
    [("gated", "accepted its terms"), ("unknown", "does not know"), ("busy", "slow down"), ("down", r"error \(503\)"),
     ("offline", "could not be reached"), ("no network", "connection")],
)  # fmt: skip
def test_what_the_hub_refuses_is_told_in_words(hub: FakeHub, tmp_path: Path, error: str, said: str) -> None:
    import httpx2
    from huggingface_hub import errors

    hub.error = {
        "gated": lambda: http(errors.GatedRepoError, 403),
        "unknown": lambda: http(errors.RepositoryNotFoundError),
        "busy": lambda: http(errors.HfHubHTTPError, 429),
        "down": lambda: http(errors.HfHubHTTPError, 503),
        "offline": lambda: errors.OfflineModeIsEnabled("off"),
        "no network": lambda: httpx2.ConnectError("Name or service not known"),
    }[error]()
    with pytest.raises(ModelError, match=said) as told:
        ModelCatalog(settings(tmp_path)).folder("owner/tiny", quiet, allow_download=True)
    assert told.value.remedy


def test_too_little_room_is_told_before_anything_is_fetched(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(ModelError, match="not enough room"):
        ModelCatalog(settings(tmp_path)).folder("owner/tiny", quiet, allow_download=True)
    assert not hub.asked


def test_a_model_with_unsafe_weights_only_is_not_fetched(hub: FakeHub, copy: Path, tmp_path: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    hub.source = copy
    with pytest.raises(ModelError, match="no weights in the safetensors format"):
        ModelCatalog(settings(tmp_path)).folder("owner/tiny", quiet, allow_download=True)
    assert not hub.asked


def test_a_fetched_model_that_brings_code_is_not_published(hub: FakeHub, copy: Path, tmp_path: Path) -> None:
    edit(copy / "config.json", auto_map={"AutoModelForCausalLM": "evil.Model"})
    hub.source = copy
    catalog = ModelCatalog(settings(tmp_path))
    with pytest.raises(ModelError, match="code of its own"):
        catalog.folder("owner/tiny", quiet, allow_download=True)
    assert catalog._hub.place("owner/tiny") is None


def test_nothing_is_fetched_without_being_allowed(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    with pytest.raises(ModelError, match="not on this computer"):
        ModelCatalog(settings(tmp_path)).folder("owner/tiny", quiet)
    with pytest.raises(ModelError, match="switched off"):
        ModelCatalog(settings(tmp_path, network=False)).folder("owner/tiny", quiet, allow_download=True)
    monkeypatch.setattr(huggingface_hub, "is_offline_mode", lambda: True)
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE"):
        ModelCatalog(settings(tmp_path)).folder("owner/tiny", quiet, allow_download=True)
    assert not hub.asked


@pytest.mark.parametrize("id", ["", "plain", "../up/x", "a/../b", "owner/na me", "a/b/c", "https://x/y", "-a/b"])
def test_what_is_no_model_name_is_told(tmp_path: Path, id: str) -> None:
    with pytest.raises(ModelError, match="not a model's name"):
        ModelCatalog(settings(tmp_path)).folder(id, quiet, allow_download=True)

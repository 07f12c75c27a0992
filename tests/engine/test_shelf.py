"""Shelf: addresses, options, the index of vectors, older tables, and stores that do not answer."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ragtune_ui.domain.errors import PassageError, Stopped
from ragtune_ui.domain.passages import SearchSettings
from ragtune_ui.engine import shelf
from ragtune_ui.engine.searcher import LanceSearcher, worded
from ragtune_ui.engine.shelf import Shelf, options_from
from tests.engine.test_searcher import CHUNKS, CountingEmbedder, chunk, found, quiet


def many(number: int) -> tuple[list, np.ndarray]:
    rows = np.random.default_rng(1).standard_normal((number, 384)).astype(np.float32)
    chunks = [chunk(n, f"d{n // 10}", f"Item {n} of the store.") for n in range(number)]
    return chunks, rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_an_address_of_files_works_as_a_folder_does(tmp_path: Path) -> None:
    place = f"file://{tmp_path}/bucket/index.lance"
    searcher = LanceSearcher(place, CountingEmbedder())
    assert searcher.count() == 0 and not (tmp_path / "bucket").exists()
    searcher.update(CHUNKS, quiet)
    assert found(searcher, "winch brake")[0] == CHUNKS[0].text
    assert (tmp_path / "bucket" / "index.lance" / "passages.lance").is_dir()
    assert LanceSearcher(tmp_path / "bucket" / "index.lance", CountingEmbedder()).count() == 5
    assert searcher.update([], quiet).removed == 5
    assert searcher.count() == 0 and not (tmp_path / "bucket" / "index.lance").exists()


def test_a_store_in_memory_takes_the_far_way() -> None:
    searcher = LanceSearcher("memory://far-way", CountingEmbedder())
    assert Shelf("memory://x").far and not Shelf("file:///x").far
    assert searcher.count() == 0


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_a_store_that_does_not_answer_is_said_in_words(scheme: str) -> None:
    nowhere = "http://127.0.0.1:9"
    options = {
        "aws_endpoint": nowhere, "aws_access_key_id": "a", "aws_secret_access_key": "b", "region": "x",
        "allow_http": "true", "client_max_retries": "0", "timeout": "2s", "google_service_account": "/no/such/key.json",
        "azure_storage_account_name": "a", "azure_storage_account_key": "Yg==", "azure_endpoint": nowhere,
    }  # fmt: skip
    searcher = LanceSearcher(f"{scheme}://bucket/index.lance", CountingEmbedder(), options=options)
    with pytest.raises(PassageError, match="cannot be reached") as caught:
        searcher.update(CHUNKS, quiet)
    assert "RAGTUNE_INDEX" in caught.value.remedy and caught.value.details != "b"


def test_options_are_json_or_a_sentence() -> None:
    assert options_from(" ") == {} and options_from('{"region": "eu", "timeout": 5}') == {
        "region": "eu",
        "timeout": "5",
    }
    for wrong in ("region=eu", "[1]", "{"):
        with pytest.raises(PassageError, match="not readable"):
            options_from(wrong)


def test_an_older_table_is_read_and_added_to(tmp_path: Path) -> None:
    searcher = LanceSearcher(tmp_path / "index.lance", CountingEmbedder())
    searcher.update(CHUNKS[:3], quiet)
    stock = Shelf(tmp_path / "index.lance")
    stock.open().drop_columns(["mended"])
    old = LanceSearcher(tmp_path / "index.lance", CountingEmbedder())
    assert old.count() == 3 and found(old, "winch brake")[0] == CHUNKS[0].text
    old.update(CHUNKS, quiet)
    assert old.count() == 5 and "mended" in stock.open().schema.names


def on_disk(place: Path, word: str) -> list[str]:
    """Files under a folder that hold a word."""
    return [p.name for p in place.rglob("*") if p.is_file() and word.encode() in p.read_bytes()]


def test_what_is_removed_or_mended_is_in_no_file(tmp_path: Path) -> None:
    place = tmp_path / "index.lance"
    searcher = LanceSearcher(place, CountingEmbedder())
    others, _ = many(60)  # so many that LanceDB by itself would only mark the others as removed
    secret, typo = chunk(900, "will.md", "Aldous inherits the quarry."), chunk(901, "d0", "The foghornn is tested.")
    searcher.update([*others, secret, typo], quiet)
    assert on_disk(place, "quarry") and on_disk(place, "foghornn")
    right = replace(typo, text="The foghorn is tested.")
    searcher.update([*others, secret, right], quiet)
    assert not on_disk(place, "foghornn") and on_disk(place, "quarry")
    searcher.update([*others, right], quiet)
    assert not on_disk(place, "quarry") and not on_disk(place, "will.md")
    assert len(list(place.rglob("*.manifest"))) == 1
    fresh = LanceSearcher(place, CountingEmbedder())
    assert fresh.count() == 61 and found(fresh, "foghorn")[0] == right.text


def test_what_an_earlier_version_of_ragtune_left_goes_with_the_next_update(tmp_path: Path) -> None:
    place = tmp_path / "index.lance"
    searcher, (others, _) = LanceSearcher(place, CountingEmbedder()), many(60)
    searcher.update([*others, chunk(900, "will.md", "Aldous inherits the quarry.")], quiet)
    searcher._shelf.remove([chunk(900, "", "").id])
    searcher._shelf.open().optimize()
    assert on_disk(place, "quarry")
    assert searcher.update(others, quiet).removed == 0
    assert not on_disk(place, "quarry") and searcher.count() == 60


def test_a_large_table_is_written_anew_for_a_document_not_for_a_passage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "LARGE", 20)
    built: list[int] = []
    monkeypatch.setattr(shelf, "_build", lambda table: built.append(1))
    monkeypatch.setattr(shelf, "near_ready", lambda table: bool(built))
    place, (chunks, _) = tmp_path / "index.lance", many(60)
    searcher = LanceSearcher(place, CountingEmbedder())
    searcher.update(chunks, quiet)
    version = searcher._shelf.open().version
    searcher.update(chunks[1:], quiet)
    assert on_disk(place, "Item 0 of") and searcher._shelf.open().version > version
    searcher.update(chunks[10:], quiet)
    assert not on_disk(place, "Item 0 of") and not on_disk(place, "Item 5 of") and searcher.count() == 50


def test_above_its_size_the_index_of_vectors_is_built_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "LARGE", 300)
    chunks, _ = many(400)
    searcher = LanceSearcher(tmp_path / "index.lance", CountingEmbedder())
    heard: list[str] = []
    searcher.update(chunks, lambda done, total, note: heard.append(note))
    assert any("fast index" in note for note in heard)
    index = searcher._read()
    assert index is not None and index.near
    asked: list[int] = []
    real = shelf.nearest
    monkeypatch.setattr(shelf, "nearest", lambda *a: asked.append(1) or real(*a))
    near = [p.chunk.id for p in searcher.search(["Item 77 of the store"], SearchSettings(5))[0]]
    assert asked and near[0] == chunks[77].id
    exact = searcher.search(["Item 77 of the store"] * 9, SearchSettings(5))[0]
    assert [p.chunk.id for p in exact] == near and len(asked) == 1
    monkeypatch.setattr(shelf, "nearest", lambda *a: (_ for _ in ()).throw(RuntimeError("Not found: data/1.lance")))
    assert [p.chunk.id for p in searcher.search(["Item 77 of the store"], SearchSettings(5))[0]] == near
    only = searcher.search(["Item 77 of the store"], SearchSettings(5), ["d3"])[0]
    assert {p.chunk.document for p in only} == {"d3"} and len(asked) == 1


def test_a_stop_while_the_index_of_vectors_is_built_leaves_search_working(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "LARGE", 3)
    gate = threading.Event()
    monkeypatch.setattr(shelf, "_build", lambda table: gate.wait(20))

    def stop(done: int, total: int, note: str) -> None:
        if "fast index" in note:
            raise Stopped("Stopped.")

    searcher = LanceSearcher(tmp_path / "index.lance", CountingEmbedder())
    with pytest.raises(Stopped):
        searcher.update(CHUNKS, stop)
    gate.set()
    assert searcher.count() == 5 and found(searcher, "winch brake")[0] == CHUNKS[0].text


def test_a_failed_build_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck"):
        shelf._while_waiting(fail, quiet)


def test_thousands_of_rows_are_written_in_few_versions(tmp_path: Path) -> None:
    chunks, rows = many(2000)
    stock = Shelf(tmp_path / "index.lance")
    table = stock.write(None, chunks, rows, "print", worded)
    assert table.count_rows() == 2000 and table.version == 1 and shelf.embedder_of(table) == "print"

"""Shelf: the table of passages in LanceDB, in a folder or in object storage, opened in one place.

``place`` is a folder or an address such as ``s3://bucket/index``; then ``options`` go to the store as
they are (LanceDB's ``storage_options``: keys, region, endpoint).
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragtune_ui.domain.errors import PassageError
from ragtune_ui.domain.passages import Chunk
from ragtune_ui.domain.ports import Progress

if TYPE_CHECKING:
    import numpy as np

TABLE = "passages"
BATCH = 20_000  # rows written at once: each write is a version of the table
LARGE = 50_000  # passages from which an index of vectors (HNSW) is built
BEHIND = 0.1  # share of rows outside that index from which it is built anew
AT_ONCE = timedelta(milliseconds=1)  # after which an earlier version goes: whoever searches holds the rows in memory
LOOK = 5.0  # seconds for which a table in object storage is taken to be as it was
PATIENCE = {"timeout": "20s", "connect_timeout": "5s", "client_max_retries": "2"}
_FIELDS = tuple(field.name for field in dataclasses.fields(Chunk))
_EMBEDDER, _MADE = b"embedder", b"made"
Trouble = (OSError, ValueError, RuntimeError)


class Shelf:
    """One table of passages. Nothing is made before something is written."""

    def __init__(self, place: Path | str, options: Mapping[str, str] | None = None) -> None:
        self.place = str(place)
        self.far = "://" in self.place and not self.place.startswith("file://")
        self._options = {**(PATIENCE if self.far else {}), **(options or {})}
        self._looked: tuple[float, Any] = (0.0, None)  # when (far) or at which last write (near), and what was there

    def open(self) -> Any:
        """The table as it is now; None where there is none or it is torn. Opened anew after a write only.

        Raises:
            PassageError: the object storage does not answer.
        """
        if self.far:
            if time.monotonic() - self._looked[0] < LOOK:
                return self._looked[1]
            stamp = 0.0
        else:
            stamp = self._written()
            if not stamp:
                return None
            if self._looked[1] is not None and self._looked[0] == stamp:
                return self._looked[1]
        try:
            table = self._connect().open_table(TABLE)
        except Trouble as error:
            if self.far and "was not found" not in str(error):
                raise self._unreachable(error) from None
            table = None
        self._looked = (stamp or time.monotonic(), table)
        return table

    def _written(self) -> float:
        """When the table in the folder was last written, in nanoseconds; 0 where there is none."""
        try:
            return (self._folder / f"{TABLE}.lance" / "_versions").stat().st_mtime_ns
        except OSError:
            return 0

    def state(self, table: Any) -> tuple[Any, ...]:
        """What changes with every write; a table built anew counts its versions from 1 again."""
        try:
            marks = table.schema.metadata or {}
            return (table.version, marks.get(_MADE, b""), 0 if self.far else self._written())
        except (*Trouble, AttributeError):
            return ()

    def write(self, table: Any, chunks: Sequence[Chunk], vectors: np.ndarray, embedder: str,
              words: Callable[[Chunk], str]) -> Any:  # fmt: skip
        """Put rows on the shelf, replacing those of the same id; returns the table."""
        db = self._connect()
        self._looked = (0.0, None)
        try:
            if table is not None:
                table = db.open_table(TABLE)  # a handle of its own: readers keep the version that they hold
                missing = [name for name in (f.name for f in _schema(1)) if name not in table.schema.names]
                if missing:  # an index of an earlier version of RAGTune
                    table.add_columns({name: _EMPTY[name] for name in missing})
            for start in range(0, len(chunks), BATCH):
                rows = _arrow(chunks[start : start + BATCH], vectors[start : start + BATCH], embedder, words)
                if table is None:
                    if not self.far:
                        self._folder.mkdir(parents=True, exist_ok=True)
                    table = db.create_table(TABLE, rows)
                elif not table.count_rows():
                    table.add(rows)
                else:
                    table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)
        except Trouble as error:
            if self.far:
                raise self._unreachable(error) from None
            raise
        return table

    def remove(self, ids: Sequence[str]) -> None:
        """Take rows off the shelf."""
        from lancedb.expr import col, lit

        table = self._connect().open_table(TABLE)
        self._looked = (0.0, None)
        for start in range(0, len(ids), 1000):
            table.delete(col("id").isin([lit(id) for id in ids[start : start + 1000]]))

    def drop(self) -> None:
        """Remove the table, whole or torn."""
        self._looked = (0.0, None)
        if not self.far:
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        try:
            self._connect().drop_table(TABLE, ignore_missing=True)
        except Trouble as error:
            raise self._unreachable(error) from None

    def stale(self) -> bool:
        """True where files of the folder hold rows that are no longer in the table. Object storage is not asked."""
        inside = self._folder / f"{TABLE}.lance"
        return not self.far and (any(inside.glob("_deletions/*")) or len(list(inside.glob("_versions/*.manifest"))) > 1)

    def settle(self, progress: Progress, forget: bool = False) -> None:
        """Join small files; above ``LARGE`` passages build the index of vectors. Search works meanwhile.

        With ``forget`` the whole table is written anew, so that no file keeps a word of a row that went: LanceDB
        only marks rows as removed until a tenth of their file is, and keeps earlier versions for a week.

        Raises:
            Stopped: passed on from ``progress``; the half-built index is thrown away.
        """
        db = self._connect()
        table = db.open_table(TABLE)
        if forget:
            table = db.create_table(TABLE, table.to_arrow(), mode="overwrite")
        try:
            if table.count_rows() >= LARGE and not near_ready(table):
                _while_waiting(lambda: _build(table), progress)
        finally:
            table.optimize(cleanup_older_than=AT_ONCE)
            self._looked = (0.0, None)

    @property
    def _folder(self) -> Path:
        return Path(self.place.removeprefix("file://"))

    def _connect(self) -> Any:
        """The one place where the index is connected to."""
        import lancedb

        try:
            return lancedb.connect(self.place, storage_options=self._options or None)
        except Trouble as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: Exception) -> PassageError:
        return PassageError(
            f"The index at {self.place.split('?')[0]} cannot be reached.",
            "Check the address, the keys and the network (RAGTUNE_INDEX and RAGTUNE_INDEX_OPTIONS), or leave them "
            "empty to keep the index in the project's folder.",
            str(error).split("\n")[0][:300],
        )


def embedder_of(table: Any) -> str:
    """Fingerprint of the search model that made a table's vectors."""
    return (table.schema.metadata or {}).get(_EMBEDDER, b"").decode()


def read(table: Any) -> tuple[tuple[Chunk, ...], np.ndarray, list[str]]:
    """All passages in reading order, so that equal scores rank the same after every update; their vectors
    [passages, dimensions] and the words that they are found by."""
    import numpy as np

    rows = table.to_arrow().sort_by([("document", "ascending"), ("start", "ascending"), ("id", "ascending")])
    columns = {name: rows[name].to_pylist() for name in _FIELDS if name in rows.column_names}
    columns["heading"] = [tuple(path) for path in columns["heading"]]
    columns.setdefault("mended", [False] * len(rows))
    chunks = tuple(Chunk(*values) for values in zip(*(columns[name] for name in _FIELDS), strict=True))
    vectors = rows["vector"].combine_chunks()
    flat = vectors.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    shaped = flat.reshape(len(chunks), -1) if chunks else np.zeros((0, 1), dtype=np.float32)
    return chunks, shaped, rows["words"].to_pylist()


def near_ready(table: Any) -> bool:
    """True where the index of vectors covers nearly all rows."""
    try:
        found = [i for i in table.list_indices() if "vector" in i.columns]
        if not found:
            return False
        stats = table.index_stats(found[0].name)
        return stats is not None and stats.num_unindexed_rows <= BEHIND * max(1, stats.num_indexed_rows)
    except Trouble:
        return False


def nearest(table: Any, vector: np.ndarray, most: int) -> list[str]:
    """Ids of about the ``most`` nearest passages, by the index of vectors."""
    query = table.search(vector, query_type="vector", vector_column_name="vector")
    query = query.distance_type("cosine").nprobes(PROBES).ef(4 * most).refine_factor(3)
    ids: list[str] = query.select(["id", "_distance"]).limit(most).to_arrow()["id"].to_pylist()
    return ids


PROBES = 8  # parts of the index that are looked through


def _build(table: Any) -> None:
    from lancedb.index import HnswSq

    table.create_index("vector", config=HnswSq(distance_type="cosine", num_partitions=1), replace=True)


def _while_waiting(work: Callable[[], None], progress: Progress) -> None:
    """Do ``work``, which cannot be asked how far it is, in a thread; a stop leaves it to end by itself."""
    failed: list[BaseException] = []

    def go() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=go, name="build-index", daemon=True)
    thread.start()
    began = time.monotonic()
    while thread.is_alive():
        thread.join(0.5)
        minutes = int((time.monotonic() - began) / 60)
        progress(0, 1, f"Building the fast index, {minutes} min so far; search works meanwhile")
    if failed:
        raise failed[0]


_EMPTY = {"mended": "false"}  # SQL for columns that earlier versions did not have


def _schema(width: int) -> Any:
    import pyarrow as pa

    texts, numbers = pa.string(), pa.int64()
    kinds = dict.fromkeys(("page", "start", "end", "tokens"), numbers)
    kinds |= {"heading": pa.list_(texts), "mended": pa.bool_()}
    named = [(name, kinds.get(name, texts)) for name in _FIELDS]
    return pa.schema([*named, ("words", texts), ("vector", pa.list_(pa.float32(), width))])


def _arrow(chunks: Sequence[Chunk], vectors: np.ndarray, embedder: str, words: Callable[[Chunk], str]) -> Any:
    import pyarrow as pa

    marks = {_EMBEDDER: embedder.encode(), _MADE: uuid.uuid4().hex.encode()}
    schema = _schema(vectors.shape[1]).with_metadata(marks)
    columns: dict[str, Any] = {name: [getattr(c, name) for c in chunks] for name in _FIELDS}
    columns["words"] = [words(c) for c in chunks]
    columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    return pa.table({name: pa.array(columns[name], schema.field(name).type) if name != "vector" else columns[name]
                     for name in schema.names}, schema=schema)  # fmt: skip


def options_from(text: str) -> dict[str, str]:
    """``storage_options`` from the JSON of a setting.

    Raises:
        PassageError: it is not a table of names and texts.
    """
    if not text.strip():
        return {}
    try:
        read_ = json.loads(text)
        if not isinstance(read_, dict):
            raise ValueError(text)
        return {str(k): str(v) for k, v in read_.items()}
    except ValueError:
        raise PassageError(
            "RAGTUNE_INDEX_OPTIONS is not readable.",
            'Write it as JSON, such as {"region": "eu-central-1"}, or leave it empty.',
        ) from None

"""Files that survive: whole or not at all, read strictly, and every failure in words."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from ragtune_ui.domain.errors import ProjectError, RagtuneError
from ragtune_ui.domain.questions import Decision, Question
from ragtune_ui.store import files

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Thing:
    name: str
    number: int = 0
    parts: tuple[tuple[int, int], ...] = ()


def leftovers(folder: Path) -> list[str]:
    return [p.name for p in folder.rglob(".new-*")]


# one file -------------------------------------------------------------------------------------


def test_text_and_bytes_come_back_and_make_their_folder(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a" / "b" / "word.txt", "Größe\u2028")
    files.write_bytes(tmp_path / "raw", b"\x00\xff")
    assert (tmp_path / "a" / "b" / "word.txt").read_bytes() == "Größe\u2028".encode()
    assert (tmp_path / "raw").read_bytes() == b"\x00\xff"
    assert leftovers(tmp_path) == []


def test_half_characters_become_question_marks(tmp_path: Path) -> None:
    files.write_record(tmp_path / "r.json", Thing("broken \udce4 name"))
    assert files.read_record(tmp_path / "r.json", Thing).name == "broken ? name"


WORDS = {
    errno.ENOSPC: ("The disk is full.", "Free some space"),
    errno.EFBIG: ("The disk is full.", "Free some space"),
    errno.EROFS: ("cannot be written to", "permissions"),
    errno.EIO: ("cannot be reached", "Check the disk"),
}


@pytest.mark.parametrize("number", WORDS)
@pytest.mark.parametrize("place", ["fsync", "replace", "open", "mkdir"])
def test_a_failed_write_leaves_the_old_file_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, place: str
) -> None:
    path = tmp_path / "card.json"
    files.write_text(path, "old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(*((os, "fsync") if place == "fsync" else (Path, place)), fail)
        with pytest.raises(ProjectError) as caught:
            files.write_text(path, "new")
    happened, remedy = WORDS[number]
    assert happened in str(caught.value)
    assert remedy in caught.value.remedy and "nothing was lost" in caught.value.remedy
    assert str(tmp_path) not in caught.value.sentence
    assert path.read_text() == "old"
    assert leftovers(tmp_path) == []


def test_a_busy_file_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, tries = Path.replace, []

    def held(self: Path, target: Path) -> Path:
        tries.append(target)
        if len(tries) < 4:
            raise PermissionError(errno.EACCES, "held open")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", held)
    files.write_text(tmp_path / "a", "kept")
    assert len(tries) == 4 and (tmp_path / "a").read_text() == "kept"


def test_a_file_that_stays_busy_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.time, "sleep", lambda _: None)

    def held(self: Path, target: Path) -> None:
        raise PermissionError(errno.EACCES, "held open")

    monkeypatch.setattr(Path, "replace", held)
    with pytest.raises(ProjectError, match="cannot be written to"):
        files.write_text(tmp_path / "a", "new")
    assert leftovers(tmp_path) == []


def test_folders_are_not_synced_where_the_system_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(files.os, "open", lambda *a: opened.append(a))
    with monkeypatch.context() as patched:
        patched.setattr(files.os, "name", "nt")
        files._sync_folder(tmp_path)
    assert opened == []


# records --------------------------------------------------------------------------------------


def test_a_record_comes_back_with_its_nested_tuples(tmp_path: Path) -> None:
    thing = Thing("ümlaut\n\u2028 end", 3, ((1, 2), (3, 4)))
    files.write_record(tmp_path / "t.json", thing)
    assert files.read_record(tmp_path / "t.json", Thing) == thing


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"name": "a"', "\x00" * 40, '{"name": 3}', '{"name": "a", "colour": "b"}', "[]", "[" * 100_000],
    ids=["empty", "torn", "torn later", "zeros", "type", "key", "list", "deep"],
)
def test_a_damaged_record_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(ProjectError, match=r"card\.json") as caught:
        files.read_record(tmp_path / "card.json", Thing)
    assert "backup" in caught.value.remedy


def test_a_missing_record_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"missing: card\.json"):
        files.read_json(tmp_path / "card.json")


def test_every_cut_of_a_record_opens_or_explains_itself(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    files.write_record(path, Thing("a name", 12, ((1, 2),)))
    whole, opened = path.read_bytes(), 0
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        try:
            assert files.read_record(path, Thing) == Thing("a name", 12, ((1, 2),))
            opened += 1
        except ProjectError as error:
            assert error.remedy
    assert opened == 1  # all but the last newline is there


def question(n: int) -> Question:
    return Question(f"q{n}", f"Why {n}?\u2028", "because", "evi\ndence", "d", n, n + 3)


def test_records_come_back_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    assert files.read_records(path, Question) == []
    wanted = [Decision((question(1), question(2)), "approved 2"), Decision((), "rejected")]
    files.write_records(path, wanted)
    assert files.read_records(path, Decision) == wanted
    assert path.read_bytes().count(b"\n") == 2


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    files.write_records(path, [question(n) for n in range(3)])
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert files.read_records(path, Question) == [question(n) for n in range(whole[:size].count(b"\n"))]


@pytest.mark.parametrize(
    "bad", ['{"id": "x"', '{"id": "x", "question": "y"}', '{"id": "x", "hue": 1}', "7", "\x00\x00"]
)
def test_a_bad_complete_line_is_named(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "many.jsonl"
    good = json.dumps({"id": "a", "question": "b", "answer": "c"})
    path.write_text(f"{good}\n\n{bad}\n{good}\n")
    with pytest.raises(ProjectError, match=r"Line 3 of many\.jsonl") as caught:
        files.read_records(path, Question)
    assert caught.value.details and caught.value.remedy


# append ---------------------------------------------------------------------------------------


def test_a_line_is_appended_and_a_torn_tail_closed_first(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log"
    files.append_line(path, "one\n")
    with path.open("ab") as f:
        f.write(b"tor")
    files.append_line(path, "two\n", sync=False)
    files.append_line(path, "three\n")
    assert path.read_text() == "one\ntor\ntwo\nthree\n"
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0


def test_a_line_that_is_taken_in_part_is_not_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(files.os, "write", lambda fd, data: real(fd, data[:3]))
    with pytest.raises(ProjectError, match="disk is full"):
        files.append_line(tmp_path / "log", "a whole line\n")
    monkeypatch.undo()
    files.append_line(tmp_path / "log", "next\n")
    assert (tmp_path / "log").read_text() == "a w\nnext\n"


def test_an_append_that_cannot_open_says_so(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with pytest.raises(ProjectError, match="cannot be reached"):
        files.append_line(tmp_path / "log", "x\n")


# cache ----------------------------------------------------------------------------------------


def test_an_unchanged_file_is_read_once(tmp_path: Path) -> None:
    path, reads = tmp_path / "t.json", []

    def read(path: Path, kind: type[Thing]) -> Thing:
        reads.append(path)
        return files.read_record(path, kind)

    files.write_record(path, Thing("a"))
    assert files.cached(path, Thing, read) == files.cached(path, Thing, read) == Thing("a")
    assert len(reads) == 1
    files.write_record(path, Thing("b"))
    assert files.cached(path, Thing, read) == Thing("b")
    assert len(reads) == 2


def test_two_writes_of_one_size_at_one_time_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    files.write_record(path, Thing("approved"))
    os.utime(path, ns=(1, 1))
    assert files.cached(path, Thing, files.read_record).name == "approved"
    files.write_record(path, Thing("rejected"))
    os.utime(path, ns=(1, 1))
    assert files.cached(path, Thing, files.read_record).name == "rejected"


def test_a_file_that_is_not_there_is_not_remembered(tmp_path: Path) -> None:
    assert files.cached(tmp_path / "none.jsonl", Thing, files.read_records) == []
    files.write_records(tmp_path / "none.jsonl", [Thing("a")])
    assert files.cached(tmp_path / "none.jsonl", Thing, files.read_records) == [Thing("a")]


# folders --------------------------------------------------------------------------------------


def fill(text: str):
    def write(folder: Path) -> None:
        (folder / "deep").mkdir()
        (folder / "a.txt").write_text(text)
        (folder / "deep" / "b.bin").write_bytes(text.encode() * 1000)

    return write


def test_a_published_folder_is_whole_and_verified(tmp_path: Path) -> None:
    final = tmp_path / "runs" / "adapter"
    files.publish(final, fill("one"))
    assert files.verified(final) and (final / "a.txt").read_text() == "one"
    files.publish(final, fill("two"))
    assert files.verified(final) and (final / "a.txt").read_text() == "two"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("name", ["a.txt", "deep/b.bin", files.MANIFEST])
@pytest.mark.parametrize("harm", ["cut", "flip", "delete", "zero", "longer"])
def test_any_harm_to_any_file_is_noticed(tmp_path: Path, name: str, harm: str) -> None:
    final = tmp_path / "adapter"
    files.publish(final, fill("content"))
    path = final / name
    data = path.read_bytes()
    if harm == "delete":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(data[:-5])
    elif harm == "zero":
        path.write_bytes(b"\x00" * len(data))
    elif harm == "longer":
        path.write_bytes(data + b"!")
    else:
        at = data.index(b'"') + 1 if name == files.MANIFEST else len(data) // 2
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert not files.verified(final)


@pytest.mark.parametrize("manifest", ["[]", "7", '{"a.txt": 3}', '{"a.txt": [1, 2, 3]}', '{"a.txt": null}'])
def test_a_manifest_of_another_make_verifies_nothing(tmp_path: Path, manifest: str) -> None:
    files.publish(tmp_path / "f", fill("x"))
    (tmp_path / "f" / files.MANIFEST).write_text(manifest)
    assert not files.verified(tmp_path / "f")


@pytest.mark.parametrize(
    "error", [RuntimeError("no"), RagtuneError("no"), OSError(errno.ENOSPC, "full"), KeyboardInterrupt()]
)
def test_what_fails_while_filling_leaves_the_older_folder(tmp_path: Path, error: BaseException) -> None:
    final = tmp_path / "adapter"
    files.publish(final, fill("old"))

    def write(folder: Path) -> None:
        fill("new")(folder)
        raise error

    with pytest.raises(ProjectError if isinstance(error, OSError) else type(error)):
        files.publish(final, write)
    assert files.verified(final) and (final / "a.txt").read_text() == "old"
    assert leftovers(tmp_path) == []


def test_a_new_folder_that_cannot_take_its_place_gives_the_older_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final, real = tmp_path / "adapter", Path.replace
    files.publish(final, fill("old"))

    def replace(self: Path, target: Path) -> Path:
        if target == final and "old-" not in self.name:
            raise OSError(errno.EIO, "gone")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(ProjectError, match="cannot be reached"):
        files.publish(final, fill("new"))
    assert files.verified(final) and (final / "a.txt").read_text() == "old"
    assert leftovers(tmp_path) == []


def test_the_first_publication_fails_in_words_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ProjectError, match="cannot be reached"):
        files.publish(tmp_path / "file" / "adapter", fill("x"))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(ProjectError, match="disk is full"):
        files.publish(tmp_path / "adapter", fill("x"))
    assert not (tmp_path / "adapter").exists() and leftovers(tmp_path) == []


KILLED = """
import os, sys
from pathlib import Path
from ragtune_ui.store import files
final, point = Path(sys.argv[1]), sys.argv[2]
text, sha, replace = files.write_text, files._sha256, files._replace
calls = {"replace": 0}
def dying(name, real, after=False):
    def call(*a, **k):
        if not after: os._exit(9)
        real(*a, **k); os._exit(9)
    return call
def replacing(new, to):
    calls["replace"] += 1
    wanted = {"before aside": (1, False), "after aside": (1, True),
              "before rename": (2, False), "after rename": (2, True)}
    n, after = wanted.get(point, (0, False))
    # The manifest is a replaced file as well: only folders count here.
    if not new.is_dir(): calls["replace"] -= 1; return replace(new, to)
    if calls["replace"] == n and not after: os._exit(9)
    replace(new, to)
    if calls["replace"] == n: os._exit(9)
files._replace = replacing
if point == "hashing": files._sha256 = dying("sha", sha)
if point == "before manifest": files.write_text = dying("text", text)
if point == "after manifest": files.write_text = dying("text", text, after=True)
def write(folder):
    if point == "empty": os._exit(9)
    (folder / "a.txt").write_text("new")
    if point == "half": os._exit(9)
    (folder / "b.txt").write_text("new")
files.publish(final, write)
"""
POINTS = [
    "empty", "half", "hashing", "before manifest", "after manifest", "before aside", "after aside", "before rename",
    "after rename", "never",
]  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_point_leaves_the_old_folder_or_the_new_one(tmp_path: Path, point: str) -> None:
    final = tmp_path / "adapter"

    def old(folder: Path) -> None:
        (folder / "a.txt").write_text("old")
        (folder / "b.txt").write_text("old")

    files.publish(final, old)
    ran = subprocess.run([sys.executable, "-c", KILLED, str(final), point], env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert ran.returncode == (0 if point == "never" else 9)
    files.sweep(tmp_path)  # as the next start does
    assert files.verified(final)
    wanted = "new" if point in ("after rename", "never") else "old"
    assert {(final / n).read_text() for n in ("a.txt", "b.txt")} == {wanted}
    files.sweep(tmp_path, older_than=-1)
    assert leftovers(tmp_path) == [] and files.verified(final)


@pytest.mark.parametrize("point", ["empty", "half", "before manifest"])
def test_a_folder_without_its_manifest_is_not_verified(tmp_path: Path, point: str) -> None:
    subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "adapter"), point], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    (left,) = tmp_path.glob(".new-*")
    assert not files.verified(left) and not (tmp_path / "adapter").exists()


def test_sweep_takes_only_what_is_old_and_half_written(tmp_path: Path) -> None:
    files.publish(tmp_path / "kept", fill("x"))
    (tmp_path / ".new-1-abc-folder").mkdir()
    (tmp_path / ".new-1-abc-folder" / "part").write_text("half")
    (tmp_path / ".new-abc-file.json").write_text("half")
    (tmp_path / ".new-young").write_text("half")
    long_ago = time.time() - 7200
    for name in (".new-1-abc-folder", ".new-abc-file.json"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    files.sweep(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".new-young", "kept"]
    files.sweep(tmp_path / "nowhere")


def test_sweep_brings_back_what_was_set_aside_and_never_replaced(tmp_path: Path) -> None:
    files.publish(tmp_path / ".new-old-0123abcd-run-001", fill("only copy"))
    files.publish(tmp_path / ".new-old-0123abcd-run-002", fill("older"))
    files.publish(tmp_path / "run-002", fill("newer"))
    files.sweep(tmp_path, older_than=-1)
    assert (tmp_path / "run-001" / "a.txt").read_text() == "only copy"
    assert (tmp_path / "run-002" / "a.txt").read_text() == "newer"
    assert leftovers(tmp_path) == []


def test_what_rests_on_files_is_made_again_when_one_changes_comes_or_goes(tmp_path: Path) -> None:
    one, two, made = tmp_path / "one", tmp_path / "two", []

    def look(what: str = "sum") -> int:
        return files.derived((what, tmp_path), [one, two], lambda: made.append(what) or len(made))

    assert look() == look() == 1
    files.write_text(one, "a")
    assert look() == look() == 2
    files.write_text(one, "b")  # of the same size
    assert look() == look() == 3
    files.write_text(two, "a")
    assert look() == 4 and look("other") == 5 and look() == 4
    two.unlink()
    assert look() == look() == 6

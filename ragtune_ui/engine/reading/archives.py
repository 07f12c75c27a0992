"""ZIP archives and attachments: the documents inside, with limits that no bomb passes."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ragtune_ui.domain.documents import kind_of
from ragtune_ui.engine.reading import mail
from ragtune_ui.engine.reading.found import Problem, damaged, locked

DEPTH = 3  # archives inside archives
MOST_FILES = 5_000
MOST_BYTES = 1024**3  # all files together
SWOLLEN = 200  # times its packed size; what unpacks to more is made to fill disks
SMALL = 20 * 1024**2  # bytes below which that does not matter
_SKIPPED = ("__MACOSX", ".DS_Store", "Thumbs.db")


class Unpacker:
    """Writes the readable files inside a holder into a folder, under numbers: their names stay labels."""

    def __init__(self, folder: Path, file_limit: int) -> None:
        self._folder = folder
        self._file_limit = file_limit
        self._bytes = 0
        self._seen = 0
        self.files: list[tuple[str, str]] = []  # name inside, place
        self.left_out: list[tuple[str, str]] = []  # name inside, why in words

    def archive(self, data: bytes | Path, depth: int = 0, within: str = "") -> None:
        """Take in a ZIP. Raises Problem where it is damaged, locked, too large or swollen."""
        source = data if isinstance(data, Path) else io.BytesIO(data)
        try:
            archive = zipfile.ZipFile(source)
            parts = archive.infolist()
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
            raise damaged("The archive") from None
        with archive:
            if parts and all(part.flag_bits & 1 for part in parts if not part.is_dir()):
                raise locked()
            packed = sum(part.compress_size for part in parts)
            whole = sum(part.file_size for part in parts)
            self._seen += len(parts)
            self._bytes += whole
            if self._seen > MOST_FILES:
                raise Problem("too large", f"The archive holds more than {MOST_FILES:,} files.", "Split it.")
            if self._bytes > MOST_BYTES or (whole > SMALL and whole > SWOLLEN * max(1, packed)):
                raise Problem("too large", "The archive unpacks to far more than it should.",
                              "Unpack it yourself and add the documents inside, if you trust it.")  # fmt: skip
            for part in parts:
                self._part(archive, part, depth, within)

    def attachments(self, data: bytes) -> None:
        """Take in what is attached to an e-mail. An archive that cannot be opened leaves the rest as it is."""
        for given, content in mail.attachments(mail.opened(data)):
            name = safe_name(given)
            before = self._seen, self._bytes, len(self.files)
            self._seen += 1
            if self._seen > MOST_FILES:
                why = f"the e-mail holds more than {MOST_FILES:,} files, and those from this one on were not read"
                self.left_out.append((name, why))
                return
            if content is None:
                self.left_out.append((name, "it is damaged, or e-mails are packed into one another too often"))
                continue
            try:
                self._keep(name, content, 0, "")
            except Problem as problem:
                self._seen, self._bytes = before[:2]
                del self.files[before[2] :]
                self.left_out.append((name, _why(problem)))

    def _part(self, archive: zipfile.ZipFile, part: zipfile.ZipInfo, depth: int, within: str) -> None:
        name = safe_name(_decoded(part))
        if part.is_dir() or not name or any(p in _SKIPPED or p.startswith(".") for p in PurePosixPath(name).parts):
            return
        if stat.S_ISLNK(part.external_attr >> 16):
            self.left_out.append((within + name, "it is a link to another place"))
        elif part.flag_bits & 1:
            self.left_out.append((within + name, "it is behind a password"))
        elif kind_of(name) is None:
            self.left_out.append((within + name, "it is no kind of document that RAGTune reads"))
        elif part.file_size > self._file_limit:
            self.left_out.append((within + name, "it is too large"))
        else:
            try:
                with archive.open(part) as file:
                    content = file.read(part.file_size + 1)
            except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, zlib.error):
                self.left_out.append((within + name, "it is damaged"))
                return
            if len(content) > part.file_size:
                self.left_out.append((within + name, "it is damaged"))
                return
            self._keep(name, content, depth, within)

    def _keep(self, name: str, content: bytes, depth: int, within: str) -> None:
        if kind_of(name) is None:
            self.left_out.append((within + name, "it is no kind of document that RAGTune reads"))
            return
        if kind_of(name) == "zip":
            if depth + 1 >= DEPTH:
                self.left_out.append((within + name, "archives are packed into one another too often"))
                return
            try:
                self.archive(content, depth + 1, f"{within}{name}/")
            except Problem as problem:
                if problem.status == "too large":
                    raise
                self.left_out.append((within + name, _why(problem)))
            return
        place = self._folder / f"{len(self.files):05d}{PurePosixPath(name).suffix.lower()}"
        place.write_bytes(content)
        self.files.append((within + name, str(place)))


def _why(problem: Problem) -> str:
    """What happened, as the end of a sentence."""
    return problem.happened[:1].lower() + problem.happened[1:].rstrip(".")


def safe_name(name: str) -> str:
    """A name from an archive as a label: no drive, no root, no way up."""
    parts = [p.strip() for p in name.replace("\\", "/").replace("\0", "").split("/")]
    kept = [p for p in parts if p not in ("", ".", "..") and not (len(p) == 2 and p[1] == ":")]
    return "/".join(kept)[-300:]


def _decoded(part: zipfile.ZipInfo) -> str:
    """The name; archives without the mark for it often hold UTF-8 all the same."""
    if part.flag_bits & 0x800:
        return part.filename
    try:
        return part.filename.encode("cp437").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return part.filename

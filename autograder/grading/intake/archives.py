"""Read a folder, a zip or a tar without unpacking it or trusting a name.

Nothing is written to disk. Only regular files whose names could be a lesson's are read, each
through a cap; links, devices and names that leave the folder are noted and left alone.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, cast

from autograder.course.student_file import LARGEST_NOTEBOOK, LARGEST_SOURCE

MIB = 1 << 20
ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar")
WORK = (".py", ".ipynb")
SKIPPED = {"__MACOSX", "__pycache__", "node_modules", "site-packages"}


class Refused(ValueError):
    """Raised for a container that is read no further.

    Its text completes "the submission ...".
    """


@dataclass(frozen=True)
class Caps:
    """Bounds on one submission, far above what honest ones hold.

    Args:
        entries: files and folders.
        depth: folders inside folders.
        archive_bytes: size of an archive file.
        index_bytes: size of a zip's directory.
        unpacked_bytes: bytes that are read of a folder or come out of an archive, over all files.
        source_bytes: size of one `.py` file.
        notebook_bytes: size of one notebook.
    """

    entries: int = 5_000
    depth: int = 12
    archive_bytes: int = 128 * MIB
    index_bytes: int = 4 * MIB
    unpacked_bytes: int = 256 * MIB
    source_bytes: int = LARGEST_SOURCE
    notebook_bytes: int = LARGEST_NOTEBOOK

    def file_bytes(self, name: str) -> int:
        """Return the cap for a file of this name."""
        return self.notebook_bytes if name.lower().endswith(".ipynb") else self.source_bytes


@dataclass
class Contents:
    """Files of a container that could be a lesson's.

    Args:
        files: bytes by path inside the container.
        left: what was left alone and could be work, and why.
        notes: what was chosen where there was a choice.
    """

    files: dict[PurePosixPath, bytes] = field(default_factory=dict)
    left: dict[PurePosixPath, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def leave(self, name: PurePosixPath, why: str) -> None:
        """Leave a file alone."""
        self.left[name] = f"“{_shown(name)}” {why}"


def is_archive(name: str) -> bool:
    """Return whether a file name is one of the archives that are read."""
    return name.lower().endswith(ARCHIVES)


def without_suffix(name: str) -> str:
    """Return a file name without its archive or work suffix."""
    for suffix in (*ARCHIVES, *WORK):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def read_container(path: Path, caps: Caps) -> Contents:
    """Read the candidate files of a folder, an archive, or the one file itself.

    Raises:
        Refused: it is broken or over a cap, with the reason.
    """
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode):
        return _read_folder(path, caps)
    if not stat.S_ISREG(mode):
        raise Refused("is a link or a device, not a file")
    if is_archive(path.name):
        return _read_archive(path, caps)
    contents = Contents()
    with _opened(path) as file:
        data = _capped(file.read, PurePosixPath(path.name), caps, contents)
    if data is not None:
        contents.files[PurePosixPath(path.name)] = data
    return contents


def _opened(path: Path) -> io.FileIO:
    """Open a file that may be swapped for a link or a pipe under our hands."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise Refused(f"cannot be read ({error.strerror})") from error
    file = io.FileIO(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise Refused("is not a regular file")
    return file


def _wanted(name: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part in SKIPPED for part in name.parts)
    return name.suffix.lower() in WORK and not hidden


def _capped(
    read: Callable[[int], bytes], name: PurePosixPath, caps: Caps, contents: Contents
) -> bytes | None:
    """Read one file up to its cap. Return None, with a note, when there is more."""
    most = caps.file_bytes(name.name)
    data = read(most + 1)
    if len(data) > most:
        contents.leave(name, f"is larger than {_size(most)}")
        return None
    return data


def _read_folder(folder: Path, caps: Caps) -> Contents:
    """Read a folder's files.

    Where an archive is all there is, as Moodle exports them, read those of the archive.
    """
    contents = Contents()
    archives: list[Path] = []
    count = total = 0
    for place, is_link in _walk(folder, caps.depth, contents):
        count += 1
        if count > caps.entries:
            raise Refused(f"holds more than {caps.entries} files")
        name = PurePosixPath(place.relative_to(folder).as_posix())
        if not _wanted(name):
            if is_archive(name.name) and not is_link:
                archives.append(place)
            continue
        if is_link:
            contents.leave(name, "is a link")
            continue
        try:
            with _opened(place) as file:
                data = _capped(file.read, name, caps, contents)
        except Refused as refusal:
            contents.leave(name, str(refusal))
            continue
        total += len(data or b"") or caps.file_bytes(name.name)
        _add(contents, name, data, total, caps)
    if len(archives) == 1 and not contents.files and not contents.left:
        return _read_archive(archives[0], caps)
    for place in archives:
        name = PurePosixPath(place.relative_to(folder).as_posix())
        contents.leave(name, "is an archive inside the submission")
    return contents


def _walk(folder: Path, depth: int, contents: Contents) -> Iterator[tuple[Path, bool]]:
    """Yield the files below a folder in order, without following links."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        contents.leave(PurePosixPath(folder.name), f"cannot be read ({error.strerror})")
        return
    for entry in entries:
        if entry.is_symlink():
            yield Path(entry.path), True
        elif entry.is_dir(follow_symlinks=False):
            if depth == 0:
                raise Refused("has too many folders inside folders")
            if not entry.name.startswith(".") and entry.name not in SKIPPED:
                yield from _walk(Path(entry.path), depth - 1, contents)
        else:
            yield Path(entry.path), False


def _read_archive(path: Path, caps: Caps) -> Contents:
    if path.stat().st_size > caps.archive_bytes:
        raise Refused(f"is an archive of more than {caps.archive_bytes // MIB} MiB")
    if path.stat().st_size == 0:
        raise Refused("is an empty file")
    with _opened(path) as file:
        read = _read_zip if path.name.lower().endswith(".zip") else _read_tar
        try:
            return read(file, caps)
        except Refused:
            raise
        except Exception as error:  # each way of packing has errors of its own, LZMA's among them
            if "password" in str(error):
                raise Refused("is an archive with a password") from error
            raise Refused("is an archive that is broken or of an unknown kind") from error


def _read_zip(file: io.FileIO, caps: Caps) -> Contents:
    contents = Contents()
    # The directory is parsed before it can be counted, so its size is bounded first.
    with zipfile.ZipFile(cast(IO[bytes], _Bounded(file, caps.index_bytes))) as archive:
        archive.fp.most = 2 * caps.notebook_bytes  # type: ignore[union-attr]
        entries = archive.infolist()
        if len(entries) > caps.entries:
            raise Refused(f"holds {len(entries)} entries; {caps.entries} are read at most")
        total = 0
        for entry in entries:
            mode = entry.external_attr >> 16
            is_regular = stat.S_IFMT(mode) in (0, stat.S_IFREG)
            name = _entry_name(entry.filename, entry.is_dir(), is_regular, caps, contents)
            if name is None:
                continue
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # Python unpacks these whole, whatever is asked for: 900 bytes become gigabytes.
                raise Refused("is an archive packed by an unusual method; pack it as plain zip")
            with archive.open(entry) as member:
                data = _capped(member.read, name, caps, contents)
            total += len(data or b"") or caps.file_bytes(name.name)
            _add(contents, name, data, total, caps)
    return contents


def _read_tar(file: io.FileIO, caps: Caps) -> Contents:
    contents = Contents()
    zipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    plain = gzip.GzipFile(fileobj=file) if zipped else file
    # The stream mode never seeks, so a bomb is cut off wherever its bytes are spent.
    metered = cast(IO[bytes], _Metered(plain.read, caps.unpacked_bytes))
    total = 0
    # The first entry is read by `open` itself, so its class must know the cap.
    entries = type("_CappedEntry", (_Entry,), {"largest": caps.unpacked_bytes})
    with _Tar.open(fileobj=metered, mode="r|", tarinfo=entries) as archive:
        for count, entry in enumerate(archive):
            if count >= caps.entries:
                raise Refused(f"holds more than {caps.entries} entries")
            name = _entry_name(entry.name, entry.isdir(), entry.isreg(), caps, contents)
            member = archive.extractfile(entry) if name is not None else None
            if name is not None and member is not None:
                data = _capped(member.read, name, caps, contents)
                total += len(data or b"")
                _add(contents, name, data, total, caps)
    return contents


class _Bounded:
    """File that refuses to be read in pieces larger than this."""

    def __init__(self, file: io.FileIO, most: int) -> None:
        self._file = file
        self.most = most
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        if size > self.most:
            raise Refused("is an archive with a directory of too many entries")
        return self._file.read(size)


class _Entry(tarfile.TarInfo):
    """Header of a tar entry.

    Those that extend another are kept small: `tarfile` reads each whole.

    Before Python 3.11.10 and 3.12.6 it also took quadratic time to search one (CVE-2024-6232).
    """

    largest = 0

    def _proc_member(self, archive: _Tar) -> tarfile.TarInfo:
        if self.type in _EXTENDING:
            archive.left -= self.size
            if self.size > _EXTENSION_BYTES or archive.left < 0:
                raise Refused("is an archive with extended headers of unusual size")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise Refused("is an archive with sparse files, which are not read")
        if self.size > self.largest:
            raise Refused("holds more bytes than a submission may")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        if member.size > self.largest:  # by an extended header
            raise Refused("holds more bytes than a submission may")
        return member

    def _refuse_sparse(self, *_: object) -> None:
        # A few bytes of map can stand for gigabytes of holes.
        raise Refused("is an archive with sparse files, which are not read")

    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse


_EXTENSION_BYTES = 4096
_MOST_IDLE = 16
_EXTENDING = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class _Tar(tarfile.TarFile):
    tarinfo = _Entry
    left = MIB  # bytes that all extended headers may have


class _Metered:
    """Stream that stops a reader after so many bytes."""

    def __init__(self, read: Callable[[int], bytes], most: int) -> None:
        self._read = read
        self._left = most
        self._idle = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        data = self._read(size)
        self._left -= len(data)
        # Asked beyond its end again and again, a stream would answer for as long as it is asked.
        self._idle = 0 if data else self._idle + 1
        if self._left < 0 or self._idle > _MOST_IDLE:
            raise Refused("holds more bytes than a submission may")
        return data


def _entry_name(
    raw: str, is_folder: bool, is_regular: bool, caps: Caps, contents: Contents
) -> PurePosixPath | None:
    """Return the path of an entry worth reading, else None.

    A note says so where the entry looks like work but is not.
    """
    if is_folder:
        return None
    name = PurePosixPath(raw.replace("\\", "/"))
    if is_archive(name.name):
        contents.leave(name, "is an archive inside the archive")
    if not _wanted(PurePosixPath(*[part for part in name.parts if part != ".."])):
        return None
    leaves = name.is_absolute() or ".." in name.parts or ":" in name.parts[0] or "\0" in raw
    if leaves or not is_regular or len(name.parts) > caps.depth:
        why = "leaves the archive" if leaves else "is a link or a device" if not is_regular else ""
        contents.leave(name, why or "lies too deep")
        return None
    return name


def _add(
    contents: Contents, name: PurePosixPath, data: bytes | None, total: int, caps: Caps
) -> None:
    if total > caps.unpacked_bytes:
        raise Refused("holds more bytes than a submission may")
    if data is None:
        return
    if contents.files.get(name, data) != data:  # as unpacking would do
        contents.notes.append(f"“{_shown(name)}” is there twice; the later one was taken.")
    contents.files[name] = data


def _size(count: int) -> str:
    if count < 1024:
        return f"{count} bytes"
    return f"{count // MIB} MiB" if count >= MIB else f"{count // 1024} KiB"


def _shown(name: PurePosixPath) -> str:
    """Return a path fit for a sentence: short, printable, one line."""
    text = str(name)
    return "".join(c if c.isprintable() else "?" for c in text)[-80:]

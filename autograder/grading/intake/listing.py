"""List the names in a folder, a zip or a tar, unpacking nothing."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO

from autograder.grading.intake.archives import SKIPPED, is_archive
from autograder.grading.intake.student_ids import as_utf8, on_disk
from lessons.toolkit.errors import UserError

MOST_NAMES = 500_000
# A platform's layout shows in the first folders; a clone's history or a data set lies deeper.
DEPTH = 5
LITTER = {"thumbs.db", "desktop.ini", ".ds_store"}
_UTF8_FLAG = 0x800


@dataclass(frozen=True)
class Listing:
    """Names below a root.

    Args:
        root: a folder or an archive.
        files: regular files, relative to the root, as `PurePosixPath`.
        folders: all folders on the way to them, and empty ones.
        base: folder inside the root from which to look.
        skipped: names that lead out of the archive, and what is no regular file.
    """

    root: Path
    files: tuple[PurePosixPath, ...]
    folders: frozenset[PurePosixPath]
    base: PurePosixPath = field(default_factory=PurePosixPath)
    skipped: tuple[str, ...] = ()

    def top(self) -> dict[str, bool]:
        """Return the entries of the base by name, True for a folder."""
        depth = len(self.base.parts)
        found: dict[str, bool] = {}
        for places, is_folder in ((self.folders, True), (self.files, False)):
            for place in places:
                if len(place.parts) == depth + 1 and place.parent == self.base:
                    found[place.name] = is_folder
        return {
            name: found[name]
            for name in sorted(found)
            if not name.startswith(".") and name not in SKIPPED and name.lower() not in LITTER
        }

    def astray(self) -> list[str]:
        """Return what was skipped where students are told apart, not further in."""
        if not self.root.is_dir():
            return list(self.skipped)
        return [name for name in self.skipped if PurePosixPath(name).parent == self.base]

    def below(self, place: PurePosixPath) -> list[PurePosixPath]:
        """Return the files of a folder, or the one file."""
        return [file for file in self.files if file == place or place in file.parents]

    def inside(self, name: str) -> Listing:
        """Return the listing one folder further in."""
        return replace(self, base=self.base / name)

    def read(self, wanted: dict[PurePosixPath, int]) -> dict[PurePosixPath, bytes]:
        """Return the beginnings of files, each up to its number of bytes."""
        found: dict[PurePosixPath, bytes] = {}

        def keep(place: PurePosixPath, file: IO[bytes]) -> None:
            if place in wanted:
                found[place] = file.read(wanted[place])

        each_file(self.root, wanted, keep)
        return found


def list_names(root: Path) -> Listing:
    """List what a folder or an archive holds.

    Raises:
        UserError: it is not there, is neither, or cannot be read.
    """
    if root.is_dir():
        return _folder(root)
    if not root.is_file():
        raise UserError(f"There is no folder {root}.", "Name the one with the submissions.")
    if not is_archive(root.name):
        return Listing(root, (PurePosixPath(as_utf8(root.name)),), frozenset())
    try:
        return _archive(root)
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError) as error:
        raise UserError(
            f"{root} is an archive that cannot be read.", "Download it again, or unpack it."
        ) from error


def each_file(
    root: Path,
    wanted: dict[PurePosixPath, int],
    use: Callable[[PurePosixPath, IO[bytes]], None],
) -> None:
    """Call a function with every wanted file of a root, opened.

    An archive is gone through once, in its own order: packed tars cannot be read in any other.
    """
    if not wanted:
        return
    if root.is_dir() or not is_archive(root.name):
        for place in wanted:
            path = on_disk(root, place) if root.is_dir() else root
            if stat.S_ISREG(path.lstat().st_mode):
                with path.open("rb") as file:
                    use(place, file)
        return
    if root.name.lower().endswith(".zip"):
        with zipfile.ZipFile(root) as archive:
            for entry in archive.infolist():
                inner = _place(_zip_name(entry))
                if inner in wanted and not entry.is_dir():
                    with archive.open(entry) as member:
                        use(inner, member)
        return
    with tarfile.open(root) as tar:
        for header in tar:
            inner = _place(header.name)
            if inner in wanted and (opened := tar.extractfile(header)) is not None:
                use(inner, opened)


def _folder(root: Path) -> Listing:
    files: list[PurePosixPath] = []
    folders: set[PurePosixPath] = set()
    skipped: list[str] = []
    for entry, place in _walk(root, PurePosixPath(), DEPTH):
        if entry.is_dir(follow_symlinks=False):
            folders.add(place)
        elif entry.is_file(follow_symlinks=False):
            files.append(place)
        else:  # a link or a device
            skipped.append(str(place))
        if len(files) > MOST_NAMES:
            raise UserError(f"{root} holds more than {MOST_NAMES} files.", "Split the folder.")
    return Listing(root, tuple(sorted(files)), frozenset(folders), skipped=tuple(skipped))


def _walk(
    folder: Path, place: PurePosixPath, depth: int
) -> Iterator[tuple[os.DirEntry[str], PurePosixPath]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return  # its reader says why
    for entry in entries:
        inner = place / as_utf8(entry.name)
        yield entry, inner
        if depth > 1 and entry.is_dir(follow_symlinks=False) and entry.name != ".git":
            yield from _walk(Path(entry.path), inner, depth - 1)


def _archive(root: Path) -> Listing:
    files: dict[PurePosixPath, None] = {}
    folders: set[PurePosixPath] = set()
    skipped: list[str] = []
    for count, (name, is_folder, is_regular) in enumerate(_entries(root)):
        if count >= MOST_NAMES:
            raise UserError(f"{root} holds more than {MOST_NAMES} entries.", "Split it.")
        place = _place(name)
        if place is None or not (is_folder or is_regular):
            skipped.append(name)
            continue
        if place.parts and place.parts[0] == "__MACOSX":
            continue
        if is_folder:
            folders.add(place)
        else:
            files[place] = None
        folders.update(place.parents)
    folders.discard(PurePosixPath())
    return Listing(root, tuple(sorted(files)), frozenset(folders), skipped=tuple(skipped))


def _entries(root: Path) -> Iterator[tuple[str, bool, bool]]:
    if root.name.lower().endswith(".zip"):
        with zipfile.ZipFile(root) as archive:
            for entry in archive.infolist():
                kind = stat.S_IFMT(entry.external_attr >> 16)
                yield _zip_name(entry), entry.is_dir(), kind in (0, stat.S_IFREG)
        return
    with tarfile.open(root) as tar:
        for header in tar:
            yield header.name, header.isdir(), header.isreg()


def _zip_name(entry: zipfile.ZipInfo) -> str:
    # Some platforms write UTF-8 and do not say so; Python then reads it as a code page of DOS.
    if not entry.flag_bits & _UTF8_FLAG:
        try:
            return entry.filename.encode("cp437").decode("utf-8")
        except UnicodeError:
            return entry.filename
    return entry.filename


def _place(name: str) -> PurePosixPath | None:
    """Return an entry's path, None where it would leave the archive."""
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or "\0" in name or not place.parts:
        return None
    return place

"""Lay each student's files out as they were before they were packed.

A folder or file that is a submission as it lies is used where it lies. Others are copied into a
folder that is gone afterwards; of what is never graded, the name alone.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

from autograder.grading.intake.archives import WORK, Caps, is_archive
from autograder.grading.intake.hands import Hand, Layout
from autograder.grading.intake.listing import each_file, list_names
from autograder.grading.intake.student_ids import as_utf8, name_of, on_disk
from lessons.toolkit.errors import UserError


@contextmanager
def staged(
    layout: Layout, hands: Iterable[Hand], caps: Caps | None = None
) -> Iterator[list[tuple[Hand, Path]]]:
    """Yield each student's attempt with the folder or file to read it from.

    One that cannot be laid out comes back with that as its problem.

    Args:
        layout: what was recognised.
        hands: attempts to lay out, one a student.
        caps: what one submission may hold.
    """
    hands = list(hands)
    with tempfile.TemporaryDirectory(prefix="convlens-") as folder:
        stage = _Stage(layout, Path(folder), caps or Caps())
        yield stage.all(hands)


class _Stage:
    def __init__(self, layout: Layout, folder: Path, caps: Caps) -> None:
        self._root = layout.root
        self._listing = list_names(layout.root)
        self._folder = folder
        self._caps = caps
        self._targets: dict[PurePosixPath, tuple[int, Path]] = {}
        self._left: dict[int, int] = {}
        self._problems: dict[int, str] = {}

    def all(self, hands: list[Hand]) -> list[tuple[Hand, Path]]:
        places = [self._place(number, hand) for number, hand in enumerate(hands)]
        try:
            each_file(self._root, dict.fromkeys(self._targets, 0), self._copy)
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError) as error:
            raise UserError(
                f"{self._root} is an archive that is broken.", "Download it again."
            ) from error
        return [
            (replace(hand, problem=hand.problem or self._problems.get(number, "")), place)
            for number, (hand, place) in enumerate(zip(hands, places, strict=True))
        ]

    def _place(self, number: int, hand: Hand) -> Path:
        if hand.paths == (PurePosixPath(),):
            return self._root
        if self._root.is_dir() and len(hand.paths) == 1:
            place = on_disk(self._root, hand.paths[0])
            if place.is_dir() or name_of(place) == hand.called[0] or place.is_symlink():
                return place
        target = self._folder / f"{number:05d}"
        target.mkdir()
        self._left[number] = self._caps.unpacked_bytes
        taken: set[str] = set()
        for path, called in zip(hand.paths, hand.called, strict=True):
            within = target
            if called.lower() in taken:  # two files of one name stay two
                within = target / f"{len(taken)}"
            taken.add(called.lower())
            is_folder = path in self._listing.folders
            for file in self._files(path, is_folder):
                inner = file.relative_to(path) if is_folder else PurePosixPath(called or file.name)
                self._targets[file] = (number, on_disk(within, inner))
        return target

    def _files(self, path: PurePosixPath, is_folder: bool) -> Iterable[PurePosixPath]:
        if not (is_folder and self._root.is_dir()):
            return self._listing.below(path)
        # A listing of a folder stops where layouts do.
        below = islice(on_disk(self._root, path).rglob("*"), self._caps.entries)
        files = [p.relative_to(self._root).as_posix() for p in below if p.is_file()]
        return [PurePosixPath(as_utf8(file)) for file in files]

    def _copy(self, place: PurePosixPath, file: IO[bytes]) -> None:
        number, target = self._targets[place]
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as copy:
                if target.suffix.lower() not in WORK and not is_archive(target.name):
                    return
                left = self._left[number]
                data = file.read(min(left, self._caps.archive_bytes) + 1)
                copy.write(data)
            self._left[number] = left - len(data)
            if self._left[number] < 0 or len(data) > self._caps.archive_bytes:
                self._problems[number] = "The submission holds more bytes than one may."
                shutil.rmtree(self._folder / f"{number:05d}")
                (self._folder / f"{number:05d}").mkdir()
        except RuntimeError:  # of a password
            self._problems[number] = "The submission is packed with a password."
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            why = error.strerror if isinstance(error, OSError) else "its name or bytes"
            self._problems[number] = f"The submission could not be laid out ({why})."

"""Pack the archive that a student hands in, with one file for each lesson.

The same work gives the same bytes.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from autograder.course.student_file import read_bytes
from autograder.student.working_copy import WorkingCopy, attempted
from lessons.toolkit.errors import UserError

EPOCH = (1980, 1, 1, 0, 0, 0)
KINDS = ".zip, .tar.gz or .tgz"


def handed_in(copy: WorkingCopy, stems: Iterable[str], only_attempted: bool) -> dict[str, Path]:
    """Return the files to hand in, by stem.

    It is the one of each lesson that `convlens check` checks.

    Args:
        copy: where the work lies.
        stems: which lessons.
        only_attempted: leave out lessons that are still stubs, or whose file is missing.

    Raises:
        UserError: a lesson's file is missing or broken.
    """
    files: dict[str, Path] = {}
    for stem in stems:
        path = copy.chosen(stem)
        if only_attempted and not path.exists():
            continue
        if attempted(copy.source(stem, path), stem) or not only_attempted:
            files[stem] = path
    return files


def read_files(files: Mapping[str, Path]) -> dict[str, bytes]:
    """Read the files of an archive, each by its name in it.

    Such a name is ``l11_saliency/exercises.py``.
    """
    return {f"{stem}/{path.name}": read_bytes(path) for stem, path in files.items()}


def packed(contents: Mapping[str, bytes], name: str) -> bytes:
    """Return an archive of these files.

    Args:
        contents: of each file, by its name in the archive.
        name: the archive's own; its ending says of which kind it is.

    Raises:
        UserError: the ending is none of a kind that can be handed in.
    """
    buffer = io.BytesIO()
    if name.lower().endswith(".zip"):
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for inside, data in contents.items():
                entry = zipfile.ZipInfo(inside, EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, data)
    elif name.lower().endswith((".tar.gz", ".tgz")):
        with (
            gzip.GzipFile("", "wb", fileobj=buffer, mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w") as tar,
        ):
            for inside, data in contents.items():
                member = tarfile.TarInfo(inside)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    else:
        raise UserError(
            f"{name} is no name of an archive that can be handed in.", f"Let it end in {KINDS}."
        )
    return buffer.getvalue()


def free_name(path: Path, data: bytes) -> Path:
    """Return a path that holds no other archive than this.

    It is the given one, or one with a number.

    >>> free_name(Path("no-such-file.zip"), b"").name
    'no-such-file.zip'
    """
    ending = "".join(path.suffixes[-2:]) if path.name.endswith(".tar.gz") else path.suffix
    base, number = path.name.removesuffix(ending), 1
    while path.exists() and path.read_bytes() != data:
        number += 1
        path = path.with_name(f"{base}-{number}{ending}")
    return path

"""Pack the archive that a student hands in, with one file for each lesson.

The same work gives the same bytes.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

from autograder.files import write_whole
from autograder.student.working_copy import WorkingCopy, attempted
from lessons.toolkit.errors import UserError

EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(
    copy: WorkingCopy, stems: Iterable[str], out: Path, only_attempted: bool
) -> dict[str, Path]:
    """Write a zip that holds one file of each lesson.

    It is ``l11_saliency/exercises.py`` or ``l11_saliency/lesson.ipynb``, whichever `convlens check`
    checks. If no lesson is left, no archive is written.

    Args:
        copy: where the work lies.
        stems: which lessons.
        out: the archive; written whole or not at all.
        only_attempted: leave out lessons that are still stubs, or whose file is missing.

    Returns:
        The files packed, by stem.

    Raises:
        UserError: a lesson's file is missing or broken, or the archive cannot be written.
    """
    files: dict[str, Path] = {}
    for stem in stems:
        path = copy.chosen(stem)
        if only_attempted and not path.exists():
            continue
        if attempted(copy.source(stem, path), stem) or not only_attempted:
            files[stem] = path
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for stem, path in files.items():
            entry = zipfile.ZipInfo(f"{stem}/{path.name}", EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    if out.is_dir():
        raise UserError(f"{out} is a folder.", "Name the archive itself: --out submission.zip")
    if files:
        write_whole(out, buffer.getvalue())
    return files

"""Read weight files whose checksums are right."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lessons.toolkit.errors import UserError

FOLDER = Path(__file__).with_name("weights")


def read_checked(path: Path, sha256: str, mend: str) -> bytes:
    """Return the bytes of a weight file whose checksum is right.

    The bytes that were checked are the bytes returned, so the file cannot change in between.

    Args:
        path: the file.
        sha256: hexadecimal checksum, or the beginning of one.
        mend: the next step for a person whose file is missing or damaged.

    Raises:
        UserError: the file is missing, unreadable, truncated or changed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"The weight file {path} cannot be read ({error.strerror}).", mend
        ) from error
    if not hashlib.sha256(data).hexdigest().startswith(sha256):
        raise UserError(f"The weight file {path} is damaged: its checksum is wrong.", mend)
    return data


def read_shipped(name: str, folder: Path = FOLDER) -> bytes:
    """Return the bytes of a weight file of the course, checked by its SHA256SUMS.

    Args:
        name: for example "scenes.safetensors".
        folder: where the file and its SHA256SUMS lie.

    Raises:
        UserError: the file or its checksum is missing, or they disagree.
    """
    mend = "Restore it: git checkout lessons/toolkit/weights, or install convlens again."
    try:
        lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(
            f"The checksums of the weights in {folder} cannot be read.", mend
        ) from error
    sums = {
        file.lstrip("*"): sha256
        for sha256, file in (line.split() for line in lines if line.strip())
    }
    if name not in sums:
        raise UserError(f"The weight file {name} has no checksum in {folder / 'SHA256SUMS'}.", mend)
    return read_checked(folder / name, sums[name], mend)

"""Write files whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from lessons.toolkit.errors import UserError


def write_whole(path: Path, data: bytes) -> bool:
    """Write a file through a neighbour and a rename, so that nobody meets half of it.

    Args:
        path: where; folders are made.
        data: the content.

    Returns:
        Whether anything changed.

    Raises:
        UserError: the file cannot be written. What was there before is then still whole.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.exists() and path.read_bytes() == data:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}).",
            "Check the folder's permissions and the free space.",
        ) from error
    finally:
        with contextlib.suppress(OSError):  # gone after the rename; left only by what went wrong
            part.unlink()
    return True

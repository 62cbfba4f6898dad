"""Write files whole or not at all."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path

from lessons.toolkit.errors import UserError


def write_whole(path: Path, data: bytes, *, mode: int = 0o666, durable: bool = False) -> bool:
    """Write a file through a neighbour and a rename, so that nobody meets half of it.

    Args:
        path: where; folders are made.
        data: the content.
        mode: rights of the file, less the process's umask.
        durable: write for a process that owns the folder and may be killed: the content is on disk
            before the rename, and what a killed process left beside it is taken up.

    Returns:
        Whether anything changed.

    Raises:
        UserError: the file cannot be written. What was there before is then still whole.
    """
    # Another process may be writing the same file, unless the folder is ours.
    part = path.with_name(f".{path.name}.part" if durable else f".{path.name}.{os.getpid()}.part")
    try:
        if path.exists() and path.read_bytes() == data:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb", opener=partial(os.open, mode=mode)) as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
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

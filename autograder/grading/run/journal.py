"""Keep the grader's verdicts on disk, one line each.

None is lost or kept twice. A line is complete or it is not there: it ends in a newline and carries
its own checksum, so a run that was killed in the middle of a line is picked up at the line before.
The journal is also the cache: a verdict is kept under the hash of everything it depends on.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from lessons.toolkit.errors import UserError

SYNC_SECONDS = 2.0


def content_key(*parts: str) -> str:
    """Return a key that changes when any part does.

    >>> content_key("a", "b") != content_key("ab", "")
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")  # a notebook's JSON may hold half a pair
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


class Journal:
    """Verdicts by content key, appended to one file.

    Args:
        path: the journal; made where there is none. A broken last line is dropped, a broken line
            elsewhere is skipped: what it held is graded again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, dict[str, Any]] = {}
        self._repair()
        self._file = path.open("ab", buffering=0)
        self._synced = time.monotonic()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.fsync(self._file.fileno())
        self._file.close()

    def append(self, key: str, entry: dict[str, Any]) -> None:
        """Write one entry to disk before returning.

        Raises:
            UserError: when the disk is full or gone. What was written before stays.
        """
        line = _seal(key, entry)
        try:
            self._write_whole(line)
        except OSError as error:
            raise UserError(
                f"The journal {self.path.name} cannot be written: {error.strerror}.",
                "Make room and run the same command again: it goes on where it stopped.",
            ) from error
        self.entries[key] = entry

    def _write_whole(self, line: bytes) -> None:
        end = self.path.stat().st_size
        if self._file.write(line) != len(line):
            os.ftruncate(self._file.fileno(), end)
            raise OSError(28, "No space left on device")
        # The kernel holds what a killed process wrote; only a power cut needs more than this.
        if time.monotonic() - self._synced > SYNC_SECONDS:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def _repair(self) -> None:
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) != len(data):
            with self.path.open("r+b") as file:
                file.truncate(len(whole))
        for line in whole.splitlines():
            if (found := _open_seal(line)) is not None:
                self.entries[found[0]] = found[1]


def _seal(key: str, entry: dict[str, Any]) -> bytes:
    body = json.dumps([key, entry], separators=(",", ":"), sort_keys=True)
    return f"{hashlib.sha256(body.encode()).hexdigest()[:16]} {body}\n".encode()


def _open_seal(line: bytes) -> tuple[str, dict[str, Any]] | None:
    mark, _, body = line.partition(b" ")
    if hashlib.sha256(body).hexdigest()[:16].encode() != mark:
        return None
    key, entry = json.loads(body)
    return key, entry


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold an output folder for one grader.

    The lock goes with the process, however it ends.

    Raises:
        UserError: when another grader holds it.
    """
    if sys.platform == "win32":  # grading itself refuses Windows before it comes here
        yield
        return
    import fcntl

    path = folder / ".lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(
                f"Another grader is writing to {folder}.",
                "Wait for it, or give another folder with --out.",
            ) from error
        yield

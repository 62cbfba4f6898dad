"""Keep what a grader knows in one database beside its results.

It holds verdicts under the hash of everything they depend on, so it is also the cache, and the rows
that they make. A change is whole or it is not there, however the process ends. Each verdict carries
its own checksum: one whose bytes were damaged is asked for again.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from lessons.toolkit.errors import UserError

NAME = "journal.sqlite"
OLDER = "journal.jsonl"
LAYOUT = 1
SETTINGS = (
    "locking_mode = EXCLUSIVE",  # and so it works on a network's disk, without shared memory
    "journal_mode = WAL",
    # The kernel holds what a killed process wrote. A power cut costs the last thousand pages at
    # most, and never the whole.
    "synchronous = NORMAL",
)
# Errors of the disk, the folder or another program: the database itself may be sound.
THE_DISKS = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
TABLES = f"""
CREATE TABLE IF NOT EXISTS checks (key TEXT PRIMARY KEY, entry TEXT, seal TEXT);
CREATE TABLE IF NOT EXISTS lessons (
    student TEXT, stem TEXT, folder TEXT, result TEXT, seal TEXT, PRIMARY KEY (student, stem)
);
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT);
PRAGMA user_version = {LAYOUT};
"""


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
    """Verdicts by content key, and results by student and lesson.

    Args:
        path: the database; made where there is none. One that cannot be read is put aside.

    Raises:
        UserError: the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notices: list[str] = []
        if not path.exists() and path.with_name(OLDER).exists():
            self.notices.append(
                f"{OLDER} is of an older convlens: it stays as it is, and all is graded anew into "
                f"{path.name}."
            )
        try:
            self._open()
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF in THE_DISKS:
                raise self._unwritable(error) from error
            self._put_aside()
            self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def append(self, key: str, entry: dict[str, Any]) -> None:
        """Write one verdict to disk before returning.

        Raises:
            UserError: when the disk is full or gone. What was written before stays.
        """
        self.extend({key: entry})

    def extend(self, entries: Mapping[str, dict[str, Any]]) -> None:
        """Write many verdicts in one change."""
        texts = {
            key: json.dumps(entry, separators=(",", ":"), sort_keys=True)
            for key, entry in entries.items()
        }
        rows = [(key, text, content_key(key, text)) for key, text in texts.items()]
        self._write(("INSERT OR REPLACE INTO checks VALUES (?, ?, ?)", rows))
        self.entries.update(entries)

    def forget(self, keys: Iterable[str]) -> None:
        """Remove verdicts, so that they are asked for again."""
        known = [key for key in keys if key in self.entries]
        self._write(("DELETE FROM checks WHERE key = ?", [(key,) for key in known]))
        for key in known:
            del self.entries[key]

    def lessons(self) -> dict[tuple[str, str], tuple[str, dict[str, Any]]]:
        """Return folder and result of each lesson of each student, in order."""
        rows = self._base.execute("SELECT * FROM lessons ORDER BY student, stem")
        return {
            (student, stem): (folder, json.loads(text))
            for student, stem, folder, text, seal in rows
            if seal == content_key(student, stem, folder, text)
        }

    def keep_lessons(
        self,
        results: Mapping[tuple[str, str], tuple[str, Mapping[str, Any]]],
        gone: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Write lessons of students, and remove students of a folder, in one change.

        Args:
            results: folder and result by student and stem.
            gone: student and folder.
        """
        texts = [(*key, folder, json.dumps(told)) for key, (folder, told) in results.items()]
        self._write(
            ("DELETE FROM lessons WHERE student = ? AND folder = ?", gone),
            (
                "INSERT OR REPLACE INTO lessons VALUES (?, ?, ?, ?, ?)",
                [(*row, content_key(*row)) for row in texts],
            ),
        )

    def about(self) -> dict[str, str]:
        """Return what was written of the run as a whole."""
        return dict(self._base.execute("SELECT name, value FROM about"))

    def keep_about(self, **values: str) -> None:
        """Write something of the run as a whole."""
        self._write(("INSERT OR REPLACE INTO about VALUES (?, ?)", values.items()))

    def _open(self) -> None:
        # Workers write from their threads, one at a time.
        self._base = sqlite3.connect(self.path, check_same_thread=False)
        self._base.text_factory = lambda data: data.decode("utf-8", "replace")  # damage: see seals
        for setting in SETTINGS:
            self._base.execute(f"PRAGMA {setting}")
        (found,) = self._base.execute("PRAGMA user_version").fetchone()
        (health,) = self._base.execute("PRAGMA quick_check(1)").fetchone()
        if found not in (0, LAYOUT) or health != "ok":
            damage = sqlite3.DatabaseError(health)
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage
        self._base.executescript(TABLES)
        self.entries: dict[str, dict[str, Any]] = {
            key: json.loads(text)
            for key, text, seal in self._base.execute("SELECT * FROM checks")
            if seal == content_key(key, text)
        }

    def _put_aside(self) -> None:
        self._base.close()
        name = f"journal.{time.time():.0f}.sqlite"
        self.path.replace(self.path.with_name(name))
        self.path.with_name(f"{self.path.name}-wal").unlink(missing_ok=True)
        self.notices.append(
            f"{self.path.name} is damaged or of another convlens: it is kept as {name}, and a new "
            "one begun. Grade again each folder of submissions whose rows belong here."
        )

    def _write(self, *changes: tuple[str, Iterable[tuple[Any, ...]]]) -> None:
        try:
            with self._base:
                for order, rows in changes:
                    self._base.executemany(order, rows)
        except sqlite3.Error as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: sqlite3.Error) -> UserError:
        return UserError(
            f"The journal {self.path} cannot be written: {error}.",
            "Make room, or look at the folder's rights, and run the same command again: it goes on "
            "where it stopped.",
        )


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

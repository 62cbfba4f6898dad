"""Notice that a file was saved, in whatever way the editor saves it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.2


class Changes:
    """Call a function, from a thread, whenever something in a folder changes.

    A folder is watched and not a file, because editors replace files. Where the system cannot watch
    (network drives, no watches left), files are looked at five times a second instead.

    Args:
        folder: watched with all its subfolders.
        changed: called without arguments; may be called when nothing of interest changed.
    """

    def __init__(self, folder: Path, changed: Callable[[], None]) -> None:
        self._folder = folder
        self._changed = changed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join(timeout=2)

    def _watch(self) -> None:
        try:
            from watchfiles import watch

            for _ in watch(
                self._folder,
                stop_event=self._stop,
                debounce=50,
                step=20,
                poll_delay_ms=int(1000 * POLL_SECONDS),
                rust_timeout=500,
            ):
                self._changed()
        except Exception:  # the reasons differ by system; looking works on each
            self._poll()

    def _poll(self) -> None:
        before = self._snapshot()
        while not self._stop.wait(POLL_SECONDS):
            now = self._snapshot()
            if now != before:
                before = now
                self._changed()

    def _snapshot(self) -> dict[str, tuple[int, int]]:
        found = {}
        for path in self._folder.glob("*/*.*"):
            try:
                status = path.stat()
            except OSError:  # gone between the listing and the look
                continue
            found[str(path)] = status.st_mtime_ns, status.st_size
        return found

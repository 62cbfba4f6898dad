"""Read what a worker wrote.

A student's own check and grading share this reader. An answer is one frame for the loading, one for
each case as it ends, and a last one that says that it is whole. All of it may be forged, so it is
read as data and judged elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from autograder.protocol.wire import PREFIX, WireError, decode, encode, read_prefix

Record = dict[str, Any]
DONE = encode({"done": True})
# torch has no one exception for a failed allocation: these are words of several RuntimeErrors.
OUT_OF_MEMORY = re.compile(
    r"can't allocate memory|not enough memory|out of memory|Cannot allocate memory", re.IGNORECASE
)
# SIGSEGV, SIGBUS (Linux, macOS), and what Windows has for an access violation and a full stack.
CRASHES = (-11, -10, -7, 0xC0000005, 0xC00000FD)


@dataclass(frozen=True)
class Answer:
    """Answer of a worker for one exercise.

    Args:
        status: "ok" when it is whole; else "timeout", "died", "memory" or "output".
        records: the loading record and one for each case that ended.
        note: a few words on how it ended, when not by itself.
        seconds: wall time of the whole check.
    """

    status: str
    records: tuple[Record, ...]
    note: str = ""
    seconds: float = 0.0


class AnswerReader:
    """Reader of one answer, in whatever pieces it arrives.

    Args:
        cases: how many were asked for.
        device: where the worker was asked to put tensors.

    >>> reader = AnswerReader(cases=1)
    >>> reader.feed(encode({"loaded": True}) + DONE[:9])
    >>> reader.ended
    False
    >>> reader.feed(DONE[9:])
    >>> reader.answer("died").status
    'ok'
    """

    def __init__(self, cases: int, device: str = "cpu") -> None:
        self._most = 1 + cases
        self._device = device
        self._unread = bytearray()
        self._records: list[Record] = []
        self._status = self._note = ""

    @property
    def ended(self) -> bool:
        """Check whether nothing more will be read.

        The answer is then whole, malformed or too long.
        """
        return bool(self._status)

    def feed(self, data: bytes) -> None:
        """Take the bytes that a worker wrote next."""
        if self.ended:  # a worker that never stops must not fill our memory
            return
        self._unread += data
        try:
            while not self.ended and (frame := self._cut()):
                self._take(read_record(frame, self._device))
        except WireError as error:
            self._status, self._note = "output", str(error)

    def answer(self, ended: str, note: str = "", seconds: float = 0.0) -> Answer:
        """Return what was read.

        Args:
            ended: how the worker ended, as a status; counts only if the reading had not ended.
            note: a few words on that.
            seconds: wall time of the whole check.
        """
        status, note = (self._status, self._note) if self.ended else (ended, note)
        return Answer(status, tuple(self._records), note, seconds)

    def _cut(self) -> bytes:
        if len(self._unread) < PREFIX.size:
            return b""
        size = PREFIX.size + sum(read_prefix(bytes(self._unread[: PREFIX.size])))
        if len(self._unread) < size:
            return b""
        frame = bytes(self._unread[:size])
        del self._unread[:size]
        return frame

    def _take(self, record: Record) -> None:
        if record.get("done") is True:
            self._status = "ok"
        elif len(self._records) == self._most:
            self._status, self._note = "output", "it answered more cases than it was asked"
        else:
            self._records.append(record)


def read_record(data: bytes, device: str = "cpu") -> Record:
    """Read one frame of a worker as a record.

    The devices that its tensors lived on are added. A failed allocation, which arrives as some
    exception, becomes a MemoryError.

    Raises:
        WireError: the bytes are no frame.
    """
    frame = decode(data)
    record = dict(frame.value) if isinstance(frame.value, dict) else {}
    error = record.get("error")
    if isinstance(error, dict) and ran_out_of_memory(error.get("type"), error.get("message")):
        record["error"] = {**error, "type": "MemoryError"}
    return {**record, "devices": sorted(frame.devices), "device": device}


def ran_out_of_memory(kind: Any, message: Any) -> bool:
    """Recognise a failed allocation by an exception's type and message.

    Anything but text is ignored.

    >>> ran_out_of_memory("RuntimeError", "DefaultCPUAllocator: can't allocate memory")
    True
    """
    if isinstance(kind, str) and kind in ("MemoryError", "OutOfMemoryError"):
        return True
    return isinstance(message, str) and OUT_OF_MEMORY.search(message) is not None


def describe_exit(code: int) -> str:
    """Describe in a few words how a process ended.

    Args:
        code: its exit code, or minus the signal that ended it.
    """
    if code in CRASHES:
        return "it crashed in native code, or recursed without end"
    return f"it was ended by signal {-code}" if code < 0 else f"its exit code was {code}"

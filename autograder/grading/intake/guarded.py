"""Read submissions in a process of their own, under a clock and a cap on memory.

Nothing of a submission runs while it is read. But whoever packs an archive can choose what it costs
to unpack, and each cap closes only the ways that somebody has thought of. So whatever a submission
does to its reader, it costs that submission a reason and the others nothing.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from autograder.course.reference import ROOT
from autograder.grading.intake.archives import MIB, Caps
from autograder.grading.intake.folder import read_submission, student_of
from autograder.grading.intake.student_ids import name_of
from autograder.grading.intake.submission import Submission

# The largest that the caps let through needs a tenth of each.
SECONDS = 60.0
MEMORY_BYTES = 2048 * MIB


class Reader:
    """Read submissions in another process, replaced when one breaks it.

    Args:
        stems: lessons to look for.
        caps: what one submission may hold.
        seconds: wall clock for each.
        memory_bytes: address space of the process.
    """

    def __init__(
        self,
        stems: Sequence[str],
        caps: Caps,
        seconds: float = SECONDS,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._order = {"stems": list(stems), "caps": asdict(caps)}
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def read(self, place: Path) -> Submission:
        """Read a submission in that process.

        One that cannot be read within the limits comes back with that as its reason.
        """
        process = self._process or self._start()
        order = json.dumps({**self._order, "place": str(place.absolute())})
        try:
            assert process.stdin is not None
            process.stdin.write(order.encode() + b"\n")
            process.stdin.flush()
            answer = self._line(process)
        except (TimeoutError, BrokenPipeError) as trouble:
            self._end()
            late = isinstance(trouble, TimeoutError)
            why = f"more than {self._seconds:g} s" if late else "more memory than there is for one"
            problem = {"": f"The submission takes {why} to read."}
            return Submission(student_of(place), name_of(place), {}, problem)
        return Submission(**json.loads(answer))

    def _start(self) -> subprocess.Popen[bytes]:
        # -P: nothing is imported from the current directory, which may hold submissions.
        command = [
            sys.executable,
            "-P",
            "-m",
            "autograder.grading.intake.guarded",
            str(self._memory_bytes),
        ]
        self._process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the grader, which ends it
        )
        return self._process

    def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None
        output = process.stdout.fileno()
        parts: list[bytes] = []
        end = time.monotonic() + self._seconds
        while not (parts and parts[-1].endswith(b"\n")):
            ready, _, _ = select.select([output], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise TimeoutError
            if not (part := os.read(output, MIB)):
                raise BrokenPipeError
            parts.append(part)
        return b"".join(parts)

    def _end(self) -> None:
        if (process := self._process) is None:
            return
        self._process = None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:  # of an order that it did not live to read
                continue


def main() -> None:
    """Answer each line of standard input, an order, by one line, a submission."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        submission = read_submission(Path(order["place"]), order["stems"], Caps(**order["caps"]))
        print(json.dumps(asdict(submission)), flush=True)


if __name__ == "__main__":
    main()

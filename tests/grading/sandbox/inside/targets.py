"""What tests run inside a sandbox. Only this directory of `tests` can be imported there."""

from __future__ import annotations

import os


def run_source(read_fd: int, write_fd: int) -> None:
    """Run the job as Python source; `say(value)` writes to the output."""
    with os.fdopen(read_fd, "rb") as file:
        source = file.read().decode()

    def say(value: object) -> None:
        data = value if isinstance(value, bytes) else str(value).encode()
        while data:
            data = data[os.write(write_fd, data) :]

    exec(compile(source, "student.py", "exec"), {"say": say, "__name__": "student"})


def echo(read_fd: int, write_fd: int) -> None:
    """Send the job back."""
    with os.fdopen(read_fd, "rb") as source, os.fdopen(write_fd, "wb") as sink:
        sink.write(source.read())

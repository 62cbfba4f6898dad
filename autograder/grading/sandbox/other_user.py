"""Give a worker a user of its own, to whom the grader's files are closed.

For containers that run as root and refuse namespaces and Landlock. What hides a file here is its
mode and nothing else, so the modes are tried out, as that user, before anything is graded.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from autograder.grading.sandbox.probe import USER
from autograder.grading.sandbox.whitelist import COURSE
from lessons.toolkit.errors import UserError

# A number without a name: nobody's files, nobody's processes. Below 65536, where a container's end.
UID = 65_533

AS_THAT_USER = {"user": UID, "group": UID, "extra_groups": []}
"""Keywords for a process, whose rights are then gone before its program starts."""

_CLOSED = ("solutions", "autograder/checks", "autograder/judge", "tests")
_LOOK = """
import json, os, sys
for path in json.load(sys.stdin):
    # A folder that can be passed through opens what is known by name.
    if os.access(path, os.R_OK) or os.access(path, os.X_OK):
        print(path)
        break
"""


def lack() -> str:
    """Return why a worker cannot have a user of its own here, else a blank."""
    places = [COURSE / name for name in _CLOSED]
    places += [Path(entry) / "solutions" for entry in sys.path]
    try:
        seen = first_open(places)
    except PermissionError as error:
        return f"No other user can be had, or Python is closed to it ({error.strerror})."
    except (OSError, subprocess.SubprocessError) as error:
        return f"No other user can be had: {error}."
    return seen and f"Any user can read {seen}: close it, or a folder above it, by chmod 700."


def first_open(paths: Iterable[Path]) -> str:
    """Return the first path that is open to a worker's user, else a blank.

    Raises:
        OSError: there can be no such user here, or it cannot start Python.
    """
    done = subprocess.run(
        [str(Path(sys.executable).resolve()), "-I", "-S", "-c", _LOOK],
        input=json.dumps([str(path.resolve()) for path in paths]),
        capture_output=True,
        text=True,
        timeout=30,
        cwd="/",
        env={},
        check=True,
        **AS_THAT_USER,  # type: ignore[call-overload]
    )
    return done.stdout.strip()


def refuse_open(level: str, paths: Iterable[Path]) -> None:
    """Raise if what no submission may see is open to a worker's user.

    Args:
        level: of the isolation; on all others files are closed whatever their mode.
        paths: files and folders.

    Raises:
        UserError: it is.
    """
    if level == USER and (seen := first_open(paths)):
        raise UserError(
            f"Submissions run as a user that could read {seen}.", f"Close it: chmod 700 {seen}"
        )

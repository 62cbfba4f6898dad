"""A machine as a plain container has it: root, no namespaces, no Landlock.

The kernel itself refuses them, by a filter that is loaded before the command starts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.course.reference import ROOT

FORBID_NAMESPACES = """
import os, sys, errno, pyseccomp as s
rules = s.SyscallFilter(s.ALLOW)
for call in ("unshare", "mount", "setns"):
    rules.add_rule(s.ERRNO(errno.EPERM), call)
rules.add_rule(s.ERRNO(errno.ENOSYS), "clone3")
for bit in (0x10000000, 0x20000000, 0x00020000):
    rules.add_rule(s.ERRNO(errno.EPERM), "clone", s.Arg(0, s.MASKED_EQ, bit, bit))
"""
START = "rules.load()\nos.execv(sys.argv[1], sys.argv[1:])\n"
# By its number, which an old libseccomp does not know by name.
FORBID_LANDLOCK = "rules.add_rule(s.ERRNO(errno.ENOSYS), 444)\n"

WITHOUT_NAMESPACES = [sys.executable, "-c", FORBID_NAMESPACES + START]


def python_for_everybody(*hidden: Path) -> list[str]:
    """A command prefix as root in which an ordinary user reaches this Python, and nobody these."""
    if os.getuid():
        pytest.skip("only root can become somebody else")
    if not (shutil.which("setpriv") and shutil.which("unshare")):
        pytest.skip("setpriv and unshare are not installed")
    needed = dict.fromkeys(Path(prefix).resolve() for prefix in (sys.base_prefix, sys.prefix))
    closed = {
        [folder for folder in place.parents if not folder.stat().st_mode & 1][-1]: place
        for place in needed
        if any(not folder.stat().st_mode & 1 for folder in place.parents)
    }
    # Root's own home is often closed. In a mount namespace of its own it holds Python and no more.
    script = "".join(
        f"hold=$(mktemp -d) && mount --bind {place} $hold && "
        f"mount -t tmpfs -o mode=755 tmpfs {home} && mkdir -p {place} && "
        f"mount --bind $hold {place} && "
        for home, place in closed.items()
    )
    script += "".join(f"mount -t tmpfs -o mode=700 tmpfs {place} && " for place in hidden)
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", f'{script}exec "$@"', "sh"]


def plain_container() -> list[str]:
    """A command prefix as root without namespaces and Landlock, in which Python can be reached."""
    refuse = FORBID_NAMESPACES + FORBID_LANDLOCK + START
    # The course that Python finds by itself; who is tested here runs a copy that is closed.
    prefix = python_for_everybody(ROOT / "solutions")
    return [*prefix, sys.executable, "-c", refuse]


def closed_copy(place: Path) -> Path:
    """Copy the course and its tests to a folder that is closed to all but its owner."""
    place.mkdir(mode=0o700)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "autograder", "lessons", "solutions", "tests", "pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    return place

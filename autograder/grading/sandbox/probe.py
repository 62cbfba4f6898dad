"""Find out what isolation this machine can give, from the top of the ladder."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

from autograder.grading.sandbox import bubblewrap
from lessons.toolkit.errors import UserError, unknown

NAMESPACES = "namespaces+seccomp"
LANDLOCK = "landlock+seccomp+rlimits"
USER = "user+seccomp+rlimits"
NONE = "none"

LADDER = {"namespaces": NAMESPACES, "landlock": LANDLOCK, "user": USER, "none": NONE}
"""What a person may ask for -> what is then recorded with each grade."""


@dataclass(frozen=True)
class Isolation:
    """Separation of a worker from this machine.

    Args:
        level: `NAMESPACES`, `LANDLOCK`, `USER` or `NONE`; recorded with every grade.
        reasons: for each rung that cannot be had, why.
    """

    level: str
    reasons: tuple[str, ...] = ()


def probe() -> Isolation:
    """Return the best isolation that this machine can give, tried out in some 30 ms.

    It never raises.
    """
    try:
        return _probe()
    except Exception as error:  # a report for `doctor`: what is wrong is its content
        return Isolation(NONE, (f"The probe itself failed: {error!r}.",))


def choose(asked: str = "auto") -> Isolation:
    """Return the isolation to grade with.

    Args:
        asked: `"auto"` for the best there is, or a rung of `LADDER`.

    Raises:
        UserError: what is asked cannot be had; with `"auto"`, when no rung holds.
    """
    if asked not in ("auto", *LADDER):
        raise unknown("isolation", asked, ["auto", *LADDER])
    if not sys.platform.startswith("linux"):
        raise UserError(
            "Grading needs Linux: this system has no way to shut in the code of a submission.",
            "Grade in a Linux container, a virtual machine or WSL2; students' own checks run here.",
        )
    if asked == "none":
        return Isolation(NONE, ("Asked for by --isolation none.",))
    best = probe()
    ranks = list(LADDER.values())
    wanted = USER if asked == "auto" else LADDER[asked]
    if ranks.index(best.level) > ranks.index(wanted):
        raise UserError(
            f"This machine cannot isolate submissions as asked. {' '.join(best.reasons)}",
            "Install bubblewrap and libseccomp or grade on another machine;"
            " --isolation none runs their code unprotected.",
        )
    if asked == "user" and best.level != USER and (trouble := _no_user()):
        raise UserError(trouble, "Take auto: this machine has a better isolation.")
    return best if asked == "auto" else Isolation(wanted, best.reasons)


def _probe() -> Isolation:
    if not sys.platform.startswith("linux"):
        return Isolation(NONE, (f"Isolation is built on Linux, and this is {sys.platform}.",))
    trouble = _no_seccomp()
    if trouble:
        return Isolation(NONE, (trouble,))
    no_namespaces = _no_namespaces()
    if not no_namespaces:
        return Isolation(NAMESPACES)
    no_landlock = _no_landlock()
    if not no_landlock:
        return Isolation(LANDLOCK, (no_namespaces,))
    no_user = _no_user()
    if not no_user:
        return Isolation(USER, (no_namespaces, no_landlock))
    return Isolation(NONE, (no_namespaces, no_landlock, no_user))


def _no_seccomp() -> str:
    from autograder.grading.sandbox import seccomp  # Linux only

    if not seccomp.supported():
        return "The kernel has no seccomp filters."
    try:
        seccomp.compiled()
    except (ImportError, RuntimeError) as error:
        return f"No seccomp filter can be made ({error}): install convlens[grading] and libseccomp."
    return ""


def _no_namespaces() -> str:
    if bubblewrap.program() is None:
        return "bubblewrap (bwrap) is not installed."
    try:
        trial = subprocess.run(
            bubblewrap.trial(), capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"bubblewrap does not run: {error}."
    if trial.returncode:
        last = (trial.stderr.strip().splitlines() or [f"exit code {trial.returncode}"])[-1]
        return f"User namespaces cannot be had here ({last})."
    return ""


def _no_landlock() -> str:
    from autograder.grading.sandbox import landlock  # Linux only

    found = landlock.abi()
    if found < landlock.LOWEST_ABI:
        return f"Landlock ABI {landlock.LOWEST_ABI} (Linux 6.2) is needed; this kernel has {found}."
    return ""


def _no_user() -> str:
    if os.geteuid() != 0:
        return "Only root can give workers a user of their own."
    from autograder.grading.sandbox import other_user  # Linux only

    return other_user.lack()

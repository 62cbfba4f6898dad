"""Keep the secret seed of an offering: one folder of results, one seed."""

from __future__ import annotations

import contextlib
import json
import secrets
from pathlib import Path

from autograder.files import write_whole
from autograder.grading.run.journal import NAME, OLDER, Journal
from autograder.grading.run.versions import seed_hash
from lessons.toolkit.errors import UserError


def read_seed(path: Path) -> int:
    """Read a secret seed from its file.

    Raises:
        UserError: there is no such file, or it holds no number.
    """
    try:
        return int(path.read_text(encoding="utf-8").strip())
    except ValueError as error:
        raise UserError(
            f"The seed file {path} does not hold one whole number.", "Give another."
        ) from error
    except OSError as error:
        raise UserError(
            f"The seed file {path} cannot be read: {error.strerror}.",
            "Check the path; `convlens grade` makes a seed for a new folder of results.",
        ) from error


def make_seed(path: Path, out: Path) -> None:
    """Make a new secret seed, for a folder of results that has none.

    Raises:
        UserError: the folder was graded before, so that its seed must be somewhere.
    """
    if any((out / name).exists() for name in (NAME, OLDER, "results.json")):
        raise UserError(
            f"There is no seed file {path}, and {out} was graded with a seed before.",
            "Name its file with --seed-file, or give another folder with --out.",
        )
    write_whole(path, f"{secrets.randbits(62)}\n".encode(), mode=0o600)


def hold_to_seed(journal: Journal, seed: int) -> None:
    """Write down a folder's seed at its first run and ask for it ever after.

    Raises:
        UserError: it is another than the folder's.
    """
    given = seed_hash(seed)
    known = journal.about().get("seed_hash") or _seed_of_results(journal.path.parent) or given
    if known != given:
        raise UserError(
            f"{journal.path.parent} was graded with seed {known}, and this one is {given}: grades "
            "from two seeds cannot stand in one table.",
            "Give the first one's file with --seed-file, or another folder with --out.",
        )
    journal.keep_about(seed_hash=given)


def _seed_of_results(out: Path) -> str:
    """Return the hash of the seed in results without a journal, or ""."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        return str(json.loads((out / "results.json").read_text("utf-8"))["run"]["seed_hash"])
    return ""

"""The commands of `convlens`, as typer itself describes them."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from autograder.build.site.course import Course
from autograder.course.reference import ROOT
from lessons.toolkit.errors import UserError

PLACE = "reference/commands.md"
_SECTION = re.compile(r"^#+ `(convlens[ \w]*)`\n\n(.+)", re.MULTILINE)
_LISTED = re.compile(r"^\* `(\w+)`: .*$", re.MULTILINE)


def pages(course: Course) -> dict[str, str | bytes | Path]:
    """Return the page of all commands with their arguments and options."""
    # One heading of level 1 is the page's own; each command is one of level 2.
    text = _with_links(described()).replace("# `convlens`", "# Commands", 1)
    text = text.replace("```console\n$ ", "```text\n")  # a prompt is nothing to copy
    return {PLACE: f"---\ntitle: Commands\n---\n\n{text.strip()}\n"}


def _with_links(text: str) -> str:
    """Return the page with its lists of commands linked, and their sentences whole."""
    told = dict(_SECTION.findall(text))

    def linked(name: str, section: str) -> str:
        def line(listed: re.Match[str]) -> str:
            command = f"{name} {listed[1]}"
            if command not in told:
                return listed[0]
            return f"* [`{listed[1]}`](#{command.replace(' ', '-')}): {told[command]}"

        return _LISTED.sub(line, section)

    parts = re.split(r"^(?=#+ `convlens)", text, flags=re.MULTILINE)
    return "".join(linked(part.partition("`")[2].partition("`")[0], part) for part in parts)


@cache
def described() -> str:
    """Return typer's Markdown of the program.

    Raises:
        UserError: it cannot be had.
    """
    command = [sys.executable, "-m", "typer", "autograder.cli.main", "utils", "docs"]
    done = subprocess.run(
        [*command, "--name", "convlens"], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise UserError(f"The page of commands cannot be made: {last}.", "Try convlens --help.")
    # “[default: 4]” is a link's text in Markdown, and <LESSON> a tag.
    return re.sub(r"\[(default: [^\]]*|required)\]", r"(\1)", done.stdout)

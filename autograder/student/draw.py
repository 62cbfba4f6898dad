"""Run a story's cells and draw its figures with a student's own functions.

`python -m autograder.student.draw ROOT STEM FILE FOLDER` reads a list of parts, ``["cell", code]``
or ``["figure", name]``, and prints a line of JSON before and after each. A process of its own can
be stopped, and takes nothing of the student's into ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from autograder.course.figures import Course, draw, waits_for
from autograder.course.reference import ROOT
from autograder.files import write_whole
from autograder.student.own import load_own
from autograder.student.working_copy import WorkingCopy
from lessons.toolkit.errors import UserError

Part = tuple[str, str]


def draw_own(
    copy: WorkingCopy, stem: str, path: Path, parts: Sequence[Part], folder: Path
) -> Iterator[dict[str, Any]]:
    """Run cells and draw figures, in order.

    Args:
        copy: the student's working copy.
        stem: the lesson.
        path: the student's file.
        parts: ``("cell", code)`` or ``("figure", name)``.
        folder: where the pictures go.

    Yields:
        For each part ``{"begun": number}``, then what became of it: ``output`` or ``file``,
        ``waits``, the exercise that it lacks, or ``error``, a line.

    Raises:
        UserError: the file does not load.
    """
    command = [sys.executable, "-P", "-m", "autograder.student.draw"]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [*command, str(copy.root), stem, str(path), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "MPLBACKEND": "Agg"},
    )
    try:
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(list(parts)))
        process.stdin.close()
        for line in process.stdout:
            said = json.loads(line)
            if "refused" in said:
                raise UserError(said["refused"], "Mend it, or ask: convlens check.")
            yield said
        if process.wait():
            raise UserError("Your code ended its process.", "`convlens check` says more.")
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Do one request.

    What the student's code prints outside of cells goes to standard error.
    """
    say = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    root, stem, file, folder = sys.argv[1:]
    parts = json.load(sys.stdin)

    def tell(**said: Any) -> None:
        say.write(json.dumps(said) + "\n")
        say.flush()

    try:
        names = dict(vars(load_own(WorkingCopy(Path(root)), stem, Path(file))))
    except BaseException as error:  # SystemExit is the student's too
        tell(refused=f"{file} does not load: {_line(error, file)}.")
        return
    for number, (kind, what) in enumerate(parts):
        tell(begun=number)
        try:
            if kind == "cell":
                tell(output=_cell(what, names, number))
            else:
                tell(file=str(_figure(stem, what, Path(folder))))
        except Exception as error:
            tell(waits=waits_for(error), error=_line(error, file))


def _cell(code: str, names: dict[str, Any], number: int) -> str:
    from autograder.build.render import run_cell

    return run_cell(code, names, f"<cell {number}>")


def _figure(stem: str, name: str, folder: Path) -> Path:
    from lessons.toolkit.plots import figure_png

    figure = draw(stem, name, Course("lessons.{stem}.exercises"))
    path = folder / f"{name}.png"
    write_whole(path, figure_png(figure))
    return path


def _line(error: BaseException, file: str) -> str:
    from autograder.worker.load import describe_error

    told = describe_error(error, file)
    text = " ".join(f"{told['type']}: {told['message']}".split()).rstrip(":. ")
    where = f" (line {told['lines'][-1][0]})" if told["lines"] and file.endswith(".py") else ""
    return f"{text}{where}"


if __name__ == "__main__":
    main()

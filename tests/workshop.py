"""A working copy with one small lesson, so that the builder's tests do not hang on the course's."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "tests" / "build" / "sample"
STEM = "l90_sample"
CACHES = shutil.ignore_patterns("__pycache__", "l[0-9][0-9]_*", "public", "markdown")


# Importing torch takes seconds, so one process imports it and forks a child for each request.
ZYGOTE = """
import json, os, sys, traceback
import matplotlib.figure, mkdocs.commands.build, numpy, torch
for line in sys.stdin:
    request = json.loads(line)
    child = os.fork()
    if child:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    for name, number in (("out", 1), ("err", 2)):
        os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(request["root"])
    os.environ["PYTHONPATH"] = request["root"]
    sys.path.insert(0, request["root"])
    status = 0
    try:
        exec(compile(request["code"], "<test>", "exec"), vars(sys.modules["__main__"]))
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
"""


@cache
def _zygote() -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ZYGOTE]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=SAMPLE, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(process.kill)
    return process


class Workshop:
    """A copy of the course that holds the sample lesson only."""

    def __init__(self, root: Path, drawn: Path | None = None) -> None:
        self.root = root
        self.lesson = root / "lessons" / STEM
        for name in ("autograder", "lessons", "solutions", "site"):
            shutil.copytree(ROOT / name, root / name, ignore=CACHES)
        for name in ("CHANGELOG.md", "LICENSE"):
            shutil.copy(ROOT / name, root)
        places = {
            "solution.py": root / "solutions" / f"{STEM}.py",
            "given.py": root / "solutions" / "l89_given.py",
            "figures.py": self.lesson / "figures.py",
            "lesson.md": self.lesson / "lesson.md",
        }
        self.lesson.mkdir()
        for name, place in places.items():
            shutil.copy(SAMPLE / name, place)
        if drawn and drawn.exists():  # pictures that need not be drawn once more
            shutil.copytree(drawn, self.lesson / "pictures")
        shutil.copytree(SAMPLE / "checks", root / "autograder" / "checks" / STEM, ignore=CACHES)
        catalogue = root / "autograder" / "course" / "catalogue.py"
        self.edit(catalogue, "\nPARTS = {\n", f'\nPARTS = {{\n    "Samples": ("{STEM}",),\n')
        self.solution = places["solution.py"]
        self.home = root / "site" / "docs" / "index.md"
        # Some of the course's own pages show figures of lessons that are not here.
        for page in (self.home, *(self.home.with_name(f"{n}.md") for n in ("playground", "tour"))):
            text = re.sub(
                r"lessons/\w+/pictures/\w+", f"lessons/{STEM}/pictures/bars", page.read_text()
            )
            page.write_text(re.sub(r"\(lessons/\w+\.md\)", f"(lessons/{STEM}.md)", text))

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run code in a process of its own that takes the course from the copy."""
        out, err = self.root / "stdout", self.root / "stderr"
        request = {"root": str(self.root), "code": code, "out": str(out), "err": str(err)}
        _zygote().stdin.write(json.dumps(request) + "\n")
        _zygote().stdin.flush()
        status = int(_zygote().stdout.readline())
        return subprocess.CompletedProcess(code, status, out.read_text(), err.read_text())

    def ask(self, expression: str) -> object:
        """The value of an expression that may use `build` and `site`."""
        imports = (
            "import json, autograder.build.products as build, autograder.build.site.make as site\n"
        )
        done = self.python(f"{imports}print('\\n' + json.dumps({expression}))")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def edit(self, path: Path, old: str, new: str) -> None:
        """Replace a text that must be there."""
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

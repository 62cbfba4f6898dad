"""List what a worker may read.

That is a Python, what the course depends on, and some modules of ours. No solution, check, judge or
test is on the list.
"""

from __future__ import annotations

import re
import shutil
import sys
import sysconfig
import threading
import tomllib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from autograder.grading.sandbox import libraries

# What a student's own check finds, a graded one finds too.
DISTRIBUTIONS = ("convlens",)
COURSE = Path(__file__).resolve().parents[3]
_ONE_AT_A_TIME = threading.Lock()

# The last group is what the zygote itself runs on, file by file: its packages hold much more.
PROJECT = (
    "lessons/__init__.py",
    "lessons/toolkit",
    "autograder/__init__.py",
    "autograder/protocol",
    "autograder/worker",
    "autograder/grading/__init__.py",
    *(
        f"autograder/grading/sandbox/{name}.py"
        for name in (
            *("__init__", "syscalls", "landlock", "limits", "namespaces", "seccomp"),
            "zygote",
        )
    ),
)

# The processor's kind and its caches, and nothing about who runs what.
_MACHINE = ("/sys/devices/system/cpu", "/etc/ld.so.cache")
_NOT_STDLIB = ("site-packages", "dist-packages", "ensurepip", "idlelib", "tkinter", "test")


@dataclass(frozen=True)
class Entry:
    """Importable name below a `root` that is on `sys.path`."""

    root: Path
    name: str

    @property
    def path(self) -> Path:
        """Return its path."""
        return self.root / self.name


@dataclass(frozen=True)
class Whitelist:
    """Everything a worker may read.

    Args:
        python: the interpreter, links resolved.
        stdlib: the standard library's directory.
        stdlib_names: its entries that may be read; third parties install below the same directory.
        entries: everything else importable.
        files: libraries and machine files, at the same place inside.
    """

    python: Path
    stdlib: Path
    stdlib_names: tuple[str, ...]
    entries: tuple[Entry, ...]
    files: tuple[Path, ...]

    @property
    def sys_path(self) -> list[str]:
        """Return the worker's import path for files at their real places."""
        roots = [self.stdlib, self.stdlib / "lib-dynload", *(entry.root for entry in self.entries)]
        return list(dict.fromkeys(str(root) for root in roots))

    @property
    def housed(self) -> dict[Path, Path]:
        """Return where each root of entries lies in a root file system of our own.

        Not at its real place: a project or an environment below `/tmp` would be covered by a
        child's own `/tmp`, and a real path is none of a student's business.
        """
        roots = dict.fromkeys(entry.root for entry in self.entries)
        return {root: Path(f"/importable/{number}") for number, root in enumerate(roots)}

    @property
    def housed_path(self) -> list[str]:
        """Return the import path that goes with `housed`."""
        stdlib = [self.stdlib, self.stdlib / "lib-dynload"]
        return [str(place) for place in (*stdlib, *self.housed.values())]

    @property
    def readable(self) -> list[str]:
        """Return every file and directory on the list, at its real place."""
        stdlib = [self.stdlib / name for name in self.stdlib_names]
        ours = [entry.path for entry in self.entries]
        return list(dict.fromkeys(str(p) for p in (self.python, *stdlib, *ours, *self.files)))

    def stage(self, directory: Path, copied: Collection[Path] = ()) -> list[str]:
        """Fill a directory with links to everything importable.

        Landlock rights reach all the way down: a worker that may list the directory that holds
        `autograder/worker` may list `solutions` too. So it lists this one instead.

        Args:
            directory: an empty one.
            copied: roots whose entries are copied and not linked, for another user to read.

        Returns:
            Its import path.
        """
        shelf = directory / "lib"
        stdlib = [Entry(self.stdlib, name) for name in self.stdlib_names]
        for entry in (*self.entries, *stdlib):
            link = shelf / entry.name
            link.parent.mkdir(parents=True, exist_ok=True)
            if entry.root in copied:
                _copy(entry.path, link)
            elif not link.exists():
                link.symlink_to(entry.path)
        if copied:
            _open_to_all(directory)
        return [str(shelf), str(self.stdlib / "lib-dynload")]


def build(
    import_from: Sequence[Path] = (), distributions: tuple[str, ...] = DISTRIBUTIONS
) -> Whitelist:
    """Return the whitelist of a worker on this machine.

    Args:
        import_from: further directories that a worker may import from, whole.
        distributions: installed distributions it may import, with all they depend on.
    """
    with _ONE_AT_A_TIME:  # the second caller finds what the first has found
        base = _python_and_distributions(distributions)
    ours = [Entry(COURSE, name) for name in PROJECT if (COURSE / name).exists()]
    for root in import_from:
        ours += [Entry(root.resolve(), path.name) for path in sorted(root.iterdir())]
    return Whitelist(
        base.python, base.stdlib, base.stdlib_names, (*ours, *base.entries), base.files
    )


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)


def _open_to_all(directory: Path) -> None:
    """Let every user read what lies in a directory, links not followed."""
    directory.chmod(0o755)
    for path in directory.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)


@cache
def _python_and_distributions(distributions: tuple[str, ...]) -> Whitelist:
    python = Path(sys.executable).resolve()
    stdlib = Path(sysconfig.get_path("stdlib")).resolve()
    names = tuple(sorted(p.name for p in stdlib.iterdir() if p.name not in _NOT_STDLIB))
    entries: dict[Entry, None] = {}
    compiled = [p for p in (stdlib / "lib-dynload").glob("*.so") if "tkinter" not in p.name]
    for distribution in _closure(distributions):
        root = Path(str(distribution.locate_file("")))
        files = [str(file) for file in distribution.files or ()]  # read anew at every use
        for name in sorted(_top_level(distribution, files)):
            entry = Entry(root.resolve(), name)
            if entry.path.exists():
                entries[entry] = None
        compiled += [root / file for file in files if ".so" in file.rpartition("/")[2]]
    needed = libraries.needed_from_system(python, compiled)
    machine = [Path(path) for path in _MACHINE if Path(path).exists()]
    return Whitelist(python, stdlib, names, tuple(entries), (*needed, *machine))


def _closure(names: Iterable[str]) -> list[metadata.Distribution]:
    """Return installed distributions and all that they require but the course.

    Markers other than extras are not read: what they exclude is not installed, or does no harm.
    """
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, str]] = set()
    todo = [(name, "") for name in names]
    while todo:
        name, extra = todo.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if (key, extra) in seen:
            continue
        seen.add((key, extra))
        try:
            distribution = metadata.distribution(name)
            requirements = distribution.requires or []
        except metadata.PackageNotFoundError:
            if key != "convlens":
                continue
            requirements = _declared()
        if key != "convlens":  # of which a worker sees the modules above, and no solution
            found.setdefault(key, distribution)
        for requirement in requirements:
            condition = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", requirement)
            if condition and condition[1] != extra:
                continue
            wanted = re.match(r"\s*([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?", requirement)
            if wanted:
                extras = [part.strip() for part in (wanted[2] or "").split(",")]
                todo += [(wanted[1], part) for part in {"", *extras}]
    return list(found.values())


def _declared() -> list[str]:
    """Return what the course requires, as its pyproject.toml says."""
    table = tomllib.loads((COURSE / "pyproject.toml").read_text(encoding="utf-8"))
    return list(table["project"]["dependencies"])


def _top_level(distribution: metadata.Distribution, files: list[str]) -> set[str]:
    if files:
        tops = {file.partition("/")[0] for file in files}
    else:  # a system's package manager keeps no list beside the package
        tops = set((distribution.read_text("top_level.txt") or distribution.name).split())
    return {top for top in tops if top not in ("..", "__pycache__") and not top.endswith(".pth")}

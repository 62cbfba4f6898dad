"""Load a student's code from its text and describe its errors by its own lines."""

from __future__ import annotations

import ast
import importlib.util
import io
import linecache
import re
import sys
import traceback
from collections.abc import Mapping
from functools import lru_cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any, NoReturn

LONGEST_MESSAGE = 400
MOST_LINES = 4
EARLIER = re.compile(r"lessons\.(l\d\d_\w+)\.exercises")
# What the first cell of our notebooks imports, in every spelling that it has had.
TOOLS = {"check", "hint", "show", "solution"}
TOOLS_FROM = {"autograder", "autograder.course", "autograder.notebook"}
WINDOWS = re.compile(
    r"(?:matplotlib|mpl|plt|pyplot|matplotlib\.pyplot)\.(?:use|switch_backend|show|ion)"
)


def load(
    stem: str, source: str, filename: str, earlier: Mapping[str, str] | None = None
) -> ModuleType:
    """Run a student's file as a module of its own.

    Args:
        stem: the lesson, ``l11_saliency``; the module is registered under this name.
        source: the text of the file.
        filename: shown in tracebacks.
        earlier: the student's files of other lessons by stem, which this one may import.

    Raises:
        Exception: whatever the student's top-level code raises.
    """
    offer_earlier(earlier or {})
    # Lines as Python counts them: `str.splitlines` ends one at a form feed too.
    linecache.cache[filename] = (len(source), None, [*io.StringIO(source)], filename)
    module = ModuleType(stem)
    module.__file__ = filename
    sys.modules[stem] = module
    _run(source, filename, module)
    return module


def _run(source: str, filename: str, module: ModuleType) -> None:
    vars(module).update(__absent__=_absent, __nothing__=NOTHING)
    exec(_compiled(source, filename), vars(module))


@lru_cache(maxsize=64)
def _compiled(source: str, filename: str) -> CodeType:
    # The judge runs the same wrong version on one case after the other.
    try:
        tree = ast.parse(source, filename)
        _quieten(tree)
        tree.body = [part for node in tree.body for part in _forgiving(node)]
        return compile(tree, filename, "exec", dont_inherit=True)
    except RecursionError:  # a tree holds fewer levels than the parser takes
        return compile(source, filename, "exec", dont_inherit=True)


class _Absent:
    """Stand-in for a module that is not there: it fails when it is used."""

    def __init__(self, error: ModuleNotFoundError) -> None:
        vars(self)["error"] = str(error), error.name

    def _fail(self, *_: object, **__: object) -> NoReturn:
        message, name = vars(self)["error"]
        raise ModuleNotFoundError(message, name=name)

    __call__ = __getattr__ = __getitem__ = __iter__ = __instancecheck__ = _fail


class _Nothing:
    """Stand-in for what only a notebook or a screen has: it does nothing."""

    def __call__(self, *_: object, **__: object) -> _Nothing:
        return self

    def __getattr__(self, name: str) -> _Nothing:
        return self


NOTHING = _Nothing()


def _absent(error: ModuleNotFoundError, name: str) -> Any:
    """Return what a failed import binds.

    Where only a part of a package is missing, that is the package.
    """
    return sys.modules.get(name) or _Absent(error)


def _quieten(tree: ast.Module) -> None:
    """Let lines do nothing that ask for a notebook or a window.

    A check has neither, and a line that asks for one is no mistake. A line that tries, and is ready
    to be refused, stays.
    """
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, tried = waiting.pop()
        if isinstance(node, ast.ImportFrom) and node.module in TOOLS_FROM:
            if {alias.name for alias in node.names} <= TOOLS:
                node.module = __name__
                for alias in node.names:
                    alias.name, alias.asname = "NOTHING", alias.asname or alias.name
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = ast.unparse(node.func) if isinstance(node.func, ast.Attribute) else node.func.id
            if WINDOWS.fullmatch(name) or (name == "get_ipython" and not tried):
                node.func = ast.copy_location(ast.Name("__nothing__", ast.Load()), node.func)
        tried = tried or isinstance(node, ast.Try)
        waiting += [(child, tried) for child in ast.iter_child_nodes(node)]


def _forgiving(node: ast.stmt) -> list[ast.stmt]:
    """Let an import at the top of a file pass where its module is not there.

    Its names then fail when they are used. An import inside `try` or a function is Python's own.
    """
    if isinstance(node, ast.Import):  # one by one: the second may be there though the first is not
        return [_tried(ast.copy_location(ast.Import([alias]), node)) for alias in node.names]
    if (
        isinstance(node, ast.ImportFrom)
        and node.module != "__future__"
        and node.names[0].name != "*"
    ):
        return [_tried(node)]
    return [node]


def _tried(node: ast.Import | ast.ImportFrom) -> ast.stmt:
    binds = []
    for alias in node.names:
        name = alias.asname or alias.name.partition(".")[0]
        there = name if isinstance(node, ast.Import) and not alias.asname else ""
        binds.append(f"{name} = __absent__(__error__, {there!r})")
    text = f"try: pass\nexcept ModuleNotFoundError as __error__: {'; '.join(binds)}"
    (attempt,) = ast.parse(text).body
    for part in ast.walk(attempt):
        ast.copy_location(part, node)
    assert isinstance(attempt, ast.Try)
    attempt.body = [node]
    return attempt


class _EarlierLessons(MetaPathFinder, Loader):
    """Finder of `lessons.lNN_topic.exercises` in the texts that came with the job."""

    def __init__(self) -> None:
        self.sources: dict[str, str] = {}

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> ModuleSpec | None:
        """Return the spec of an earlier lesson's exercises.

        Return None for any other module.
        """
        match = EARLIER.fullmatch(fullname)
        if match is None or match[1] not in self.sources:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the earlier file."""
        filename = module.__name__.replace(".", "/") + ".py"
        source = self.sources[module.__name__.split(".")[1]]
        _run(source, filename, module)


_EARLIER = _EarlierLessons()


def offer_earlier(sources: Mapping[str, str]) -> None:
    """Make these lessons, and no others, importable as the student's own.

    Those of an earlier job no longer are.
    """
    # By name: a search of sys.modules would touch, and so copy, a page for each of its strings.
    for stem in {*_EARLIER.sources, *sources}:
        sys.modules.pop(f"lessons.{stem}.exercises", None)
    _EARLIER.sources = dict(sources)
    if _EARLIER not in sys.meta_path:
        sys.meta_path.insert(0, _EARLIER)
    for stem in sources:
        package = f"lessons.{stem}"
        if package not in sys.modules and importlib.util.find_spec(package) is None:
            # A worker may see the toolkit alone: the lesson's folder then exists only here.
            sys.modules[package] = ModuleType(package)
            sys.modules[package].__path__ = []


def describe_error(error: BaseException, filename: str) -> dict[str, Any]:
    """Describe an exception as plain data.

    It has the type, the message, and the student's lines on the way to it.

    Args:
        error: the exception.
        filename: the student's file, whose lines are kept.

    Returns:
        ``{"type", "message", "lines": [[line number, text], ...]}``, innermost line last.
    """
    return {
        "type": type(error).__name__,
        "message": _message(error),
        "lines": _student_lines(error, filename),
    }


def _message(error: BaseException) -> str:
    try:
        text = str(error.msg if isinstance(error, SyntaxError) else error)
    except Exception:  # a student's exception class may fail to describe itself
        return ""
    return text[:LONGEST_MESSAGE]


def _student_lines(error: BaseException, filename: str) -> list[list[Any]]:
    if isinstance(error, SyntaxError) and error.filename == filename:
        # Not `error.text`: Python may take that from a file of this name on the disk.
        number = error.lineno or 0
        return [[number, linecache.getline(filename, number).strip()[:200]]]
    if isinstance(error, SyntaxError) and error.filename is None:  # a cell that does not parse
        return [[error.lineno or 0, (error.text or "").strip()[:200]]]
    frames = traceback.walk_tb(error.__traceback__)
    numbers = [number for frame, number in frames if frame.f_code.co_filename == filename]
    return [[n, linecache.getline(filename, n).strip()[:200]] for n in numbers[-MOST_LINES:]]

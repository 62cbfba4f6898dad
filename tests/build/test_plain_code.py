"""What is left of Python without what it says of itself."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest

from autograder.build.plain_code import without_words
from autograder.course.reference import ROOT

CODE = '''"""A module."""

import math  # for pi


class A:
    """A class.

    # no comment
    """

    x = "# no comment either"

    def f(self):
        "What it does."
        return f"{math.pi}#{self.x}"  # why
'''
LEFT = '''import math
class A:
    x = "# no comment either"
    def f(self):
        return f"{math.pi}#{self.x}"'''


def test_words_go_and_code_stays():
    assert without_words(CODE) == LEFT


@pytest.mark.parametrize("old", ["for pi", "A class.", "What it does.", "why", "A module."])
def test_another_word_changes_nothing(old: str):
    assert without_words(CODE.replace(old, "Other words:")) == LEFT


@pytest.mark.parametrize("old", ["math.pi", "no comment either", "self.x", "import math"])
def test_other_code_changes_it(old: str):
    assert without_words(CODE.replace(old, "math.e")) != LEFT


FILES = sorted((ROOT / "lessons" / "toolkit").glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_runs_is_the_same(path: Path):
    def code(text: str) -> str:
        tree = ast.parse(text)
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [part for part in body if not _is_words(part)]  # type: ignore[attr-defined]
        return ast.dump(tree)

    text = path.read_text(encoding="utf-8")
    left = without_words(text + "\npass\n")  # a module of words alone would be empty
    assert code(_with_bodies(left)) == code(text + "\npass\n")


def _is_words(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _with_bodies(text: str) -> str:
    """Give a body to what consisted of a docstring alone, so that it can be parsed."""
    lines = [*text.split("\n"), ""]
    found = []
    for line, following in itertools.pairwise(lines):
        found.append(line)
        indent = len(line) - len(line.lstrip())
        opens = line.lstrip().startswith(("class ", "def ")) and line.endswith(":")
        if opens and len(following) - len(following.lstrip()) <= indent:
            found.append(" " * (indent + 4) + '"words"')
    return "\n".join(found)

"""Right code passes, in whatever style: what people write who have read the docstring."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from autograder.checks import lesson
from autograder.course.reference import for_students, read_lesson
from autograder.judge.expected import Expectation, run_trusted
from autograder.judge.verdict import judge
from autograder.protocol.answers import Answer

VERSIONS = {
    f"{path.stem}.{node.name}": ast.get_source_segment(path.read_text(encoding="utf-8"), node)
    for path in sorted(Path(__file__).with_name("right").glob("l*.py"))
    for node in ast.parse(path.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef | ast.ClassDef)
}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_right_version_passes(version: str) -> None:
    stem, _, style = version.partition(".")
    name = style.partition("__")[0]
    text = for_students((VERSIONS[version] or "").replace(style, name, 1))
    expectation = Expectation(stem, lesson(stem).exercise(name))
    job = expectation.job(read_lesson(stem).replaced(name, text), "exercises.py")
    verdict = judge(expectation, Answer("ok", tuple(run_trusted(job))))
    assert verdict.outcome == "passed", verdict.message

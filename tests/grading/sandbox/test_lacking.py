"""Code that works at home and not in the sandbox is told what is missing there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import RUNGS, skip_without

from autograder.checks import lesson
from autograder.grading.class_run import LIMITS, open_sandbox
from autograder.grading.run.examine import read_answer
from autograder.grading.run.lacking import explained
from autograder.grading.sandbox.children import Sandbox
from autograder.grading.sandbox.probe import LADDER, Isolation
from autograder.judge.expected import Expectation
from autograder.judge.verdict import judge

pytestmark = pytest.mark.sandbox

STEM, EXERCISE = "l11_saliency", "saliency_map"
HOMELY = {
    "import cv2": "packages that the course depends on, and no other",
    "model.cuda()": "no GPU",
    "images.to('cuda:0')": "no GPU",
    "images.to('mps')": "no GPU",
    "import urllib.request; urllib.request.urlopen('http://example.org/w.pth')": "no network",
    "import socket; socket.create_connection(('192.0.2.1', 80))": "no network",
    "import subprocess; subprocess.run(['ls'])": "no other program",
    "open('photo.png')": "no file of yours",
    "open('/home/me/maps.npy', 'wb')": "no file of yours",
}


@pytest.fixture(scope="module", params=RUNGS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox for the lesson on each rung that isolates."""
    skip_without(request.param)
    with open_sandbox(Isolation(LADDER[request.param]), LIMITS, [STEM]) as opened:
        yield opened


@pytest.mark.parametrize("line", HOMELY)
def test_what_is_missing_is_named(line: str, sandbox: Sandbox) -> None:
    expectation = Expectation(STEM, lesson(STEM).exercise(EXERCISE))
    source = f"def {EXERCISE}(model, images, target):\n    {line}\n    return images"
    result = sandbox.run(expectation.payload(source, "exercises.py"), 30)
    verdict = judge(expectation, read_answer(result, len(expectation.cases)))
    assert HOMELY[line] not in verdict.message
    assert HOMELY[line] in explained(verdict.message)
    assert explained(verdict.message).startswith(verdict.message)


@pytest.mark.parametrize(
    "message",
    [
        "`f` raised RuntimeError: shape '[2, 3]' is invalid for input of size 7 (line 4: `x`).",
        "`f` raised ValueError: no such layer.",
        "`f` should be zero where the gradient is.",
    ],
)
def test_other_sentences_stay(message: str) -> None:
    assert explained(message) == message

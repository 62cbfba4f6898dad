"""Every reference on every case of its checks, with tensors and networks on the GPU.

The judge compares with what the reference gives on the CPU. It also says so when a result comes
back on another device than what was given.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from autograder.checks import lesson
from autograder.course.catalogue import landed_stems
from autograder.course.exercise import Exercise
from autograder.course.reference import read_lesson
from autograder.judge.expected import Expectation, run_trusted
from autograder.judge.verdict import judge
from autograder.protocol.answers import Answer

EXERCISES = [one for stem in landed_stems() for one in lesson(stem).exercises]


@pytest.fixture
def exact() -> Iterator[None]:
    """Multiply with all digits, as the CPU does."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.gpu
@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda one: f"{one.stem}.{one.name}")
def test_as_on_the_cpu(exercise: Exercise) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    expectation = Expectation(exercise.stem, exercise)
    job = expectation.job(read_lesson(exercise.stem).bare(), "reference")
    job["device"] = "cuda"
    verdict = judge(expectation, Answer("ok", tuple(run_trusted(job))))
    assert verdict.outcome == "passed", verdict.message

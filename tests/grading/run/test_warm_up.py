"""The rehearsal runs through, and children of a zygote that has rehearsed answer as others do."""

from __future__ import annotations

import io

import pytest
import torch

from autograder.checks import stems
from autograder.grading.run.class_run import LIMITS, open_sandbox
from autograder.grading.run.engine import read_answer
from autograder.grading.run.warm_up import rehearsals
from autograder.grading.sandbox.probe import choose
from autograder.judge.expected import run_trusted
from autograder.protocol.wire import encode, read_frame

DEEP = """
import torch
from torch.utils.checkpoint import checkpoint


def deep(images):
    def layers(x, left):
        if left == 0:
            return x.sin()
        return checkpoint(lambda y: layers(1.01 * y, left - 1), x, use_reentrant=True)

    image = images.clone().requires_grad_()
    layers(image, 70).sum().backward()
    return image.grad
"""


@pytest.mark.sandbox
@pytest.mark.slow
def test_a_gradient_inside_gradients_works_after_a_rehearsal() -> None:
    case = {"name": "one", "call": "deep", "inputs": {"images": torch.rand(1, 3, 8, 8)}}
    job = {"stem": "l00", "exercise": "deep", "source": DEEP, "filename": "x.py", "cases": [case]}
    with open_sandbox(choose(), LIMITS, list(stems())) as sandbox:
        result = sandbox.run(encode(job), 60)
    assert result.status == "ok", result.reason
    _, record = read_answer(result, 1).records
    assert record["status"] == "returned"


@pytest.mark.parametrize("stem", stems())
def test_every_case_of_the_rehearsal_returns(stem: str) -> None:
    (payload,) = rehearsals([stem])
    frame = read_frame(io.BytesIO(payload).read)
    assert frame is not None
    loading, *records = run_trusted(frame.value)
    assert loading["has"]
    assert {record["status"] for record in records} == {"returned"}
    assert len(records) == len(frame.value["cases"])

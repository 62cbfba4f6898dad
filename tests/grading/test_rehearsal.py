"""The rehearsal runs through, and children of a zygote that has rehearsed answer as others do."""

from __future__ import annotations

import io

import pytest

from autograder.checks import stems
from autograder.grading.rehearsal import rehearsals
from autograder.judge.expected import run_trusted
from autograder.wire import read_frame


@pytest.mark.parametrize("stem", stems())
def test_every_case_of_the_rehearsal_returns(stem: str) -> None:
    (payload,) = rehearsals([stem])
    frame = read_frame(io.BytesIO(payload).read)
    assert frame is not None
    loading, *records = run_trusted(frame.value)
    assert loading["has"]
    assert {record["status"] for record in records} == {"returned"}
    assert len(records) == len(frame.value["cases"])

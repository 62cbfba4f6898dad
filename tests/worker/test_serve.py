"""A worker answers every case it can."""

from __future__ import annotations

from typing import Any

import pytest

from autograder.judge.expected import restored_globals
from autograder.protocol.answers import Answer, AnswerReader
from autograder.worker import serve

JOB = {
    "stem": "l00_none",
    "exercise": "f",
    "source": "def f(n):\n    return n\n",
    "filename": "mine.py",
    "cases": [{"name": str(n), "call": "f", "inputs": {"n": n}} for n in range(3)],
}


def ask(job: dict[str, Any]) -> Answer:
    reader = AnswerReader(len(JOB["cases"]))
    with restored_globals(()):
        serve.answer(job, reader.feed)
    return reader.answer("died")


def fail_at_1(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let our own lines fail on the second case."""
    observe = serve.observe

    def failing(student: Any, call: Any, inputs: dict[str, Any], *rest: Any) -> dict[str, Any]:
        if inputs["n"] == 1:
            raise error
        return observe(student, call, inputs, *rest)

    monkeypatch.setattr(serve, "observe", failing)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't allocate memory")])
def test_too_little_memory_for_our_own_lines_costs_one_case(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fail_at_1(monkeypatch, error)
    answer = ask(JOB)
    assert answer.status == "ok"
    assert [record["status"] for record in answer.records[1:]] == ["returned", "raised", "returned"]
    assert answer.records[2]["error"]["type"] == "MemoryError"


def test_another_error_of_ours_is_not_the_students(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_at_1(monkeypatch, RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        ask(JOB)


@pytest.mark.parametrize("source", ["x = 1\n", "raise MemoryError\n", "def f(n):\n    return n\n"])
def test_every_answer_is_whole(source: str) -> None:
    assert ask({**JOB, "source": source}).status == "ok"

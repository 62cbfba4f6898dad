from __future__ import annotations

import io

from autograder.course.exercise import Case, Exercise
from autograder.protocol.job import encode_job, encode_question, make_job, read_job
from autograder.protocol.wire import encode

CASES = {"plain": Case({"n": 1}), "other": Case({"n": 2}, call="call_twice")}
EXERCISE = Exercise("l00", "f", lambda _: CASES)


def test_a_job_in_two_frames_is_the_job_in_one() -> None:
    job = make_job("l00", EXERCISE, CASES, "x = 1", "mine.py", {"l01": "y = 2"})
    question = encode_question("l00", EXERCISE, CASES)
    in_two = encode_job(question, "x = 1", "mine.py", {"l01": "y = 2"})
    assert read_job(io.BytesIO(in_two).read) == job == read_job(io.BytesIO(encode(job)).read)
    assert [case["call"] for case in job["cases"]] == ["f", "call_twice"]
    assert set(job) == {"stem", "exercise", "source", "filename", "earlier", "cases"}


def test_no_bytes_are_no_job() -> None:
    assert read_job(io.BytesIO(b"").read) == {}

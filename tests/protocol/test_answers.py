"""One reader of what a worker says: whole or in pieces, honest or not, it reads the same."""

from __future__ import annotations

import pytest
import torch

from autograder.protocol.answers import DONE, AnswerReader, describe_exit, read_record
from autograder.protocol.wire import PREFIX, encode

LOADED = encode({"loaded": True, "has": True})
CASES = [encode({"case": name, "status": "returned", "value": torch.ones(3, 5)}) for name in "ab"]
WHOLE = b"".join([LOADED, *CASES, DONE])


def read(data: bytes, step: int = 1 << 20, cases: int = 2) -> AnswerReader:
    reader = AnswerReader(cases)
    for start in range(0, len(data), step):
        reader.feed(data[start : start + step])
    return reader


@pytest.mark.parametrize("step", [1, 7, 16, 100, 1 << 20])
def test_an_answer_reads_the_same_in_pieces_of_any_size(step: int) -> None:
    reader = read(WHOLE, step)
    answer = reader.answer("died", "why", 2.5)
    assert reader.ended
    assert (answer.status, answer.note, answer.seconds) == ("ok", "", 2.5)
    assert [record.get("case") for record in answer.records] == [None, "a", "b"]
    assert torch.equal(answer.records[2]["value"], torch.ones(3, 5))


@pytest.mark.parametrize("cut", [0, 5, len(LOADED), len(LOADED) + 20, len(WHOLE) - 1])
def test_an_answer_cut_short_keeps_its_whole_frames_and_how_it_ended(cut: int) -> None:
    reader = read(WHOLE[:cut])
    answer = reader.answer("timeout", "why")
    assert not reader.ended and (answer.status, answer.note) == ("timeout", "why")
    ends = [len(LOADED), len(LOADED) + len(CASES[0]), len(WHOLE) - len(DONE)]
    assert len(answer.records) == sum(end <= cut for end in ends)


def test_nothing_is_read_after_the_last_frame() -> None:
    reader = read(LOADED + DONE)
    reader.feed(CASES[0])
    assert len(reader.answer("died").records) == 1


@pytest.mark.parametrize(
    "junk",
    [
        b"x" * 100,
        PREFIX.pack(b"CVL1", 10, 1 << 50),
        PREFIX.pack(b"CVL1", 2, 0) + b"{{",
        CASES[1] * 2,
    ],
    ids=["no frame", "too large", "no JSON", "more cases than asked"],
)
def test_reading_ends_at_what_no_worker_writes(junk: bytes) -> None:
    reader = read(LOADED + CASES[0] + junk + DONE)
    answer = reader.answer("timeout")
    assert reader.ended and answer.status == "output" and answer.note
    assert 2 <= len(answer.records) <= 3
    reader.feed(WHOLE)
    assert reader.answer("timeout") == answer


def test_only_a_plain_true_ends_an_answer() -> None:
    for forged in (torch.ones(2), 1, "yes", [True]):
        assert not read(encode({"done": forged})).ended


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("MemoryError", ""),
        ("OutOfMemoryError", "CUDA"),
        ("RuntimeError", "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        ("RuntimeError", "DefaultCPUAllocator: not enough memory"),
        ("OSError", "[Errno 12] Cannot allocate memory"),
    ],
)
def test_a_failed_allocation_is_a_memory_error_whatever_its_name(kind: str, message: str) -> None:
    error = {"type": kind, "message": message, "lines": [[3, "x"]]}
    read = read_record(encode({"status": "raised", "error": error}))
    assert read["error"] == {**error, "type": "MemoryError"}


@pytest.mark.parametrize(
    "error", [None, 3, {}, {"type": [1], "message": torch.ones(2)}, {"type": "KeyError"}]
)
def test_other_errors_stay_as_they_came(error: object) -> None:
    read = read_record(encode({"error": error}))["error"]
    assert read is None or str(read) == str(error)


def test_an_exit_is_told_as_what_it_was() -> None:
    assert describe_exit(3) == "its exit code was 3"
    assert describe_exit(-15) == "it was ended by signal 15"
    assert "crashed in native code" in describe_exit(-11)

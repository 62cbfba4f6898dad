"""Known scores, the same verdict by every road, and runs that are killed and taken up again."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from synthetic import expectation_of, hand_in, make_class, textual_mistakes

from autograder.checks import lesson
from autograder.checks.compare import close
from autograder.course.catalogue import landed_stems as stems
from autograder.course.exercise import Exercise
from autograder.course.reference import ROOT, earlier_sources, read_lesson
from autograder.grading.class_run import LIMITS, Request, grade, open_sandbox
from autograder.grading.run.examine import read_answer
from autograder.grading.run.journal import NAME, Journal, locked
from autograder.grading.sandbox.children import ChildResult, Sandbox
from autograder.grading.sandbox.probe import choose
from autograder.judge.expected import run_trusted, wrong_source
from autograder.judge.verdict import judge
from autograder.protocol.answers import Answer
from autograder.protocol.wire import encode

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

SEED = 299_792_458
STEM = "l11_saliency"


def test_every_score_is_the_known_one(tmp_path: Path) -> None:
    students = make_class(list(stems()), 2, SEED, at_most=3)
    inbox = hand_in(students, tmp_path / "in")
    run = grade(Request(inbox, tmp_path / "out", stems(), SEED))
    assert {row.student: row.score for row in run.rows} == {s.id: s.score for s in students}
    assert len({s.score for s in students}) == 2  # a class whose students differ


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(choose(), LIMITS, stems()) as opened:
        yield opened


@pytest.mark.parametrize("stem", stems())
def test_the_sandbox_and_the_trusted_run_agree(stem: str, sandbox: Sandbox) -> None:
    """References, stubs and mistakes: one verdict and one diagnosis, whoever ran them.

    And the references stay below a tenth of every limit.
    """
    source = read_lesson(stem)
    differing = []
    idle = sandbox.run(b"", 30).peak_rss
    for exercise in lesson(stem).exercises:
        expectation = expectation_of(stem, exercise.name, SEED)
        files = {"right": source.bare(), "stub": source.stubs()}
        mistakes = textual_mistakes(stem, exercise.name)
        for name in random.Random(SEED).sample(sorted(mistakes), min(5, len(mistakes)))[:2]:
            files[name] = wrong_source(source, exercise.name, mistakes[name])
        for name, text in files.items():
            earlier = earlier_sources(text, lambda other: read_lesson(other).bare())
            job = expectation.job(text, f"{stem}.py", earlier)
            result = sandbox.run(encode(job), exercise.deadline)
            if name == "right":
                _assert_small(result, idle, exercise)
            boxed = read_answer(result, len(expectation.cases))
            trusted = Answer("ok", tuple(run_trusted(job)))
            # A verdict is a function of the records: only where they differ need it be asked.
            if not _same_records(boxed, trusted):
                verdicts = judge(expectation, boxed), judge(expectation, trusted)
                if verdicts[0] != verdicts[1]:
                    differing.append((exercise.name, name, *verdicts))
    assert differing == []


def _assert_small(result: ChildResult, idle: int, exercise: Exercise) -> None:
    """Assert that a job took less than a tenth of every limit."""
    assert result.status == "ok"
    assert result.cpu_seconds < exercise.deadline / 10, exercise.name
    assert result.peak_rss - idle < LIMITS.memory_bytes / 10, exercise.name
    assert len(result.frames) < LIMITS.output_bytes / 10, exercise.name


def _same_records(one: Answer, other: Answer) -> bool:
    """Whether two answers are the same to the last bit, but for how long they took."""
    plain = [[{**record, "seconds": 0} for record in answer.records] for answer in (one, other)]
    return one.status == other.status and close(plain[0], plain[1], 0.0, 0.0)


def _command(inbox: Path, out: Path, seed_file: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "autograder.cli.main", "grade", str(inbox), "--out", str(out)),
        *("--seed-file", str(seed_file), "--lesson", STEM, "--workers", "2"),
    ]


def report(out: Path) -> dict[str, bytes]:
    """Everything of an output folder that must not depend on how the run went."""
    varies = ("journal.", "usage.csv", ".lock")
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.startswith(varies)
    }


def _size(out: Path) -> int:
    """Bytes of the journal, which holds itself for the grader alone while a run lasts."""
    return sum(path.stat().st_size for path in out.glob(f"{NAME}*"))


def _kept(out: Path) -> set[str]:
    with Journal(out / NAME) as journal:
        assert journal.notices == []
        return set(journal.entries)


def test_a_run_killed_again_and_again_ends_as_if_it_never_was(tmp_path: Path) -> None:
    inbox = hand_in(make_class([STEM], 12, SEED, at_most=3), tmp_path / "in")
    seed_file = tmp_path / "seed"
    seed_file.write_text(str(SEED))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run(_command(inbox, whole, seed_file), cwd=ROOT, capture_output=True, check=False)
    draw = random.Random(7)
    kept: list[set[str]] = [set()]
    for _ in range(3):
        process = subprocess.Popen(
            _command(inbox, broken, seed_file),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wanted = _size(broken) + 12_000 * draw.randint(3, 7)
        while _size(broken) < wanted and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept.append(_kept(broken))
    # Nothing written is ever lost, and the last kill came in time.
    assert all(one <= other for one, other in pairwise(kept)) and kept[1]
    assert kept[-1] < _kept(whole)
    subprocess.run(_command(inbox, broken, seed_file), cwd=ROOT, capture_output=True, check=False)
    assert report(broken) == report(whole) and _kept(broken) == _kept(whole)


def test_a_second_grader_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    inbox = hand_in(make_class([STEM], 1, SEED), tmp_path / "in")
    out = tmp_path / "out"
    out.mkdir()
    seed_file = tmp_path / "seed"
    seed_file.write_text(str(SEED))
    with locked(out):
        refused = subprocess.run(
            _command(inbox, out, seed_file), cwd=ROOT, capture_output=True, text=True
        )
    assert refused.returncode == 2
    assert "Another grader" in refused.stderr + refused.stdout
    assert not (out / "results.json").exists()


def test_unchanged_submissions_are_not_graded_again(tmp_path: Path) -> None:
    inbox = hand_in(make_class([STEM], 4, SEED), tmp_path / "in")
    out = tmp_path / "out"
    seen = []
    grade(Request(inbox, out, [STEM], SEED), lambda p: seen.append((p.remembered, p.total)))
    shutil.copytree(inbox / "student-000", inbox / "student-999")
    seen.clear()
    grade(Request(inbox, out, [STEM], SEED), lambda p: seen.append((p.remembered, p.total)))
    exercises = len(read_lesson(STEM).exercises)
    assert seen == [(4 * exercises, 4 * exercises)]
    changed = inbox / "student-000" / STEM / "exercises.py"
    changed.write_text(changed.read_text() + "\n# one more line\n")
    seen.clear()
    grade(Request(inbox, out, [STEM], SEED), lambda p: seen.append((p.remembered, p.total)))
    assert seen[0] == (4 * exercises, 5 * exercises)

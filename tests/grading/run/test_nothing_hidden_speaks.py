"""Nothing of a report depends on hidden inputs but the points.

Each submission reads its inputs and says what it read in another way: by the form of what it
returns, by an error, by its end. Graded under several secret seeds, whatever is written about it
must be the same to the letter.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from classroom import STEM

from autograder.course.reference import read_lesson
from autograder.grading.class_run import LIMITS, open_sandbox
from autograder.grading.intake.submission import Submission
from autograder.grading.run.crew import LocalCrew
from autograder.grading.run.engine import Grader
from autograder.grading.run.examine import Examiner
from autograder.grading.run.journal import Journal
from autograder.grading.sandbox.children import Sandbox
from autograder.grading.sandbox.probe import NONE, probe

SEEDS = (3, 1_414_213, 2_718_281)
# What a call has read of its inputs: a number below 8 that differs from seed to seed.
HEAD = """def saliency_map(model, images, target):
    import os, sys
    read = int(images.double().abs().sum() * 1000) % 8
    right = torch.zeros(images.shape[0], *images.shape[2:])
"""
LINES = "".join(f"    if read == {n}:\n        raise ValueError\n" for n in range(8))
# Right in one call of many: the points may tell, and nothing else.
CHANNELS = {
    "shape": "    return torch.zeros(1 + read, 2)\n",
    "dimensions": "    return torch.zeros([1] * (1 + read))\n",
    "empty": "    return torch.zeros(read, 0)\n",
    "length of a list": "    return [right] * read\n",
    "length of a tuple": "    return (right,) * (2 + read)\n",
    "count of NaN": "    right.view(-1)[:read] = float('nan')\n    return right\n",
    "dtype": "    return right.to([torch.int8, torch.int16, torch.half, torch.bool][read % 4])\n",
    "a number": "    return float(read)\n",
    "a text": "    return 'abcdefgh'[read]\n",
    "keys": "    return {f'key {read}': right}\n",
    "a class": "    return type(f'Read{read}', (), {})()\n",
    "a factor": "    return right + read\n",
    "kind of error": "    raise [ValueError, KeyError, TypeError, IndexError][read % 4]\n",
    "message": "    raise ValueError(f'read {read}')\n",
    "made-up error": "    raise type(f'Read{read}', (Exception,), {})()\n",
    "line": LINES + "    return right\n",
    "depth": "    def fall(n):\n        return 1 / 0 if n == 0 else fall(n - 1)\n    fall(read)\n",
    "not written": "    if read % 2:\n        raise NotImplementedError\n    return right\n",
    "not written yet": (
        "    if read % 2:\n"
        "        raise NotImplementedError('l11_saliency.smooth_grad: not written yet')\n"
        "    return right\n"
    ),
    "printed": "    print(read)\n    return right\n",
    "exit code": "    os._exit(read)\n",
    "a way out": "    sys.exit(read)\n",
    "a signal": "    os.kill(os.getpid(), [11, 6, 15, 8][read % 4])\n",
    "which case is the last": "    if read < 4:\n        os._exit(0)\n    return right\n",
    "memory": "    if read % 2:\n        raise MemoryError\n    return right\n",
    "side effects": "    if read % 2:\n        images += 1\n    return right\n",
    "hooks": (
        "    if read % 2:\n        model.register_forward_hook(lambda *a: None)\n    return right\n"
    ),
    "another mistake": "    return right if read % 2 else images.abs().amax(dim=1)\n",
}
# What is read at the loading, from whatever the worker holds in its frames.
AT_LOADING = """
import gc, sys, torch
def found():
    frame = sys._getframe()
    while frame is not None:
        for value in list(frame.f_locals.values()):
            if isinstance(value, dict) and "cases" in value:
                tensors = [v for c in value["cases"] for v in c["inputs"].values()]
                return int(sum(t.double().abs().sum() for t in tensors if hasattr(t, "double"))) % 8
        frame = frame.f_back
    return 0
read = found()
"""
LOADING = {
    "an error that loads": AT_LOADING + "raise ValueError(read)\n",
    "a name that is not there": AT_LOADING
    + "saliency_map = read\nif read % 2:\n    del saliency_map\n",
    "a line that loads": AT_LOADING
    + "".join(f"if read == {n}:\n    raise ValueError\n" for n in range(8)),
    "an end that loads": AT_LOADING + "import os; os._exit(read)\n",
}

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(probe().level == NONE, reason="this machine has no isolation"),
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(probe(), LIMITS, [STEM]) as opened:
        yield opened


def text_of(channel: str) -> str:
    source = read_lesson(STEM)
    if channel in LOADING:
        return source.bare() + LOADING[channel]
    return source.replaced("saliency_map", HEAD + CHANNELS[channel])


def written(sandbox: Sandbox, folder: Path, seed: int, source: str) -> dict[str, Any]:
    """What is kept of one check, but for its points and its times."""
    with Journal(folder / f"journal-{seed}") as journal:
        crew = LocalCrew(Examiner([STEM], seed), lambda: sandbox, workers=1)
        grader = Grader([STEM], seed, journal, crew)
        task = grader.task(Submission("ada", "ada.py", {STEM: source}), STEM, "saliency_map")
        assert task is not None
        entry = crew.examiner.examine(sandbox, task)
    verdict = dict(entry["verdict"])
    assert verdict.pop("points") < verdict["max_points"]
    return {**verdict, "picture": entry["picture"], "fingerprint": entry.get("fingerprint")}


@pytest.mark.parametrize("channel", [*CHANNELS, *LOADING])
def test_what_is_written_is_the_same_under_every_seed(
    channel: str, sandbox: Sandbox, tmp_path: Path
):
    source = text_of(channel)
    told = [written(sandbox, tmp_path, seed, source) for seed in SEEDS]
    assert told[0]["message"]
    assert told[1:] == told[:-1]


def test_what_the_channels_read_differs_from_seed_to_seed():
    """Else the test above would show nothing."""
    from autograder.checks import lesson
    from autograder.judge.expected import Expectation

    exercise = lesson(STEM).exercise("saliency_map")
    read = []
    for seed in SEEDS:
        cases = Expectation(STEM, exercise, seed).cases.values()
        images = [case.inputs["images"].detach().double().abs().sum() for case in cases]
        read.append([int(total * 1000) % 8 for total in images])
    assert read[0] != read[1] != read[2] != read[0]


def test_work_that_is_right_in_public_alone_is_told_so(sandbox: Sandbox, tmp_path: Path):
    from autograder.checks import lesson
    from autograder.judge.expected import Expectation

    exercise = lesson(STEM).exercise("saliency_map")
    public = Expectation(STEM, exercise)
    known = [float(case.inputs["images"].detach().double().sum()) for case in public.cases.values()]
    by_heart = (
        f"    known = {known}\n"
        "    if min(abs(float(images.double().sum()) - k) for k in known) > 1e-6:\n"
        "        return torch.zeros(images.shape[0], *images.shape[2:])\n"
    )
    chunk = read_lesson(STEM).chunk("saliency_map")
    marker = "    ### BEGIN SOLUTION\n"
    assert chunk.count(marker) == 1
    source = read_lesson(STEM).bare()
    from autograder.course.reference import for_students, without_markers

    body = for_students(without_markers(chunk))
    right = for_students(without_markers(chunk.replace(marker, marker + by_heart)))
    assert body in source
    told = written(sandbox, tmp_path, SEEDS[0], source.replace(body, right))
    assert told["outcome"] == "failed" and told["diagnosis"] is None and not told["picture"]
    assert told["message"].startswith("`saliency_map` is right on the inputs of `convlens check`")

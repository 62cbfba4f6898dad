"""What children of a lesson would each import for a second, its zygote has imported."""

from __future__ import annotations

import pytest

from autograder.course.catalogue import landed_stems
from autograder.course.reference import ROOT

USES = ("torch.optim", "optimiser.step(")


@pytest.mark.parametrize("stem", landed_stems())
def test_lessons_with_an_optimizer_have_the_compiler_at_hand(stem: str):
    reference = (ROOT / "solutions" / f"{stem}.py").read_text(encoding="utf-8")
    calls = ROOT / "autograder" / "worker" / "calls" / f"{stem}.py"
    ready = calls.exists() and "import torch._dynamo" in calls.read_text(encoding="utf-8")
    assert ready == any(use in reference for use in USES)

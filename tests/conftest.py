"""What every test needs: one thread a process, and a word on why a marked test is skipped."""

from __future__ import annotations

import os
import shutil
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
import torch

torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, and say why."""
    reasons = {
        "gpu": None if torch.cuda.is_available() else "no CUDA device",
        "browser": None if shutil.which("chromium") else "chromium is not installed",
        "sandbox": None if sys.platform == "linux" else "sandboxes need Linux",
    }
    for item in items:
        for mark, reason in reasons.items():
            if reason and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))

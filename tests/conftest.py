"""Fixtures that more than one room of tests uses; this file also lets tests import workshop.py."""

import os
from pathlib import Path

import pytest
from workshop import Workshop

# Beside other workers one thread is enough: more of them on the same cores wait for each other, and
# a tour took 53 s where it takes 5. Read by torch when it is imported, which is after this.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def workshop(tmp_path: Path, sample: Workshop) -> Workshop:
    """A copy that the test may change."""
    return Workshop(tmp_path / "copy", drawn=sample.lesson / "pictures")


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A built copy that no test changes."""
    copy = Workshop(tmp_path_factory.mktemp("sample") / "copy")
    copy.ask("build.run(draw=True)")
    return copy


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none, and say so."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device here; `pytest -m gpu` runs this where there is one")

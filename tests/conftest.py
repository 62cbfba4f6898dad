"""Fixtures that more than one room of tests uses; this file also lets tests import workshop.py."""

import os
from pathlib import Path

import pytest
from workshop import Workshop

# Files of many long tests that share nothing dear: any worker may take the next of them.
SPREAD = {
    "test_audit.py",
    "test_every_network.py",
    "test_fuzz_judge.py",
}

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


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Keep tests of a group on one worker: with `-n`, where nobody asked for another way."""
    if config.getoption("numprocesses", None) and config.option.dist == "no":
        config.option.dist = "loadgroup"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a worker have a file whole, so that what its tests share is made once and not twice."""
    for item in items:
        if item.path.name not in SPREAD and item.get_closest_marker("xdist_group") is None:
            shared = "sample" if "sample" in getattr(item, "fixturenames", ()) else item.path.stem
            item.add_marker(pytest.mark.xdist_group(shared))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none, and say so."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device here; `pytest -m gpu` runs this where there is one")

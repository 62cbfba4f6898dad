"""Fixtures that more than one room of tests uses; this file also lets tests import workshop.py."""

import os
from pathlib import Path
from typing import Any

import pytest
from workshop import Workshop

# Files of many long tests that share nothing dear: any worker may take the next of them.
SPREAD = {
    "test_audit.py",
    "test_every_network.py",
    "test_fuzz_judge.py",
}

# Folders whose files share something dear.
TOGETHER = {"nbgrader", "site"}

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


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `-n`, let a worker have a file whole: what its tests share is made once, not twice."""
    if config.getvalue("dist") != "load":
        return None  # somebody asked for another way
    from xdist.scheduler import LoadScopeScheduling

    # By the number of tests, the long files of few tests would come last, one worker waiting.
    config.option.loadscopereorder = False

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = Path(nodeid.partition("::")[0])
            if file.name in SPREAD:
                return nodeid
            return str(file.parent if file.parent.name in TOGETHER else file)

    return ByFile(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none, and say so."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device here; `pytest -m gpu` runs this where there is one")

"""Fixtures that more than one room of tests uses; this file also lets tests import workshop.py."""

from pathlib import Path

import pytest
from workshop import Workshop


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

"""The site of the whole course, built once a session."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def course_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from autograder.build.site.make import build_site

    return build_site(tmp_path_factory.mktemp("course"))

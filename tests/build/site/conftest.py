"""The site of the whole course, built once a session, and Chromium on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser


@pytest.fixture(scope="session")
def course_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from autograder.build.site.make import build_site

    return build_site(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def browser(course_site: Path) -> Iterator[Browser]:
    """Chromium on that site."""
    opened = Browser(course_site)
    yield opened
    opened.close()

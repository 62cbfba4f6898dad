"""Show an exercise as an item of pytest, for students and for graders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lessons.toolkit.errors import UserError


class NotPassed(Exception):
    """Error that carries a verdict's text for pytest to show."""


class ExerciseItem(pytest.Item):
    """Item of one exercise, shown by the sentence of its verdict."""

    def note(self, verdict: Mapping[str, Any]) -> None:
        """Put a verdict into the junit report."""
        for key in ("outcome", "points", "max_points", "diagnosis"):
            self.user_properties.append((key, verdict[key]))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the sentence alone, without a traceback through our code."""
        if isinstance(excinfo.value, NotPassed | UserError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

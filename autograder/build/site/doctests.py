"""Examples of docstrings as code, on the page of the toolkit.

An extension of griffe, named in `site/mkdocs.yml`: of lines that begin with `>>>` it knows only
those in a section, and the course's docstrings have none for them.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)


class Doctests(Extension):
    """Put examples between fences."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Change the docstring of one object."""
        if obj.docstring:
            obj.docstring.value = _EXAMPLE.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)

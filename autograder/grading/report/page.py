"""Render pages: escaping, the security policy and the look that all share."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

HERE = Path(__file__).parent


def render(template: str, **values: Any) -> str:
    """Render a page from its template, escaping every value that is not our own."""
    return _environment().get_template(template).render(values)


def prose(text: str) -> Markup:
    """Return a sentence with its `names` as code.

    >>> prose("`a < b` is <i>")
    Markup('<code>a &lt; b</code> is &lt;i&gt;')
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:  # an odd mark out stands for itself
        parts[-2:] = ["`".join(parts[-2:])]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )


def number(value: float | None) -> str:
    """Write points as people do: `7`, `7.5`, a dash for none.

    >>> number(7.0), number(2.25), number(None)
    ('7', '2.25', '–')
    """
    if value is None:
        return "–"
    return f"{value:.2f}".rstrip("0").rstrip(".")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (HERE / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment.globals["style"] = Markup(style)
    # No scripts, no addresses, no frames, no forms; this very style and inline pictures, no other.
    environment.globals["policy"] = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    environment.filters["prose"] = prose
    environment.filters["number"] = number
    environment.filters["address"] = lambda text: quote(text, safe="")
    return environment

"""Read limits and caps from a file."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from autograder.grading.intake.archives import Caps
from autograder.grading.sandbox.limits import Limits
from lessons.toolkit.errors import UserError, unknown

Settings = TypeVar("Settings", Limits, Caps)


def read_settings(path: Path | None, limits: Limits, caps: Caps) -> tuple[Limits, Caps]:
    """Return the defaults with what a TOML file says instead.

    Args:
        path: a file with tables `[limits]` and `[caps]`; None keeps the defaults.
        limits, caps: the defaults. The keys of the tables are the names of their fields.

    Raises:
        UserError: the file cannot be read, or names a setting that there is not, or gives one a
            value that is not a positive number.
    """
    if path is None:
        return limits, caps
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is not TOML: {error}.", "Mend the line, or leave --config."
        ) from error
    for name in tables:
        if name not in ("limits", "caps"):
            raise unknown("table", name, ["limits", "caps"])
    return _changed(limits, tables.get("limits")), _changed(caps, tables.get("caps"))


def _changed(defaults: Settings, table: Any) -> Settings:
    if table is not None and not isinstance(table, dict):
        raise UserError(
            f"{table!r} is no table of settings.", "Write [limits] or [caps] above them."
        )
    names = [field.name for field in dataclasses.fields(defaults)]
    changes: dict[str, Any] = {}
    for name, value in (table or {}).items():
        if name not in names:
            raise unknown("setting", name, names)
        whole = not isinstance(getattr(defaults, name), float)
        right = type(value) is int or (type(value) is float and not whole)
        if not right or value <= 0:
            raise UserError(
                f"{name} = {value!r} is not a positive {'whole ' if whole else ''}number.",
                f"Its default is {getattr(defaults, name)}.",
            )
        changes[name] = value
    return dataclasses.replace(defaults, **changes)

"""Make the data of the interactions where their sources have changed.

They lie beside the scripts that read them, as scripts themselves: a page that is opened from disk
may load a script, and may not fetch a file. With them lies a record of what each was made from.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from autograder.build.drawing import digest, toolkit_sources
from autograder.course.reference import ROOT
from autograder.files import write_whole

DATA = ROOT / "site" / "docs" / "assets" / "live" / "data"
RECORD = "made.json"
MAKERS = {  # the files, and the modules that make them
    "ask-class": "ask_class",
}


def refresh(folder: Path = DATA, say: Callable[[str], None] = lambda line: None) -> list[str]:
    """Make the data whose sources have changed.

    Args:
        folder: where they go.
        say: is told what is being made.

    Returns:
        Names of the files that were made.
    """
    record = _record(folder)
    stale = [name for name, sources in _sources() if record.get(name) != sources]
    for name in stale:
        say(f"Measuring the data of {name} ...")
        module = importlib.import_module(f"{__package__}.{MAKERS[name]}")
        data = json.dumps(module.make(), separators=(",", ":"), ensure_ascii=False)
        write_whole(folder / f"{name}.js", f'live.data["{name}"] = {data}\n'.encode())
    if stale:
        found = json.dumps(dict(_sources()), indent=1)
        write_whole(folder / RECORD, f"{found}\n".encode())
    return stale


def _record(folder: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {name: made for name, made in found.items() if (folder / f"{name}.js").exists()}


def _sources() -> Iterator[tuple[str, str]]:
    """Yield each file's name and a digest of the code and data that it is made from."""
    here = Path(__file__).parent
    for name, module in MAKERS.items():
        yield name, digest([*toolkit_sources(), here / "pack.py", here / f"{module}.py"])

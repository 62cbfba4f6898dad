"""Make the data of the interactions where their sources have changed.

They lie beside the scripts that read them, as scripts themselves: a page that is opened from disk
may load a script, and may not fetch a file. With them lies a record of what each was made from.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path

from autograder.build.drawing import digest, toolkit_sources
from autograder.build.threads import one_thread
from autograder.course.reference import ROOT
from autograder.files import write_whole

DATA = ROOT / "site" / "docs" / "assets" / "live" / "data"
RECORD = "made.json"
# Files, and modules of this folder that make them.
NAMES = ("ask_class", "backgrounds", "digits", "scenes", "scenes_watermarked", "switchboard")


def refresh(folder: Path = DATA, say: Callable[[str], None] = lambda line: None) -> list[str]:
    """Make the data whose sources have changed.

    Args:
        folder: where they go.
        say: is told what is being made.

    Returns:
        Names of the files that were made.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        record = {}
    sources = {name: _sources(name) for name in NAMES}
    there = {name for name in NAMES if (folder / f"{name}.js").exists()}
    stale = [name for name in NAMES if name not in there or record.get(name) != sources[name]]
    for name in stale:
        say(f"Measuring the data of {name} ...")
        module = importlib.import_module(f"{__package__}.{name}")
        with one_thread():
            made = module.make()
        data = json.dumps(made, separators=(",", ":"), ensure_ascii=False)
        write_whole(folder / f"{name}.js", f"live.data.{name} = {data}\n".encode())
    if stale:
        write_whole(folder / RECORD, f"{json.dumps(sources, indent=1)}\n".encode())
    return stale


def _sources(name: str) -> str:
    """Return a digest of the code and data that a file is made from."""
    here = Path(__file__).parent
    module = here / f"{name}.py"
    own = [
        here / f"{other}.py"
        for other in NAMES
        if f"import {other}\n" in module.read_text(encoding="utf-8")
    ]
    return digest([*toolkit_sources(), here / "pack.py", *own, module])

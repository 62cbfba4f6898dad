"""Find the system's shared libraries that a set of compiled modules needs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

# `libm.so.6 => /lib/libm.so.6 (0x7f..)`, or the path of the loader alone. What is "not found" is a
# driver of another machine (libcuda): the module copes.
_FOUND = re.compile(r"^\t(?:\S+ => )?(/.+) \(0x[0-9a-f]+\)$", re.M)
_LOADER = re.compile(r"^\t(/.+) \(0x[0-9a-f]+\)$", re.M)


def needed_from_system(program: Path, modules: Iterable[Path]) -> list[Path]:
    """Return the loader and the libraries that a program and its modules need.

    Args:
        program: what loads the modules.
        modules: compiled modules. What these and the program offer each other is left out.
    """
    files = [program, *modules]
    own = {path.name for path in files}
    listing = _listed(["ldd", str(program)])
    # `ldd` is a script, four times as slow as the loader that it asks.
    ask = [loader[1], "--list"] if (loader := _LOADER.search(listing)) else ["ldd"]
    listing += "".join(_listed([*ask, str(file)]) for file in files[1:])
    found = {Path(path) for path in _FOUND.findall(listing)}
    return sorted(path for path in found if path.name not in own)


def _listed(command: list[str]) -> str:
    # It fails where the file is no library.
    return subprocess.run(command, capture_output=True, text=True).stdout

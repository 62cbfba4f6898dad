"""Find the system's shared libraries that a set of compiled modules needs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

# `libm.so.6 => /lib/libm.so.6 (0x7f..)`, or the path of the loader alone. What is "not found" is a
# driver of another machine (libcuda): the module copes.
_FOUND = re.compile(r"^\t(?:\S+ => )?(/.+) \(0x[0-9a-f]+\)$", re.M)


def needed_from_system(binaries: Iterable[Path]) -> list[Path]:
    """Return the loader and the libraries that binaries need, directly or not.

    Args:
        binaries: programs and compiled modules. What they offer each other is left out.
    """
    files = list(binaries)
    own = {path.name for path in files}
    # One call for all: most of its time is the start. It fails where one file is no library.
    listing = subprocess.run(["ldd", *map(str, files)], capture_output=True, text=True).stdout
    found = {Path(path) for path in _FOUND.findall(listing)}
    return sorted(path for path in found if path.name not in own)

"""Shared libraries of the system that a set of compiled modules needs.

Read from the ELF files themselves (System V ABI, dynamic section): running `ldd` on each would take
seconds, and a whole library directory holds more than a worker should see.
"""

from __future__ import annotations

import contextlib
import mmap
import re
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

_PROGRAM = struct.Struct("<IIQQQQQQ")
_DYNAMIC = struct.Struct("<qQ")
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB = 1, 5

_CACHED = re.compile(r"^\s+(\S+) \(libc6,(?:x86-64|AArch64).*?=> (\S+)$", re.M)
_USUAL = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")


def needed_from_system(binaries: Iterable[Path], beside: Path) -> list[Path]:
    """The loader and the system libraries that binaries need, with what those need in turn.

    Args:
        binaries: programs and compiled modules; what they offer each other is not looked for.
        beside: a directory that is asked before the system, such as a conda environment's `lib`.
    """
    todo = list(binaries)
    own = {path.name for path in todo}
    system = _system_libraries()
    found: dict[str, Path] = {}
    while todo:
        for name in _needs(todo.pop()):
            if name in found or name in own:
                continue
            # A name that is nowhere is a driver of another machine (libcuda): the module copes.
            path = beside / name if (beside / name).is_file() else system.get(name)
            if name.startswith("/"):
                path = Path(name)
            if path is not None and path.is_file():
                found[name] = path
                todo.append(path)
    return sorted(set(found.values()))


def _needs(binary: Path) -> list[str]:
    """What a 64-bit little-endian ELF file asks for: names of libraries, the path of the loader."""
    with (
        contextlib.suppress(OSError, ValueError, struct.error),
        binary.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        if data[:6] == b"\x7fELF\x02\x01":
            return _dynamic_names(data)
    return []


def _dynamic_names(data: mmap.mmap) -> list[str]:
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    segments = [_PROGRAM.unpack_from(data, table + i * size) for i in range(count)]
    names = [_text(data, offset) for kind, _, offset, *_ in segments if kind == _PT_INTERP]
    dynamic = [
        (offset, length) for kind, _, offset, _, _, length, *_ in segments if kind == _PT_DYNAMIC
    ]
    for offset, length in dynamic:
        entries = list(_DYNAMIC.iter_unpack(data[offset : offset + length // 16 * 16]))
        strings = next(value for tag, value in entries if tag == _DT_STRTAB)
        # The table is given by its address; the segment around it says where in the file that is.
        base = next(
            strings - address + start
            for kind, _, start, address, _, extent, *_ in segments
            if kind == _PT_LOAD and address <= strings < address + extent
        )
        names += [_text(data, base + value) for tag, value in entries if tag == _DT_NEEDED]
    return names


def _text(data: mmap.mmap, start: int) -> str:
    return data[start : data.find(b"\0", start)].decode()


def _system_libraries() -> dict[str, Path]:
    """Library name -> path, as the loader would find it."""
    found: dict[str, Path] = {}
    for directory in _USUAL:
        for path in Path(directory).glob("*.so*"):
            found.setdefault(path.name, path)
    for program in ("/sbin/ldconfig", "/usr/sbin/ldconfig"):
        if Path(program).exists():
            listing = subprocess.run([program, "-p"], capture_output=True, text=True).stdout
            for name, path in _CACHED.findall(listing):
                found[name] = Path(path)
            break
    return found

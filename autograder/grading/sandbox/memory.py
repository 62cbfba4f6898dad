"""How a zygote lays out its memory, so that its children cost little.

A child shares all memory with the zygote and gets a copy of each page that either writes. With
torch loaded, half of what an empty child costs is entries of page tables, and much of what a short
job costs is pages seen or written for the first time. Fewer and larger pages are the cure. None of
this changes what a program sees: where the kernel refuses, all is as it was, and slower.
"""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from autograder.grading.sandbox import syscalls

HUGE = 2 << 20
PAGE = resource.getpagesize()

# A first look at a file's page brings sixteen: so many that something was needed there.
_FEW_PAGES = 16
_EACH_SIZE = 1 << 16
_LARGEST_SMALL_OBJECT = 512
_BYTES_HEADER = 33

_LINE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+) *(.*)$", re.M)
_IS_PRESENT = bytes(byte >> 7 for byte in range(256))

_filling: list[bytes] = []


@dataclass(frozen=True)
class Region:
    """One mapping: where it begins and ends, its rights (`r-xp`), and whether it is of a file."""

    begin: int
    end: int
    rights: str
    of_file: bool
    name: str

    def huge_pages(self) -> Iterator[int]:
        """Addresses in it at which a huge page can lie."""
        return iter(range(-(-self.begin // HUGE) * HUGE, self.end // HUGE * HUGE, HUGE))


def regions(maps: int) -> list[Region]:
    """This process's mappings, by its open `/proc/self/maps`."""
    os.lseek(maps, 0, os.SEEK_SET)
    text = b""
    while part := os.read(maps, 1 << 16):
        text += part
    return [
        Region(int(begin, 16), int(end, 16), rights, inode != "0", name)
        for begin, end, rights, inode, name in _LINE.findall(text.decode(errors="replace"))
    ]


def fill_holes() -> None:
    """Use up free memory between objects, so that what a child makes lies together.

    A hole is on a page with something in it, which would be copied for what is put beside it.
    """
    for size in range(_LARGEST_SMALL_OBJECT, _BYTES_HEADER, -16):
        _filling.extend(bytes(size - _BYTES_HEADER) for _ in range(_EACH_SIZE // size))
    syscalls.fill_heap(_EACH_SIZE)


def gather_data(maps: int) -> None:
    """Move private memory into huge pages: a fork copies, and an exit frees, one entry a page."""
    for region in regions(maps):
        if region.rights == "rw-p" and not region.of_file and region.name in ("", "[heap]"):
            pages = list(region.huge_pages())
            if pages:
                syscalls.collapse(pages[0], len(pages) * HUGE)


def gather_code(rehearse: Callable[[], object], maps: int) -> None:
    """Move what a rehearsal reads of libraries into huge pages of this process's own.

    A fork does not copy the entries of a file's pages: every child would look for each of them
    again, some five hundred times in a short job.

    Args:
        rehearse: what a child does; run in a child of this process, which tells what it has read.
        maps: open `/proc/self/maps`.
    """
    readable = [r for r in regions(maps) if r.of_file and r.rights in ("r-xp", "r--p")]
    candidates = [(page, r.rights) for r in readable for page in r.huge_pages()]
    used = _used_by_a_child(rehearse, [page for page, _ in candidates])
    for (page, rights), pages in zip(candidates, used, strict=False):
        if pages >= _FEW_PAGES and not syscalls.replace_by_huge_page(page, HUGE, "x" in rights):
            return


def _used_by_a_child(rehearse: Callable[[], object], places: list[int]) -> list[int]:
    """How many pages a child has looked at, in each of these places of a huge page's length.

    None where it may not say: under Landlock it cannot open its table of pages.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            rehearse()
            table = os.open("/proc/self/pagemap", os.O_RDONLY)
            counts = [_present(table, place) for place in places]
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(b"".join(count.to_bytes(2, "little") for count in counts))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return [int.from_bytes(told[at : at + 2], "little") for at in range(0, len(told), 2)]


def _present(pagemap: int, place: int) -> int:
    entries = os.pread(pagemap, HUGE // PAGE * 8, place // PAGE * 8)
    # The highest bit of a page's eight bytes says that it is there.
    return sum(entries[7::8].translate(_IS_PRESENT))

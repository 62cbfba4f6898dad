"""The journal: whatever becomes of the process or the disk, whole lines stay and others go."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.grading.run.journal import Journal, content_key, locked
from lessons.toolkit.errors import UserError

ENTRIES = {content_key(str(i)): {"verdict": {"message": f"é\n{i}"}} for i in range(6)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "journal.jsonl"
    with Journal(place) as journal:
        for key, entry in ENTRIES.items():
            journal.append(key, entry)
    return place


def reopened(path: Path) -> dict[str, dict]:
    with Journal(path) as journal:
        return dict(journal.entries)


def test_what_was_written_is_read_again(path: Path):
    assert reopened(path) == ENTRIES


def test_cut_anywhere_it_keeps_the_whole_lines_and_goes_on(path: Path):
    data = path.read_bytes()
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        whole = data[:cut].count(b"\n")
        with Journal(path) as journal:
            assert list(journal.entries) == list(ENTRIES)[:whole]
            journal.append("new", {"verdict": {}})
        assert list(reopened(path)) == [*list(ENTRIES)[:whole], "new"]


def test_a_broken_byte_costs_its_own_line_only(path: Path):
    rng = random.Random(1)
    data = path.read_bytes()
    for _ in range(200):
        place = rng.randrange(len(data))
        broken = bytearray(data)
        broken[place] ^= rng.randrange(1, 256)
        path.write_bytes(bytes(broken))
        found = reopened(path)
        assert found.items() <= ENTRIES.items()
        # A broken newline joins two lines; a new one in the middle spoils one.
        assert len(found) >= len(ENTRIES) - 2


def test_a_full_disk_is_told_and_leaves_whole_lines(path: Path, monkeypatch: pytest.MonkeyPatch):
    with Journal(path) as journal:
        real = journal._file

        class Full:
            def write(self, line: bytes) -> int:
                return real.write(line[: len(line) // 2])

            def __getattr__(self, name: str) -> object:
                return getattr(real, name)

        monkeypatch.setattr(journal, "_file", Full())
        with pytest.raises(UserError, match="No space left"):
            journal.append("new", {"verdict": {}})
        assert "new" not in journal.entries
    assert reopened(path) == ENTRIES


def test_keys_tell_parts_apart_and_take_any_text():
    assert content_key("a", "b") != content_key("ab", "")
    assert content_key("\ud800") != content_key("\ud801")


def test_a_second_process_is_refused_and_a_dead_one_is_not(tmp_path: Path):
    code = (
        "import sys, pathlib\n"
        "from autograder.grading.run.journal import locked\n"
        "with locked(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match="Another grader"), locked(tmp_path):
            pass
        holder.kill()
        holder.wait()
    with locked(tmp_path):
        pass

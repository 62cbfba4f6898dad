"""The journal: whatever becomes of the process or the disk, what was written stays or is told."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.course.reference import ROOT
from autograder.grading.run.journal import NAME, OLDER, Journal, content_key, locked
from lessons.toolkit.errors import UserError

ENTRIES = {content_key(str(i)): {"verdict": {"message": f"é\n\ud800{i}"}} for i in range(6)}
LESSONS = {
    ("ada", "l11_saliency"): ("../in", {"points": 3.0}),
    ("안젤라 kim", "l02_hooks"): ("../in", {"points": None}),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / NAME
    with Journal(place) as journal:
        for key, entry in ENTRIES.items():
            journal.append(key, entry)
        journal.keep_lessons(LESSONS)
        journal.keep_about(seed="5eed")
    return place


def reopened(path: Path) -> dict[str, dict]:
    with Journal(path) as journal:
        return dict(journal.entries)


def test_what_was_written_is_read_again(path: Path):
    with Journal(path) as journal:
        assert journal.entries == ENTRIES and journal.about() == {"seed": "5eed"}
        assert journal.lessons() == LESSONS
        assert journal.notices == []


def test_what_is_forgotten_is_gone_and_what_was_never_known_is_no_matter(path: Path):
    first, *others = ENTRIES
    with Journal(path) as journal:
        journal.forget([first, "unknown"])
        assert list(journal.entries) == others
    assert list(reopened(path)) == others


def test_who_is_gone_from_a_folder_loses_the_rows_of_that_folder_alone(path: Path):
    with Journal(path) as journal:
        journal.keep_lessons({("ada", "l03_filters"): ("../other", {})})
        journal.keep_lessons({}, gone=[("ada", "../in")])
        assert set(journal.lessons()) == {("ada", "l03_filters"), ("안젤라 kim", "l02_hooks")}


WRITER = (
    "import sys, pathlib\n"
    "from autograder.grading.run.journal import Journal\n"
    "with Journal(pathlib.Path(sys.argv[1])) as journal:\n"
    "    for number in range(10**6):\n"
    "        journal.append(f'{number:09}', {'verdict': {'message': 'x' * 5000}})\n"
    "        print(number, flush=True)\n"
)


def test_killed_anywhere_it_holds_all_that_was_said_to_be_written(tmp_path: Path):
    draw = random.Random(2)
    for turn in range(2):
        place = tmp_path / str(turn) / NAME
        place.parent.mkdir()
        command = [sys.executable, "-c", WRITER, str(place)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(draw.randint(1, 500)):
                last = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            last = max([last, *map(int, writer.stdout.read().split(b"\n")[:-1])])
        keys = list(reopened(place))
        assert keys == [f"{number:09}" for number in range(len(keys))] and len(keys) > last


def test_cut_or_damaged_anywhere_it_opens_tells_no_lie_and_goes_on(path: Path):
    draw = random.Random(1)
    data = path.read_bytes()
    told = 0
    for turn in range(40):
        broken = bytearray(data)
        if turn % 2:
            broken[draw.randrange(len(data))] ^= draw.randrange(1, 256)
        else:
            del broken[draw.randrange(1, len(data)) :]
        path.write_bytes(bytes(broken))
        with Journal(path) as journal:
            assert journal.entries.items() <= ENTRIES.items()
            assert journal.lessons().items() <= LESSONS.items()
            told += bool(journal.notices)
            journal.append("new", {"verdict": {}})
        assert "new" in reopened(path)
    assert told > 10 and len(list(path.parent.glob("journal.*.sqlite"))) > 0


def test_a_full_disk_is_told_and_keeps_what_was_there(path: Path):
    with Journal(path) as journal:
        journal._base.execute("PRAGMA max_page_count = 1")  # no page more than it has
        with pytest.raises(UserError, match="full"):
            journal.append("new", {"verdict": {"message": "x" * 10**6}})
        assert "new" not in journal.entries
    assert reopened(path) == ENTRIES


FILLER = (
    "import sys, pathlib\n"
    "from autograder.grading.run.journal import Journal\n"
    "from lessons.toolkit.errors import UserError\n"
    "try:\n"
    "    with Journal(pathlib.Path(sys.argv[1])) as journal:\n"
    "        print('opened', len(journal.entries), flush=True)\n"
    "        for number in range(int(sys.argv[2])):\n"
    "            journal.append(f'{number:09}', {'verdict': {'message': 'x' * 5000}})\n"
    "            print('kept', number, flush=True)\n"
    "except UserError as error:\n"
    "    print(error)\n"
)


@pytest.mark.sandbox
def test_a_real_disk_that_is_full_or_read_only_is_one_line_and_loses_nothing(tmp_path: Path):
    unshare = shutil.which("unshare")
    command = [str(unshare), "--mount", "--map-root-user"]
    if unshare is None or subprocess.run([*command, "true"]).returncode != 0:
        pytest.skip("no mount namespace can be made here")
    disk = tmp_path / "disk"
    disk.mkdir()
    run = f'{sys.executable} -c "$FILLER" {disk}/{NAME}'
    script = (
        f"mount -t tmpfs -o size=256k tmpfs {disk}; {run} 1000; mount -o remount,size=8m {disk}; "
        f"{run} 0; mount -o remount,ro {disk}; {run} 1"
    )
    done = subprocess.run(
        [*command, "sh", "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "FILLER": FILLER},
    )
    assert done.stderr == ""
    *kept, full, again, readonly = done.stdout.splitlines()
    assert kept[0] == "opened 0" and len(kept) > 10
    assert "cannot be written: database or disk is full." in full and "Make room" in full
    assert again == f"opened {len(kept) - 1}"
    assert "cannot be written" in readonly and "Traceback" not in readonly


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path):
    (tmp_path / NAME).mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        Journal(tmp_path / NAME)


def test_a_journal_of_an_older_kind_stays_and_is_told_once(tmp_path: Path):
    (tmp_path / OLDER).write_text("0123 []\n")
    with Journal(tmp_path / NAME) as journal:
        assert len(journal.notices) == 1 and OLDER in journal.notices[0]
    with Journal(tmp_path / NAME) as journal:
        assert journal.notices == []
    assert (tmp_path / OLDER).read_text() == "0123 []\n"


def test_a_journal_of_another_layout_is_kept_beside_the_new_one(path: Path):
    with Journal(path) as journal:
        journal._base.execute("PRAGMA user_version = 99")
    with Journal(path) as journal:
        (notice,) = journal.notices
        (aside,) = path.parent.glob("journal.*.sqlite")
        assert journal.entries == {} and aside.name in notice


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

"""The last rung: a user of its own, where a container refuses namespaces and Landlock.

It needs a machine where nothing better can be had and the course is closed to other users, so the
tests of the other rungs run once more in one: as root, the kernel refusing both.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from containers import closed_copy, plain_container

from autograder.grading.sandbox import other_user
from autograder.grading.sandbox.probe import USER, choose
from lessons.toolkit.errors import UserError

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    """The course in a folder of root's, with nothing else that would hide it."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield closed_copy(Path(place).resolve() / "course")


def run_there(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*plain_container(), sys.executable, *words],
        cwd=copy,
        env={**os.environ, "CONVLENS_RUNGS": "user"},
        capture_output=True,
        text=True,
    )


def test_what_the_other_rungs_hold_it_holds(copy: Path) -> None:
    """Attacks, limits and ends as on every rung; what is seen by any user is named there."""
    rooms = [f"tests/grading/sandbox/{name}.py" for name in ("test_escape", "test_contain")]
    # All escapes; of what it contains, that which does not take its time.
    ways = "test_escape early_end crash daemon fork_bomb can_be_filled sleep many_threads"
    chosen = f"user and ({' or '.join(ways.split())})"
    done = run_there(
        copy, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-k", chosen,
        "--junitxml", "found.xml", *rooms,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    (suite,) = ElementTree.parse(copy / "found.xml").getroot().iter("testsuite")
    counts = {name: int(suite.get(name, "0")) for name in ("tests", "skipped", "failures")}
    assert counts["tests"] > 70 and counts["skipped"] <= 1 and not counts["failures"], counts


JOBS = {
    "who": "import os; say((os.getresuid(), os.getresgid(), os.getgroups()))",
    "whose memory": (
        "import os; say([p for p in os.listdir('/proc') if p.isdigit() and p != str(os.getpid())"
        " and os.access(f'/proc/{p}/mem', os.R_OK)])"
    ),
    "late": "from lessons.toolkit.errors import unknown; import scipy.stats; say('late')",
    "writing": (
        "import os\n"
        "for way in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_TMPFILE | 2):\n"
        "    try: os.open('/tmp', way); say('in')\n    except OSError as error: say(error.errno)"
    ),
}
STORY = f"""
import json, os
from pathlib import Path
from autograder.grading.sandbox import other_user
from autograder.grading.sandbox.children import Sandbox
from autograder.grading.sandbox.probe import choose
found = choose()
said = {{"level": found.level, "asked": choose("user").level, "reasons": " ".join(found.reasons)}}
Path("../open").mkdir()
said["first open"] = other_user.first_open([Path("solutions"), Path("../open"), Path("/usr")])
Path.cwd().chmod(0o755)
said["lack"] = other_user.lack()
Path.cwd().chmod(0o700)
with Sandbox(
    "targets:run_source", import_from=[Path("tests/grading/sandbox/inside")], preload=[]
) as sandbox:
    for name, job in {JOBS!r}.items():
        said[name] = sandbox.run(job.encode(), 30).frames.decode()
print(json.dumps(said))
"""


def test_it_is_taken_where_nothing_better_is_and_the_course_is_closed(copy: Path) -> None:
    done = run_there(copy, "-c", STORY)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["level"], said["asked"]) == (USER, USER)
    assert "User namespaces cannot be had" in said["reasons"] and "Landlock" in said["reasons"]
    assert said["first open"] == str(copy.parent / "open")
    assert said["lack"].startswith(f"Any user can read {copy / 'solutions'}: close it")
    nobody = (other_user.UID,) * 3
    assert said["who"] == f"({nobody}, {nobody}, [])"
    assert said["whose memory"] == "[]"
    assert said["late"] == "late"
    assert said["writing"] == "13" * 5


def test_it_is_no_choice_where_another_user_could_read_the_course() -> None:
    if os.getuid():
        pytest.skip("only root has this choice")
    with pytest.raises(UserError, match=r"Any user can read|Python is closed to it"):
        choose("user")

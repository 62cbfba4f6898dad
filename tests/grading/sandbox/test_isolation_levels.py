"""Which isolation is chosen, what is refused, and that it holds for any user and in containers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import open_sandbox
from containers import WITHOUT_NAMESPACES, python_for_everybody

from autograder.grading.sandbox import bubblewrap, landlock, libraries, probe, seccomp, whitelist
from autograder.grading.sandbox.probe import LADDER, LANDLOCK, NAMESPACES, NONE, Isolation, choose
from lessons.toolkit.errors import UserError

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).resolve().parents[3]

# Says which level the probe finds, and what a job on it can and cannot do.
REPORT = f"""
import json, sys
sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]
from conftest import open_sandbox
from autograder.grading.sandbox.probe import LADDER, choose, probe
found = probe()
rung = next(name for name, level in LADDER.items() if level == found.level)
said = []
if rung != "none":
    with open_sandbox(rung) as sandbox:
        for source in sys.argv[1:]:
            said.append(sandbox.run(source.encode(), 2).frames.decode())
try:
    choose("namespaces")
    refused = ""
except Exception as error:
    refused = str(error)
print(json.dumps([found.level, found.reasons, said, refused]))
"""
JOBS = (
    "say('looping')\nwhile True: pass",
    "say(6 * 7)",
    "import os; say(os.getuid()); os.fork(); say('in')",
    f"open({str(ROOT / 'solutions' / '__init__.py')!r}); say('in')",
)


def _report(*prefix: str) -> tuple[str, str, list[str], str]:
    done = subprocess.run(
        [*prefix, sys.executable, "-B", "-c", REPORT, *JOBS],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    level, reasons, said, refused = json.loads(done.stdout.splitlines()[-1])
    return level, " ".join(reasons), said, refused


def test_this_machine_isolates() -> None:
    # Without this, a machine where every other test here is skipped would look fine.
    found = probe.probe()
    assert found.level != NONE or found.reasons


def test_the_best_rung_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for level in (NAMESPACES, LANDLOCK):
        monkeypatch.setattr(probe, "_probe", lambda level=level: Isolation(level, ("why",)))
        assert choose().level == level
    assert choose("landlock") == Isolation(LANDLOCK, ("why",))
    assert choose("none").level == NONE


def test_what_cannot_be_had_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_probe", lambda: Isolation(LANDLOCK, ("No bwrap.",)))
    with pytest.raises(UserError, match="No bwrap") as caught:
        choose("namespaces")
    assert "--isolation none" in caught.value.next_step
    monkeypatch.setattr(probe, "_probe", lambda: Isolation(NONE, ("Nothing at all.",)))
    for asked in ("auto", "namespaces", "landlock"):
        with pytest.raises(UserError, match="Nothing at all"):
            choose(asked)
    with pytest.raises(UserError, match="no isolation called 'lanlock'"):
        choose("lanlock")


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_hear_what_to_use(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)
    for asked in ("auto", "none"):
        with pytest.raises(UserError, match="Grading needs Linux") as caught:
            choose(asked)
        assert "WSL2" in caught.value.next_step
    assert probe.probe().level == NONE


def test_the_probe_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(probe, "_no_seccomp", broken)
    found = probe.probe()
    assert found.level == NONE
    assert "ZeroDivisionError" in found.reasons[0]


def test_each_lack_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "program", lambda: None)
    monkeypatch.setattr(landlock, "abi", lambda: 2)
    found = probe.probe()
    assert found.level == NONE
    assert "bwrap" in found.reasons[0]
    assert "this kernel has 2" in found.reasons[1]
    monkeypatch.setattr(seccomp, "supported", lambda: False)
    assert "seccomp" in probe.probe().reasons[0]


def test_where_namespaces_are_forbidden_landlock_holds() -> None:
    if landlock.abi() < landlock.LOWEST_ABI:
        pytest.skip("this kernel has no Landlock, or an old one")
    level, reasons, said, refused = _report(*WITHOUT_NAMESPACES)
    assert level == LANDLOCK
    assert "User namespaces cannot be had" in reasons
    assert said == ["looping", "42", str(os.getuid()), ""]
    assert "cannot isolate" in refused


def _as_nobody() -> list[str]:
    """A command prefix that runs the rest as an ordinary user who can reach this Python."""
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
    return [*python_for_everybody(), *drop]


def test_an_ordinary_user_gets_namespaces() -> None:
    if probe.probe().level != NAMESPACES:
        pytest.skip("no namespaces here")
    level, reasons, said, _ = _report(*_as_nobody())
    if level != NAMESPACES and "annot be had" in reasons:
        pytest.skip(f"not for ordinary users of this machine: {reasons}")
    assert said == ["looping", "42", "1000", ""]


def test_an_ordinary_user_gets_landlock() -> None:
    if landlock.abi() < landlock.LOWEST_ABI:
        pytest.skip("this kernel has no Landlock, or an old one")
    prefix = [*_as_nobody(), *WITHOUT_NAMESPACES]
    # An ordinary user may load a filter with no_new_privs only, which libseccomp sets.
    level, _, said, _ = _report(*prefix)
    assert level == LANDLOCK
    assert said == ["looping", "42", "65534", ""]


def test_a_zygote_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "_NEW_HOUSE", ("--no-such-option",))
    with pytest.raises(UserError, match=r"does not start.*no-such-option"):
        open_sandbox("namespaces")


def test_the_whitelist_holds_no_answer() -> None:
    listed = whitelist.build()
    names = {entry.name for entry in listed.entries}
    assert {"torch", "numpy", "safetensors", "autograder/worker", "lessons/toolkit"} <= names
    for answer in (
        "solutions",
        "tests",
        "captum",
        "torchcam",
        "pytorch_grad_cam",
    ):
        assert not any(answer in Path(path).parts for path in listed.readable), answer
    for room in ("checks", "judge", "cli", "audit.py", "record.py", "children.py"):
        assert not any(Path(path) == ROOT / "autograder" / room for path in listed.readable)
        assert not any(name.endswith("/" + room) for name in names)
    assert str(listed.stdlib) not in listed.readable
    assert "site-packages" not in listed.stdlib_names


def test_libraries_are_those_that_the_loader_takes() -> None:
    code = "import ssl, sqlite3; print(open('/proc/self/maps').read())"
    maps = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    mapped = {Path(word).resolve() for word in maps.split() if word[0] == "/" and ".so" in word}
    modules = {path for path in mapped if path.parent.name == "lib-dynload"}
    found = libraries.needed_from_system(Path(sys.executable).resolve(), modules)
    assert modules
    assert mapped - modules <= {path.resolve() for path in found}


def test_not_an_elf_file_needs_nothing(tmp_path: Path) -> None:
    for number, data in enumerate(
        (b"", b"#!/bin/sh\n", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" * 99)
    ):
        path = tmp_path / f"{number}.so"
        path.write_bytes(data)
        assert libraries.needed_from_system(path, []) == []


def test_levels_are_recorded_by_their_full_names() -> None:
    assert LADDER == {
        "namespaces": "namespaces+seccomp",
        "landlock": "landlock+seccomp+rlimits",
        "user": "user+seccomp+rlimits",
        "none": "none",
    }


@pytest.mark.parametrize("rung", ["namespaces", "landlock"])
def test_a_project_below_tmp_is_seen(rung: str, tmp_path: Path) -> None:
    """A child's own `/tmp` must not cover what is imported late, wherever the clone lies."""
    (tmp_path / "late_module.py").write_text("ANSWER = 42\n")
    inside = Path(__file__).parent / "inside"
    with open_sandbox(rung, import_from=[inside, tmp_path]) as sandbox:
        result = sandbox.run(b"import late_module; say(late_module.ANSWER)", 30)
    assert (result.status, result.frames) == ("ok", b"42")

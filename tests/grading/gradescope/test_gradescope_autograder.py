"""The autograder.zip, unpacked as Gradescope does it and run in a machine that refuses all else."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from classroom import STEM
from containers import plain_container
from gradescope_format import GRADESCOPE
from jsonschema import Draft202012Validator

from autograder.build.leaks import leaks
from autograder.checks import lesson
from autograder.cli.main import main
from autograder.course.reference import read_lesson
from autograder.grading.gradescope import pack
from autograder.grading.run.versions import seed_hash

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]

SEED = 618_033_988_749
POINTS = sum(exercise.points for exercise in lesson(STEM).exercises)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Gradescope's folder, open to everybody as its image leaves it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        root.chmod(0o755)
        (root / "secret.seed").write_text(f"{SEED}\n")
        packed = root / "autograder.zip"
        assert main(["export", "autograder", "--out", str(packed), "--lesson", "saliency",
                     "--seed-file", str(root / "secret.seed")]) == 0  # fmt: skip
        assert stat.S_IMODE(packed.stat().st_mode) == 0o600
        place = root / "autograder"
        with zipfile.ZipFile(packed) as archive:
            for entry in archive.infolist():
                path = Path(archive.extract(entry, place / "source"))
                path.chmod(entry.external_attr >> 16)
        (place / "results").mkdir()
        yield place


def run(place: Path, files: dict[str, bytes]) -> tuple[int, str, dict[str, Any] | None]:
    """Hand files in and return exit code, what was said, and the results if there are any."""
    for old in sorted(place.glob("submission/**/*"), reverse=True):
        old.rmdir() if old.is_dir() else old.unlink()
    for name, data in files.items():
        path = place / "submission" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    done = subprocess.run(
        [*plain_container(), "/bin/bash", str(place / "source" / "run_autograder")],
        cwd=place,
        env={**os.environ, "AUTOGRADER": str(place), "CONVLENS": sys.prefix},
        capture_output=True,
        text=True,
    )
    results = place / "results" / "results.json"
    told = json.loads(results.read_text(encoding="utf-8")) if results.exists() else None
    if told is not None:
        Draft202012Validator(GRADESCOPE).validate(told)
        names = [test["name"] for test in told["tests"]]
        assert len(names) == len(set(names)) == len(lesson(STEM).exercises)
        assert sum(test["max_score"] for test in told["tests"]) == POINTS
        assert not leaks(results.read_text(encoding="utf-8"), STEM)
    assert str(SEED) not in f"{done.stdout}{done.stderr}{told}"
    return done.returncode, done.stdout + done.stderr, told


def test_right_work_gets_its_points_and_nothing_better_than_a_user_was_there(place: Path) -> None:
    code, said, told = run(place, {"exercises.py": read_lesson(STEM).bare().encode()})
    assert told is not None and (code, told["score"]) == (0, POINTS), said
    assert {test["status"] for test in told["tests"]} == {"passed"}
    assert "Isolation user+seccomp+rlimits" in said and seed_hash(SEED) in said
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_wrong_and_broken_work_costs_its_own_points(place: Path) -> None:
    source = read_lesson(STEM)
    text = source.edited(
        "saliency_map", (("logits = model(images)", "logits = model(images).softmax(1)"),)
    ).replace("def saliency_box(", "def saliency_box(:")
    code, said, told = run(place, {f"work/{STEM}.py": text.encode(), "notes.txt": b"Hello."})
    assert code == 0 and told is not None, said
    by_name = {test["name"].partition(".")[2]: test for test in told["tests"]}
    assert by_name["saliency_map"]["status"] == by_name["saliency_box"]["status"] == "failed"
    assert "raw logit" in by_name["saliency_map"]["output"]
    assert "SyntaxError" in by_name["saliency_box"]["output"]
    assert by_name["smooth_grad"]["status"] == "passed"
    assert 0 < told["score"] < POINTS


HOSTILE = """
import os, sys
import torch

PLACE = {place!r}
SEEN = []
for name in ("source/secret.seed", "source/course/solutions/{stem}.py", "source/convlens.json",
             "source/course/autograder/checks/{stem}/cases.py", "submission", "results", "."):
    try:
        os.close(os.open(os.path.join(PLACE, name), os.O_RDONLY))
        SEEN.append(name)
    except OSError:
        pass
for name in ("results/results.json", "results/other", "source/secret.seed"):
    try:
        with open(os.path.join(PLACE, name), "w") as file:
            file.write('{{"score": 1000}}')
        SEEN.append(name)
    except OSError:
        pass
sys.path.insert(0, os.path.join(PLACE, "source/course"))
try:
    import solutions
    SEEN.append("solutions")
except ImportError:
    pass
print("score: 1000")


def saliency_map(model, images, target):
    raise RuntimeError(f"seen {{SEEN}}")


def smooth_grad(*arguments, **options):
    os.kill(os.getppid(), 9)
    os._exit(0)
"""


def test_hostile_work_reads_nothing_and_gains_nothing(place: Path) -> None:
    text = HOSTILE.format(place=str(place), stem=STEM)
    code, said, told = run(place, {"exercises.py": text.encode()})
    assert code == 0 and told is not None, said
    assert told["score"] == 0 and "1000" not in said
    assert "seen []" in told["tests"][0]["output"]
    assert {test["status"] for test in told["tests"]} == {"failed"}


def test_what_is_not_graded_is_no_zero(place: Path) -> None:
    """Neither work that cannot be read, nor a grader that fails: no score is written anywhere."""
    code, said, told = run(place, {"essay.ipynb": b'{"cells": ['})
    assert (code, told) == (1, None)
    (line,) = said.splitlines()
    assert line.startswith("Not graded. No points are written") and "essay.ipynb" in line
    seed = place / "source" / pack.SEED
    seed.rename(place / "elsewhere")
    try:
        code, said, told = run(place, {"exercises.py": read_lesson(STEM).bare().encode()})
    finally:
        (place / "elsewhere").rename(seed)
    assert (code, told) == (1, None)
    (line,) = said.splitlines()
    assert line.startswith("Not graded. The seed file")


def test_setup_installs_pinned_versions_and_closes_the_course(place: Path, tmp_path: Path) -> None:
    """The script itself runs; what it would download is written down instead."""
    log, fakes = tmp_path / "log", tmp_path / "bin"
    fakes.mkdir()
    record = f'#!/bin/bash\necho "$(basename "$0") $@" >> {log}\n'
    make = f'[ "$2" = venv ] && mkdir -p "$3/bin" && cp {fakes}/pi* {fakes}/python "$3/bin/"\n:\n'
    for name, script in (
        ("apt-get", record), ("chown", record), ("pip", record), ("python", record),
        ("python3", f"{record}{make}"),
    ):  # fmt: skip
        (fakes / name).write_text(script)
        (fakes / name).chmod(0o755)
    (place / "source" / "secret.seed").chmod(0o644)
    subprocess.run(
        ["/bin/bash", str(place / "source" / "setup.sh")],
        check=True,
        env={
            "PATH": f"{fakes}:/usr/bin:/bin",
            "AUTOGRADER": str(place),
            "CONVLENS": str(tmp_path / "opt"),
        },
    )
    said = log.read_text().splitlines()
    torch, others = (line for line in said if line.startswith("pip "))
    assert "torch.txt --index-url https://download.pytorch.org/whl/cpu" in torch
    assert others.endswith("requirements.txt")
    pins = [(place / "source" / name).read_text() for name in ("torch.txt", "requirements.txt")]
    assert all(line.count("==") == 1 for line in "".join(pins).splitlines())
    assert "torchvision==" in pins[0] and "pyseccomp==" in pins[1] and "+" not in pins[0]
    assert stat.S_IMODE((place / "source" / "secret.seed").stat().st_mode) == 0o600
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_the_archive_holds_the_course_and_no_more(place: Path) -> None:
    source = place / "source"
    assert {path.name for path in source.iterdir()} == {
        "setup.sh", "run_autograder", "course", "torch.txt", "requirements.txt",
        pack.SEED, pack.WISHES,
    }  # fmt: skip
    assert os.access(source / "run_autograder", os.X_OK) and os.access(source / "setup.sh", os.X_OK)
    assert not [path for path in source.rglob("*") if path.name.startswith(".")]
    assert json.loads((source / pack.WISHES).read_text()) == {
        "lessons": [STEM],
        "visibility": "visible",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--visibility", "later"], "no visibility called 'later'"),
        (["--lesson", "salency"], "Did you mean saliency"),
        (["--config", "nowhere.toml"], "nowhere.toml cannot be read"),
    ],
)
def test_a_slip_is_refused_before_anything_is_written(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, seed = tmp_path / "a.zip", tmp_path / "secret.seed"
    command = ["export", "autograder", "--out", str(out), "--seed-file", str(seed), *words]
    assert main(command) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not out.exists() and not seed.exists()


def test_a_checkout_that_was_built_packs_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pip install -e .` may leave a `convlens.egg-info` there, which is found first."""
    told = metadata.distribution("convlens").metadata
    text = "\n".join(f"{key}: {value}" for key, value in told.items() if key != "Description")
    archives = []
    for folder, file in (("convlens.dist-info", "METADATA"), ("convlens.egg-info", "PKG-INFO")):
        place = tmp_path / file
        (place / folder).mkdir(parents=True)
        (place / folder / file).write_text(text)
        with monkeypatch.context() as path:
            path.syspath_prepend(place)
            assert metadata.distribution("convlens").read_text(file) == text
            archives.append(pack.packed([STEM], SEED, "visible", None))
    assert archives[0] == archives[1]

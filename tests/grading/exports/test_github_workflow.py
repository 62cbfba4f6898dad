"""The workflow that an instructor copies: its structure, and the step that checks, really run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from classroom import STEM

from autograder.cli.main import main
from autograder.course.reference import ROOT, read_lesson

COURSE = "git+https://example.org/course.git@v1"


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    out = tmp_path_factory.mktemp("workflow") / ".github" / "workflows" / "convlens.yml"
    words = ["export", "github", "--out", str(out), "--lesson", "saliency", "--course", COURSE]
    assert main(words) == 0
    return yaml.safe_load(out.read_text(encoding="utf-8"))


def test_it_may_read_and_nothing_else(workflow: dict[Any, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    assert set(workflow[True]) == {"push", "workflow_dispatch"}  # YAML 1.1 takes `on` for a truth
    (job,) = workflow["jobs"].values()
    assert "permissions" not in job and job["timeout-minutes"] <= 30
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert used == ["actions/checkout@v6", "actions/setup-python@v6"]
    assert job["steps"][0]["with"] == {"persist-credentials": False}
    assert "secrets" not in str(workflow) and "seed" not in str(workflow)
    assert workflow["env"]["CONVLENS"] == COURSE and workflow["env"]["LESSONS"] == STEM
    # An expression inside a script is filled in before bash reads it: a name could then be code.
    assert not [step["run"] for step in job["steps"] if "${{" in step.get("run", "")]


@pytest.mark.slow
@pytest.mark.sandbox
def test_the_step_checks_a_repository(workflow: dict[Any, Any], tmp_path: Path) -> None:
    repository, elsewhere = tmp_path / "hw1-ada", tmp_path / "temp"
    for folder in (".git", ".github/workflows", STEM):
        (repository / folder).mkdir(parents=True)
    elsewhere.mkdir()
    text = read_lesson(STEM).edited(
        "saliency_map", (("logits = model(images)", "logits = model(images).softmax(1)"),)
    )
    (repository / STEM / "exercises.py").write_text(text, encoding="utf-8")
    (repository / "README.md").write_text("My homework.")
    (repository / "conftest.py").write_text("raise SystemExit('a file of the student is run')")
    (repository / "pytest.py").write_text("raise SystemExit('a file of the student is run')")
    (job,) = workflow["jobs"].values()
    (step,) = [step for step in job["steps"] if step.get("name") == "Check"]
    assert step["working-directory"] == "${{ runner.temp }}"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=elsewhere,
        env={
            **os.environ,
            **workflow["env"],
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "GITHUB_WORKSPACE": str(repository),
            "PYTEST_ADDOPTS": "-k 'saliency_map or smooth_grad'",  # the others take their time
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith("~~~text\n") and "raw logit" in summary
    (suite,) = ElementTree.parse(elsewhere / "convlens.xml").getroot().iter("testsuite")
    found = [int(suite.get(name, "0")) for name in ("tests", "failures", "errors")]
    assert found == [2, 1, 0], done.stdout

"""Grading on a real Dask cluster of two worker processes: the same verdicts, whoever dies."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from classroom import STEM, OwnSandbox, files_of, hand_in, small_class

from autograder.cli.main import main
from autograder.course.reference import ROOT, read_lesson
from autograder.grading import class_run as run
from autograder.grading.class_run import LIMITS, Request
from autograder.grading.run import bench, cluster
from autograder.grading.run.engine import Progress
from autograder.grading.run.examine import Task
from autograder.grading.run.journal import NAME, Journal
from autograder.grading.sandbox.children import ChildResult
from autograder.grading.sandbox.probe import NAMESPACES, NONE, probe
from lessons.toolkit.errors import UserError

distributed = pytest.importorskip("distributed")

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

SEED = 662_607_015


@pytest.fixture(scope="module")
def workers() -> Iterator[distributed.LocalCluster]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as started:
        yield started


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_class(tmp_path_factory.mktemp("in"))


@pytest.fixture(scope="module")
def locally(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run on this machine leaves."""
    out = tmp_path_factory.mktemp("out")
    with patch.object(run, "open_sandbox", open_here):
        run.grade(Request(inbox, out, [STEM], SEED, workers=1))
    return files_of(out)


class Deadly(OwnSandbox):
    """A sandbox for our own work, in the judging process, which some work ends."""

    def run(self, payload: bytes, seconds: float) -> ChildResult:
        """Answer one job, or end this process, or the worker with it."""
        if b"# ends its worker" in payload:
            os.kill(os.getppid(), signal.SIGKILL)
        if b"# ends" in payload:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(payload, seconds)


def open_here(*_: object) -> Deadly:
    """Stand in for `open_sandbox`; a worker finds it by its name."""
    return Deadly()


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is done in the judging processes, which spares each the start of a sandbox."""
    monkeypatch.setattr(run, "open_sandbox", open_here)


def terms() -> bench.Terms:
    level = probe().level
    return bench.Terms("a run", (STEM,), SEED, partial(open_here), level, bench.standing())


@pytest.mark.skipif(probe().level == NONE, reason="this machine has no isolation")
def test_a_cluster_says_what_this_machine_says_and_its_logs_hold_no_secret(
    workers: distributed.LocalCluster, inbox: Path, locally: dict[str, bytes], tmp_path: Path
):
    seen: list[tuple[int, int]] = []
    keys: list[str] = []

    def look(dask_scheduler: distributed.Scheduler) -> list[str]:
        return [str(key) for key in dask_scheduler.tasks]

    with distributed.Client(workers, set_as_default=False) as client:

        def report(progress: Progress) -> None:
            seen.append((progress.done, progress.total))
            if progress.done == 3:
                keys.extend(client.run_on_scheduler(look))

        address = workers.scheduler_address
        graded = run.grade(Request(inbox, tmp_path, [STEM], SEED, scheduler=address), report)
        assert files_of(tmp_path) == locally and len(graded.rows) == 5
        total = len(read_lesson(STEM).exercises) * 4
        assert seen == [(done, total) for done in range(total + 1)]
        assert keys and all(key.startswith(f"{STEM}.") for key in keys)
        assert client.run(lambda: len(bench._helpers)) == dict.fromkeys(client.nthreads(), 0)

        def stumble(*arguments: object) -> None:
            raise ValueError("on purpose")

        task = Task("k", "l", STEM, "saliency_map", "work of ada", {"l02_hooks": "work of ada"})
        with pytest.raises(ValueError, match="on purpose"):
            client.submit(stumble, terms(), task).result()
        logs = str(client.get_worker_logs()) + str(client.get_scheduler_logs())
    logs += f"{terms()} {task}"  # which some versions of Dask write there
    assert "Compute Failed" in logs and "Terms(run='a run'" in logs
    assert str(SEED) not in logs and "work of ada" not in logs


def test_a_worker_killed_in_the_middle_loses_nothing(
    workers: distributed.LocalCluster,
    here: None,
    inbox: Path,
    locally: dict[str, bytes],
    tmp_path: Path,
):
    with distributed.Client(workers, set_as_default=False) as client:
        killed: list[int] = []

        def report(progress: Progress) -> None:
            if progress.done == 4 and not killed:
                killed.append(min(client.run(os.getpid).values()))
                os.kill(killed[0], signal.SIGKILL)

        address = workers.scheduler_address
        graded = run.grade(Request(inbox, tmp_path, [STEM], SEED, scheduler=address), report)
        assert killed and killed[0] not in client.run(os.getpid).values()
    assert files_of(tmp_path) == locally
    assert all(row.status != "ungraded" for row in graded.rows)


def test_work_that_ends_every_worker_is_ungraded_and_costs_nobody_else_anything(
    workers: distributed.LocalCluster, here: None, tmp_path: Path
):
    inbox = tmp_path / "in"
    hand_in(inbox, "ada", read_lesson(STEM).bare())
    hand_in(inbox, "bob", read_lesson(STEM).bare() + "\n# ends its worker\n")
    hand_in(inbox, "cem", read_lesson(STEM).bare() + "\n# ends what judges it\n")

    def forgive(dask_scheduler: distributed.Scheduler, times: int) -> None:
        dask_scheduler.allowed_failures = times

    with distributed.Client(workers, set_as_default=False) as client:
        client.run_on_scheduler(forgive, times=0)  # of a worker's deaths, three by default
        address = workers.scheduler_address
        ask = Request(inbox, tmp_path / "out", [STEM], SEED, scheduler=address)
        ada, bob, cem = run.grade(ask).rows
        client.run_on_scheduler(forgive, times=3)
    assert ada.status == "graded" and ada.score == ada.max_score
    assert {row.status for row in (bob, cem)} == {"ungraded"}
    assert {row.score for row in (bob, cem)} == {None}
    assert "each Dask worker that was asked ended" in bob.reason
    assert "ended the process that judges it" in cem.reason


def test_a_stopped_run_keeps_what_is_done_and_goes_on(
    workers: distributed.LocalCluster, here: None, inbox: Path, tmp_path: Path
):
    def stop(progress: Progress) -> None:
        if progress.done == 5:
            raise KeyboardInterrupt

    ask = Request(inbox, tmp_path, [STEM], SEED, scheduler=workers.scheduler_address)
    with pytest.raises(KeyboardInterrupt):
        run.grade(ask, stop)
    with Journal(tmp_path / NAME) as journal:
        assert len(journal.entries) == 5
    seen: list[int] = []
    run.grade(ask, lambda progress: seen.append(progress.remembered))
    assert set(seen) == {5}


def start_worker(address: str, folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start a worker of its own, with another environment, and wait until it is there."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny"]
    process = subprocess.Popen(
        [*command, "--no-dashboard", "--name", "odd"],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 120
    with distributed.Client(address, set_as_default=False) as client:
        # The cluster's own two may be on their way back from what a test did to them.
        while "odd" not in {
            worker["name"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()
        }:
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                pytest.fail("the worker did not start")
            time.sleep(0.1)
    return process


def edited_course(folder: Path) -> Path:
    """A copy of the course in which one line of a solution is another."""
    leave = shutil.ignore_patterns("pictures", "__pycache__", "*.ipynb")
    for name in ("autograder", "lessons", "solutions"):
        shutil.copytree(ROOT / name, folder / name, ignore=leave)
    with (folder / "solutions" / f"{STEM}.py").open("a") as file:
        file.write("# edited\n")
    return folder


@pytest.mark.parametrize("odd", ["course", "isolation"])
def test_a_worker_that_would_grade_otherwise_is_refused_by_name(
    workers: distributed.LocalCluster, odd: str, inbox: Path, tmp_path: Path
):
    if odd == "isolation":
        if probe().level != NAMESPACES:
            pytest.skip("no worker can have less than this machine")
        words, environment = "cannot isolate.*not installed", {"PATH": "/nonexistent"}
    else:
        words = f"its course is [0-9a-f]+, and {bench.course_hash()} is wanted"
        environment = {"PYTHONPATH": str(edited_course(tmp_path / "copy"))}
    address = workers.scheduler_address
    process = start_worker(address, tmp_path, **environment)
    try:
        ask = Request(inbox, tmp_path / "out", [STEM], SEED, scheduler=address)
        with pytest.raises(UserError, match=rf"Dask worker tcp://\S+ cannot grade: .*{words}"):
            run.grade(ask)
    finally:
        process.kill()
        process.wait()
    with Journal(tmp_path / "out" / NAME) as journal:
        assert journal.entries == {}


def test_a_worker_that_joins_later_is_asked_too(workers: distributed.LocalCluster):
    other = replace(terms(), run="another", standing={**bench.standing(), "torch": "0.1"})
    task = Task("k", "l", STEM, "saliency_map", read_lesson(STEM).bare(), {})
    with distributed.Client(workers, set_as_default=False) as client:
        refused = client.submit(bench.examine, other, task).result()
    assert isinstance(refused, UserError)
    assert "The Dask worker tcp://" in refused.message and "its torch is" in refused.message


def asked(inbox: Path, out: Path, *more: str) -> int:
    return main(["grade", str(inbox), "--out", str(out), "--lesson", "11", *more])


def test_what_is_missing_is_said_in_one_line_and_nothing_is_written(
    inbox: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    cases: Sequence[tuple[str, str, tuple[str, ...]]] = [
        ("No Dask scheduler answers at tcp://127.0.0.1:1.", "dask scheduler", ()),
        ("--workers is for this machine", "Leave one", ("--workers", "2")),
    ]
    for words, step, more in cases:
        assert asked(inbox, tmp_path / "out", "--scheduler", "tcp://127.0.0.1:1", *more) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert words in said and step in said
    with patch.object(cluster, "find_spec", lambda _: None):
        assert asked(inbox, tmp_path / "out", "--scheduler", "tcp://127.0.0.1:1") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "not installed. pip install 'convlens[dask]'" in said
    assert not (tmp_path / "out").exists()


def test_a_cluster_without_workers_ends_the_run_after_a_while(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cluster, "DESERTED_SECONDS", 1.0)
    monkeypatch.setattr(cluster, "LOOK_SECONDS", 0.2)
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as nobody:
        ask = Request(inbox, tmp_path, [STEM], SEED, scheduler=nobody.scheduler_address)
        with pytest.raises(UserError, match="has had no worker") as refused:
            run.grade(ask)
    assert "What was graded is kept" in refused.value.next_step


def test_limits_travel(workers: distributed.LocalCluster):
    limits = replace(LIMITS, cpu_factor=3.0)
    crew = run.grader_for(
        Request(Path(), Path(), [STEM], SEED, limits=limits, scheduler=workers.scheduler_address),
        probe(),
        None,  # type: ignore[arg-type]
    ).crew
    assert isinstance(crew, cluster.DaskCrew)
    with distributed.Client(workers, set_as_default=False) as client:
        there = client.submit(lambda terms: terms.start_sandbox.args[1], crew.terms).result()
    assert there == limits

"""Have tasks examined by a Dask cluster."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING

from autograder.grading.run import bench
from autograder.grading.run.crew import Answers, Came, Exercise
from autograder.grading.run.examine import Overdue, Task
from autograder.grading.sandbox.children import Sandbox
from lessons.toolkit.errors import UserError

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 10
# Workers of a batch system come and go; without any for so long, a run ends.
DESERTED_SECONDS = 60.0
LOOK_SECONDS = 2.0
# For each thread of the cluster, so that none waits for the way to us and back.
UNDER_WAY = 2
GO_ON = "What was graded is kept. Give the same command again when it is there: it goes on."


class DaskCrew:
    """Examine on every worker of a cluster.

    Args:
        address: of the scheduler, such as ``tcp://host:8786``.
        stems, seed: lessons to grade, and the seed of the hidden cases.
        start_sandbox: starts a sandbox; pickled by its name, so a function of a module or a
            partial of one.
        level: isolation that each worker must give.
    """

    def __init__(
        self,
        address: str,
        stems: Sequence[str],
        seed: int,
        start_sandbox: Callable[[], Sandbox],
        level: str,
    ) -> None:
        self.address = address
        standing = bench.standing()
        self.terms = bench.Terms("", tuple(stems), seed, start_sandbox, level, standing)

    def examine(
        self, tasks: Iterator[Task], exercises: Iterable[Exercise] = (), alone: bool = False
    ) -> Answers:
        """Yield each task with what came of it.

        Who loses its worker is asked elsewhere, by Dask itself.

        Raises:
            UserError: a scheduler that cannot be reached, a worker that would grade otherwise,
                or no worker left.
        """
        first = list(islice(tasks, 1))
        if not first:
            return
        terms = replace(self.terms, run=secrets.token_hex(4))
        under_way: dict[str, tuple[Task, Future]] = {}
        with connected(self.address) as client:
            try:
                refuse_unlike_workers(client, self.terms.level)
                yield from self._examine(client, terms, _chained(first, tasks), under_way, alone)
            finally:
                with contextlib.suppress(Exception):  # a worker that is gone needs no goodbye
                    client.cancel([future for _, future in under_way.values()])
                    client.run(bench.dismiss, terms.run, on_error="ignore")

    def _examine(
        self,
        client: Client,
        terms: bench.Terms,
        tasks: Iterator[Task],
        under_way: dict[str, tuple[Task, Future]],
        alone: bool,
    ) -> Answers:
        ended: SimpleQueue[Future] = SimpleQueue()
        seen = _Attendance(client, self.address)
        while True:
            room = 1 if alone else UNDER_WAY * seen.threads()
            for task in islice(tasks, max(0, room - len(under_way))):
                # Seen on Dask's pages: a lesson and an exercise, no student.
                key = f"{task.stem}.{task.exercise}-{secrets.token_hex(16)}"
                future = client.submit(bench.examine, terms, task, key=key, pure=False)
                under_way[key] = task, future
                future.add_done_callback(ended.put)
            if room and not under_way:
                return
            try:
                future = ended.get(timeout=LOOK_SECONDS)
                came = self._came(future)
            except Empty:
                continue
            except TimeoutError:  # its worker went before it was asked for the answer
                ended.put(future)
                continue
            task, _ = under_way.pop(str(future.key))
            yield task, came

    def _came(self, future: Future) -> Came:
        from distributed import CancelledError, KilledWorker

        try:
            came = future.result(timeout=LOOK_SECONDS)
        except KilledWorker:
            return Overdue("each Dask worker that was asked ended before its answer")
        except TimeoutError:
            raise
        except CancelledError as error:
            raise UserError(f"The Dask scheduler {self.address} is gone.", GO_ON) from error
        except Exception as error:
            said = f"{type(error).__name__}: {str(error)[:200]}"
            raise UserError(f"A Dask worker cannot grade: {said}.", _INSTALL) from error
        if isinstance(came, UserError):
            raise came
        return came


_INSTALL = "Install one and the same convlens on every machine, and give the same command again."


class _Attendance:
    """Count a cluster's threads now and then, and notice that nobody is left.

    Args:
        client: of the cluster.
        address: for what is said.
    """

    def __init__(self, client: Client, address: str) -> None:
        self._client = client
        self._address = address
        self._threads = 0
        self._looked = -LOOK_SECONDS
        self._there = monotonic()

    def threads(self) -> int:
        """Return how many threads there are.

        Raises:
            UserError: none for too long, or no scheduler.
        """
        now = monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            try:
                self._threads = sum(self._client.nthreads().values())
            except (OSError, TimeoutError) as error:
                raise UserError(f"The Dask scheduler {self._address} is gone.", GO_ON) from error
            if self._threads:
                self._there = now
        if now - self._there > DESERTED_SECONDS:
            raise UserError(
                f"The Dask scheduler {self._address} has had no worker for "
                f"{DESERTED_SECONDS:.0f} s.",
                f"Start some with `dask worker {self._address}`. {GO_ON}",
            )
        return self._threads


def _chained(first: list[Task], others: Iterator[Task]) -> Iterator[Task]:
    yield from first
    yield from others


@contextlib.contextmanager
def connected(address: str) -> Iterator[Client]:
    """Connect to a scheduler.

    Raises:
        UserError: Dask is not installed, or nobody answers.
    """
    if find_spec("distributed") is None:
        raise UserError(
            "--scheduler needs Dask, which is not installed.", "pip install 'convlens[dask]'"
        )
    from distributed import Client

    # What matters is said in our own words.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="convlens")
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise UserError(
            f"No Dask scheduler answers at {address}.",
            "Start one with `dask scheduler`, and give the address that it prints.",
        ) from error
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):
            client.close(timeout=CONNECT_SECONDS)


def refuse_unlike_workers(client: Client, level: str) -> int:
    """Return how many workers there are.

    Raises:
        UserError: one of them would not grade as this process would.
    """
    answers = client.run(bench.refuse_unlike, level, bench.standing(), on_error="return")
    for worker, answer in sorted(answers.items()):
        if isinstance(answer, UserError):
            raise UserError(
                f"The Dask worker {worker} cannot grade: {answer.message}", answer.next_step
            )
        if isinstance(answer, Exception):
            said = f"{type(answer).__name__}: {str(answer)[:200]}"
            raise UserError(f"The Dask worker {worker} cannot grade: {said}.", _INSTALL)
    return len(answers)

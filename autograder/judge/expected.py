"""Run trusted code, the reference and the mutants, through the worker's own observer."""

from __future__ import annotations

import hashlib
import random
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import torch

from autograder.checks.common import common_mutants
from autograder.course.exercise import Accepted, Case, Exercise, Mutant
from autograder.course.reference import LessonSource, earlier_sources, read_lesson
from autograder.protocol.answers import AnswerReader, Record
from autograder.protocol.job import Job, encode_job, encode_question, make_job
from autograder.worker.load import offer_earlier
from autograder.worker.serve import answer

PUBLIC_SEED = 20130
TWISTER_WORDS, TWISTER_START = 624, 24


def mutant_source(source: LessonSource, exercise: str, mutant: Mutant | Accepted) -> str:
    """The text of a whole lesson file in which one exercise is a given wrong (or other) version."""
    if mutant.body:
        return source.replaced(exercise, mutant.body)
    if mutant.append:
        return source.appended(exercise, mutant.append)
    return source.edited(exercise, mutant.edits)


def run_trusted(job: Job) -> list[Record]:
    """Answer a job in this process: for our own code only, never for a student's.

    What the job imports from earlier lessons is the reference.

    Raises:
        RuntimeError: the answer cannot be read: our fault.
    """
    reader = AnswerReader(len(job["cases"]))
    earlier = earlier_references(job["source"])
    with restored_globals(earlier):
        answer({**job, "earlier": earlier}, reader.feed)
    read = reader.answer("died")
    if read.status != "ok":
        raise RuntimeError(f"{job['stem']}.{job['exercise']}: {read.note}")
    return list(read.records)


def earlier_references(source: str) -> dict[str, str]:
    """The solved files of the lessons that a file imports, and of those that they import."""
    return earlier_sources(source, lambda stem: read_lesson(stem).bare())


@contextmanager
def restored_globals(earlier: Iterable[str]) -> Iterator[None]:
    """Put back what a job may leave behind: generators, gradient mode, default dtype, modules."""
    names = [f"lessons.{stem}.exercises" for stem in earlier]
    modules = {name: sys.modules[name] for name in names if name in sys.modules}
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()
    grad, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    threads = torch.get_num_threads()
    # As in a worker; and on tensors this small a second thread only gets in the way.
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        offer_earlier({})
        sys.modules.update(modules)


def secret_generator(seed: int, purpose: str) -> torch.Generator:
    """A generator whose whole state comes from a seed of any size, another one for each purpose.

    `manual_seed` keeps 32 bits of a seed: few enough to try them all. Here a hash stretches the
    seed over the 624 words of the Mersenne twister, each of which torch keeps in eight bytes.
    """
    generator = torch.Generator().manual_seed(0)
    state = bytearray(generator.get_state().numpy().tobytes())
    words = hashlib.shake_256(f"{purpose} {seed}".encode()).digest(4 * TWISTER_WORDS)
    for word in range(TWISTER_WORDS):
        place = TWISTER_START + 8 * word
        state[place : place + 4] = words[4 * word : 4 * word + 4]
    return generator.set_state(torch.frombuffer(state, dtype=torch.uint8).clone())


class Expectation:
    """One exercise under one seed: its cases, what the reference does, and what each mutant does.

    Made once and shared by every submission. Mutants run on the first failure that asks for them.
    """

    def __init__(self, stem: str, exercise: Exercise, seed: int = PUBLIC_SEED) -> None:
        self.stem = stem
        self.exercise = exercise
        self.seed = seed
        self.cases = exercise.inputs(secret_generator(seed, f"{stem}.{exercise.name}"))
        self._mutants: dict[str, list[Record]] = {}
        self._beginnings: dict[str, list[Record]] = {}

    @cached_property
    def records(self) -> dict[str, Record]:
        """What the reference did, by case.

        Raises:
            RuntimeError: when the reference itself cannot be loaded: our fault.
        """
        loading, *records = run_trusted(self.job(read_lesson(self.stem).bare(), "reference"))
        if not loading.get("loaded"):
            raise RuntimeError(f"{self.stem}: the reference does not load: {loading.get('error')}")
        return {record["case"]: record for record in records}

    @cached_property
    def mutants(self) -> tuple[Mutant, ...]:
        """The exercise's own mutants, then the common ones that make sense for it."""
        return (*self.exercise.mutants, *common_mutants(self.exercise, self.cases, self.records))

    def mutant_records(self, mutant: Mutant) -> list[Record]:
        """What one mutant did: the loading record, then one for each case."""
        if mutant.id not in self._mutants:
            self._mutants[mutant.id] = self._run(mutant, self.cases)
        return self._mutants[mutant.id]

    def mutant_beginning(self, mutant: Mutant) -> list[Record]:
        """The loading record and the first case: enough to rule most mutants out, and cheap."""
        if mutant.id in self._mutants:
            return self._mutants[mutant.id][:2]
        if mutant.id not in self._beginnings:
            first = dict([next(iter(self.cases.items()))])
            self._beginnings[mutant.id] = self._run(mutant, first)
        return self._beginnings[mutant.id]

    def _run(self, mutant: Mutant, cases: dict[str, Case]) -> list[Record]:
        source = mutant_source(read_lesson(self.stem), self.exercise.name, mutant)
        filename = f"mutant-{mutant.id}"
        return run_trusted(make_job(self.stem, self.exercise, cases, source, filename))

    def job(self, source: str, filename: str, earlier: Mapping[str, str] | None = None) -> Job:
        """The job that asks this exercise of a file."""
        return make_job(self.stem, self.exercise, self.cases, source, filename, earlier)

    def payload(
        self, source: str, filename: str, earlier: Mapping[str, str] | None = None
    ) -> bytes:
        """Encode that job for `serve.run_job`."""
        return encode_job(self._question, source, filename, earlier)

    @cached_property
    def _question(self) -> bytes:
        return encode_question(self.stem, self.exercise, self.cases)

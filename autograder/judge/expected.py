"""Run trusted code through the worker's own observer.

Trusted are the reference and its wrong versions.
"""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, lru_cache, partial, wraps
from itertools import combinations
from types import ModuleType
from typing import Any

import numpy as np
import torch

from autograder.checks.compare import close
from autograder.checks.mistakes import mistakes_of
from autograder.course.exercise import Case, Exercise, Function, Mistake
from autograder.course.mistakes import Wrong
from autograder.course.reference import LessonSource, earlier_sources, read_lesson
from autograder.judge.seeds import PUBLIC_SEED, secret_generator
from autograder.protocol.answers import AnswerReader, Record
from autograder.protocol.job import Job, encode_job, encode_question, make_job
from autograder.worker.load import offer_earlier
from autograder.worker.serve import answer

Variant = tuple[Mistake, ...]
# What `observe` tells of a case but not briefly.
LEFT_BEHIND = {"again", "effects", "plain", "printed", "seconds"}


@lru_cache(maxsize=512)
def variant_source(source: LessonSource, exercise: str, variant: Variant) -> str:
    """Return a lesson file's text with the textual one of these mistakes made."""
    texts = [mistake.text for mistake in variant if mistake.text is not None]
    return wrong_source(source, exercise, texts[0]) if texts else source.bare()


def wrong_source(source: LessonSource, exercise: str, wrong: Wrong) -> str:
    """Return a lesson file's text with one exercise in another version."""
    if wrong.body:
        return source.replaced(exercise, wrong.body)
    if wrong.after:
        return source.appended(exercise, wrong.after)
    return source.edited(exercise, wrong.edits)


def make_mistakes(exercise: str, variant: Variant, module: ModuleType) -> None:
    """Wrap a loaded lesson's function in the mistakes that are not textual."""
    for mistake in variant:
        right = getattr(module, exercise)
        if mistake.wrap is not None:
            setattr(module, exercise, mistake.wrap(right))
        elif mistake.change is not None:
            setattr(module, exercise, _with_change(right, mistake.change))


def _differing(one: Case, other: Case) -> list[str]:
    """Return the names of the arguments in which two calls differ.

    Where the calls cannot be compared, return two placeholders.
    """
    if one.call != other.call or one.inputs.keys() != other.inputs.keys():
        return ["...", "..."]
    return [name for name in one.inputs if not _equal(one.inputs[name], other.inputs[name])]


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) or isinstance(other, torch.Tensor):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if type(one) is type(other) and isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def _with_change(right: Function, change: Callable[[Any], Any]) -> Function:
    @wraps(right)
    def wrong(*args: Any, **kwargs: Any) -> Any:
        return change(right(*args, **kwargs))

    return wrong


def _changed(record: Record, change: Callable[[Any], Any]) -> Record:
    """Return a record with its value changed.

    Where the change raises, the record says that the call raised.
    """
    if record.get("status") != "returned":
        return record
    try:
        return {**record, "value": change(record["value"])}
    except Exception as error:  # a change need not fit every value
        raised = {"type": type(error).__name__, "message": str(error), "lines": []}
        return {**record, "status": "raised", "error": raised}


def run_trusted(job: Job, change: Callable[[ModuleType], None] | None = None) -> list[Record]:
    """Answer a job of our own code in this process.

    Never use it for a student's code.

    Args:
        job: what it imports from earlier lessons is the reference.
        change: what is done to the loaded lesson before it is called.

    Returns:
        The loading record, then one for each case.

    Raises:
        RuntimeError: the answer cannot be read: our fault.
    """
    reader = AnswerReader(len(job["cases"]))
    earlier = earlier_references(job["source"])
    with restored_globals(earlier):
        answer({**job, "earlier": earlier}, reader.feed, change)
    read = reader.answer("died")
    if read.status != "ok":
        raise RuntimeError(f"{job['stem']}.{job['exercise']}: {read.note}")
    return list(read.records)


@lru_cache(maxsize=512)
def earlier_references(source: str) -> dict[str, str]:
    """Return the solved files that a file imports, by lesson.

    Those that these files import are among them.
    """
    return earlier_sources(source, lambda stem: read_lesson(stem).bare())


@contextmanager
def restored_globals(earlier: Iterable[str]) -> Iterator[None]:
    """Restore at the end of the block what a job may have changed.

    That is generators, gradient mode, default dtype, threads and imported lessons.
    """
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


class Expectation:
    """Expectation of one exercise under one seed.

    It holds the cases, what the reference does on them, and what mistakes do. It is made once and
    shared by every submission. A mistake runs on a case when a failure asks for it.

    Args:
        stem: the lesson.
        exercise: its record.
        seed: of the cases.
    """

    def __init__(self, stem: str, exercise: Exercise, seed: int = PUBLIC_SEED) -> None:
        self.stem = stem
        self.exercise = exercise
        self.seed = seed
        self.cases = exercise.inputs(secret_generator(seed, f"{stem}.{exercise.name}"))
        self._outcomes: dict[tuple[tuple[str, ...], str], Record] = {}

    @cached_property
    def records(self) -> dict[str, Record]:
        """Records of what the reference does, by case.

        Raises:
            RuntimeError: when the reference itself cannot be loaded: our fault.
        """
        loading, *records = run_trusted(self.job(read_lesson(self.stem).bare(), "reference"))
        if not loading.get("loaded"):
            raise RuntimeError(f"{self.stem}: the reference does not load: {loading.get('error')}")
        return {record["case"]: record for record in records}

    @cached_property
    def mistakes(self) -> tuple[Mistake, ...]:
        """Mistakes that can be made in the exercise, its own first."""
        return mistakes_of(self.exercise, self.cases, self.records)

    @cached_property
    def twins(self) -> dict[str, list[tuple[str, str]]]:
        """Pairs of cases that differ in one argument and in the result, by argument."""
        found: dict[str, list[tuple[str, str]]] = {}
        for one, other in combinations(self.cases, 2):
            differing = _differing(self.cases[one], self.cases[other])
            if len(differing) == 1:
                results = [self.records[case] for case in (one, other)]
                tolerance = self.exercise.rtol, self.exercise.atol
                if not close(results[0].get("value"), results[1].get("value"), *tolerance):
                    found.setdefault(differing[0], []).append((one, other))
        return found

    def outcome(self, variant: Variant, case: str) -> Record:
        """Return what the reference does on one case with these mistakes made in it."""
        made = [mistake for mistake in variant if mistake.change is None]
        record = self.records[case] if not made else self._made(tuple(made), case)
        for mistake in variant:
            if mistake.change is not None:
                record = _changed(record, mistake.change)
        return record

    def _made(self, variant: Variant, case: str) -> Record:
        key = tuple(mistake.id for mistake in variant), case
        if key not in self._outcomes:
            records = self.run(variant, [case], briefly=True)
            # One that does not even load raises the same on every case.
            broken = {"status": "raised", "error": records[0].get("error", {}), "case": case}
            self._outcomes[key] = records[1] if len(records) > 1 else broken
        return self._outcomes[key]

    def remember(self, variant: Variant, records: Iterable[Record]) -> None:
        """Keep what a whole run has told, so that no case is run once more briefly.

        Args:
            variant: the mistakes that were made.
            records: of the cases that ran; what their calls left behind is not kept.
        """
        ids = tuple(mistake.id for mistake in variant)
        for record in records:
            brief = {key: value for key, value in record.items() if key not in LEFT_BEHIND}
            self._outcomes.setdefault((ids, record["case"]), brief)

    def run(self, variant: Variant, names: Iterable[str], briefly: bool = False) -> list[Record]:
        """Run the reference with mistakes made in it.

        Args:
            variant: the mistakes; at most one of them replaces text.
            names: which cases.
            briefly: without a look at what is left behind, and without a second call.

        Returns:
            The loading record, then one for each case.
        """
        cases = {name: self.cases[name] for name in names}
        texts = tuple(mistake for mistake in variant if mistake.text is not None)
        source = variant_source(read_lesson(self.stem), self.exercise.name, texts)
        job = make_job(self.stem, self.exercise, cases, source, "reference")
        job["briefly"] = briefly
        return run_trusted(job, partial(make_mistakes, self.exercise.name, variant))

    def job(self, source: str, filename: str, earlier: Mapping[str, str] | None = None) -> Job:
        """Make the job that runs this exercise of a file."""
        return make_job(self.stem, self.exercise, self.cases, source, filename, earlier)

    def payload(
        self, source: str, filename: str, earlier: Mapping[str, str] | None = None
    ) -> bytes:
        """Encode the job that runs this exercise of a file, for `serve.run_job`."""
        return encode_job(self._question, source, filename, earlier)

    @cached_property
    def _question(self) -> bytes:
        return encode_question(self.stem, self.exercise, self.cases)

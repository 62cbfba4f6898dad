"""Find wrong answers of a class that agree and that no mistake explains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter

import numpy as np

from autograder.checks import lesson
from autograder.grading.report.results import StudentResult

GRID = 16


@dataclass(frozen=True)
class SharedMistake:
    """One mistake without a name that several students of a class share.

    Args:
        id: the exercise.
        form, numbers: fingerprint of the first example's answer.
        students: who made it, in order.
        lost: points that it cost them together.
        examples: student and code of each different code, the shortest first; empty where none
            could be cut out.
        number: by which it is asked for; 1 for what costs the class most.
    """

    id: str
    form: str
    numbers: tuple[float, ...]
    students: tuple[str, ...]
    lost: float
    examples: tuple[tuple[str, str], ...]
    number: int = 0


def shared_mistakes(rows: Iterable[StudentResult]) -> list[SharedMistake]:
    """Return the mistakes without a name that at least two students share.

    Args:
        rows: the class.

    Returns:
        The most costly first.
    """
    told = [
        ((identity, row.made_from[_parts(identity)[0]]["course"], answer["form"]), row)
        for row in rows
        for identity, answer in row.unnamed.items()
    ]
    told.sort(key=lambda pair: (pair[0], pair[1].student))
    found = []
    for (identity, _, _), pairs in groupby(told, itemgetter(0)):
        alike = [row for _, row in pairs]
        stem, name = _parts(identity)
        exercise = lesson(stem).exercise(name)
        numbers = [row.unnamed[identity]["numbers"] for row in alike]
        groups = agreeing(numbers, max(exercise.rtol, exercise.atol))
        found += [
            _shared(identity, [alike[place] for place in group])
            for group in groups
            if len(group) > 1
        ]
    found.sort(key=lambda one: (-one.lost, -len(one.students), one.id, one.students))
    return [replace(one, number=number) for number, one in enumerate(found, 1)]


def agreeing(numbers: Sequence[Sequence[float]], tolerance: float) -> list[list[int]]:
    """Group lists of numbers of one length that agree within a tolerance.

    Two that agree are always in one group, wherever a third lies between them.

    >>> agreeing([[0.0], [2.0], [0.9], [1.8]], tolerance=1.0)
    [[0, 1, 2, 3]]
    >>> agreeing([[0.0], [2.0], [0.9]], tolerance=1.0)
    [[0, 2], [1]]
    """
    if len(numbers) == 1:
        return [[0]]
    from scipy.sparse import coo_array  # takes a second to load
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    # A grid much finer than the tolerance leaves few of ten thousand that differ in last digits.
    scaled = np.round(np.array(numbers, ndmin=2) * (GRID / tolerance))
    points, which = np.unique(scaled, axis=0, return_inverse=True)
    near = np.zeros((0, 2), dtype=int)
    if points.shape[1]:
        near = cKDTree(points).query_pairs(GRID, p=np.inf, output_type="ndarray")
    links = coo_array((np.ones(len(near)), (near[:, 0], near[:, 1])), shape=(len(points),) * 2)
    labels = connected_components(links, directed=False)[1][which.reshape(-1)]
    groups: dict[int, list[int]] = {}
    for place, label in enumerate(labels.tolist()):
        groups.setdefault(label, []).append(place)
    return list(groups.values())


def _shared(identity: str, rows: Sequence[StudentResult]) -> SharedMistake:
    lost = 0.0
    for row in rows:
        (result,) = (one for one in row.exercises if one.id == identity)
        lost += max(0.0, result.max_points - (result.counted or 0.0))
    codes: dict[str, str] = {}
    for row in rows:
        if code := row.unnamed[identity]["code"]:
            codes.setdefault(code, row.student)
    examples = sorted(((codes[code], code) for code in codes), key=lambda one: (len(one[1]), one))
    first = next((row for row in rows if examples and row.student == examples[0][0]), rows[0])
    answer = first.unnamed[identity]
    return SharedMistake(
        identity,
        answer["form"],
        tuple(answer["numbers"]),
        tuple(row.student for row in rows),
        round(lost, 2),
        tuple(examples),
    )


def _parts(identity: str) -> tuple[str, str]:
    stem, _, name = identity.partition(".")
    return stem, name

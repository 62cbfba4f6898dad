"""List the lessons of the course in order, without torch.

This is the only list of them. It knows which have landed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.course.mistakes import words
from autograder.course.reference import ROOT, read_lesson
from autograder.course.story import read_story, story_path
from lessons.toolkit.errors import UserError, unknown

# The parts of the course and their lessons. A lesson lands when its three sources are there: the
# reference `solutions/STEM.py`, its checks `autograder/checks/STEM/`, and `lessons/STEM/lesson.md`.
PARTS = {
    "Tools": ("l01_autograd", "l02_hooks"),
    "What the network has learnt": (
        "l03_filters",
        "l04_neighbours",
        "l05_tsne",
        "l06_activations",
        "l07_gradient_ascent",
        "l08_fooling_and_dreams",
        "l09_inversion_and_style",
    ),
    "Why this answer": (
        "l10_occlusion",
        "l11_saliency",
        "l12_guided_backprop",
        "l13_cam",
        "l14_grad_cam",
        "l15_debugging",
    ),
}


@dataclass(frozen=True)
class CourseLesson:
    """One lesson of the course, landed or on its way.

    Args:
        stem: ``l11_saliency``, its name in every file and folder.
        part: the part of the course it belongs to.
    """

    stem: str
    part: str

    @property
    def number(self) -> int:
        """Number of the lesson, 11 of ``l11_saliency``."""
        return int(self.stem[1:3])

    @property
    def topic(self) -> str:
        """Short name of the lesson, ``saliency`` of ``l11_saliency``."""
        return self.stem[4:]

    @property
    def landed(self) -> bool:
        """Check whether its reference, its checks and its story are there."""
        reference = ROOT / "solutions" / f"{self.stem}.py"
        checks = ROOT / "autograder" / "checks" / self.stem / "__init__.py"
        return reference.exists() and checks.exists() and story_path(self.stem).exists()

    @property
    def title(self) -> str:
        """Title of its story, or its topic in words before it has one."""
        if story_path(self.stem).exists() and (title := read_story(self.stem).title):
            return title
        return self.topic.replace("_", " ").capitalize()

    @property
    def minutes(self) -> int:
        """Minutes that the whole lesson is likely to take, as its story says."""
        return read_story(self.stem).minutes

    @property
    def exercises(self) -> tuple[str, ...]:
        """Names of its exercises, in order."""
        return read_lesson(self.stem).exercises

    @property
    def points(self) -> float:
        """Full marks of all its exercises together."""
        return sum(words(self.stem, name).points for name in self.exercises)


LESSONS = tuple(CourseLesson(stem, part) for part, stems in PARTS.items() for stem in stems)


def landed() -> Iterator[CourseLesson]:
    """Yield the lessons that have landed, in order."""
    return (lesson for lesson in LESSONS if lesson.landed)


def landed_stems() -> list[str]:
    """Return the stems of the lessons that have landed, in order."""
    return [lesson.stem for lesson in landed()]


def course_lesson(stem: str) -> CourseLesson:
    """Return the lesson of that stem.

    Raises:
        KeyError: the course has none.
    """
    for lesson in LESSONS:
        if lesson.stem == stem:
            return lesson
    raise KeyError(stem)


def topic(stem: str) -> str:
    """Return the short name of a lesson.

    >>> topic("l11_saliency")
    'saliency'
    """
    return stem[4:]


def find_lesson(given: str) -> str:
    """Return the stem of a landed lesson named by number, stem, topic or path.

    Raises:
        UserError: there is none of that name, or it is still on its way.

    >>> find_lesson("11"), find_lesson("saliency"), find_lesson("lessons/l11_saliency/")
    ('l11_saliency', 'l11_saliency', 'l11_saliency')
    """
    wanted = _whole(given.strip()).rstrip("/")
    folders = [part for part in wanted.split("/") if re.fullmatch(r"l\d\d_\w+", part)]
    wanted = (folders[-1] if folders else wanted).lower().replace("-", "_").replace(" ", "_")
    number = re.fullmatch(r"(?:lesson_?|l)?(\d{1,2})", wanted)
    for lesson in LESSONS:
        if wanted in (lesson.stem, lesson.topic) or (number and int(number[1]) == lesson.number):
            if lesson.landed:
                return lesson.stem
            raise UserError(
                f"Lesson {lesson.number}, {lesson.title.lower()}, is on its way and not here yet.",
                "`convlens lessons` lists those that are.",
            )
    raise unknown("lesson", given, [lesson.topic for lesson in landed()])


def _whole(given: str) -> str:
    """Return the whole path of what is there, such as `.`, with forward slashes."""
    there = Path(given)
    whole = str(there.resolve()) if re.search(r"[./\\]", given) and there.exists() else given
    return whole.replace("\\", "/")


def find_target(given: str) -> tuple[str, str | None]:
    """Return stem and exercise of ``LESSON`` or ``LESSON.EXERCISE``.

    The exercise is None where only a lesson is named.

    Raises:
        UserError: one of the two does not exist; the message holds the nearest names.

    >>> find_target("saliency.smooth_grad")
    ('l11_saliency', 'smooth_grad')
    """
    path = re.sub(r"/\w+\.(py|ipynb|md)$", "", _whole(given))
    folder, slash, name = path.rpartition("/")  # folders may have dots of their own
    lesson, dot, exercise = name.partition(".")
    stem = find_lesson(f"{folder}{slash}{lesson}")
    if not dot:
        return stem, None
    known = read_lesson(stem).exercises
    if exercise not in known:
        raise unknown(f"exercise in {stem}", exercise, known)
    return stem, exercise

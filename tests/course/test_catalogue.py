"""The only list of lessons: how each is named, which have landed, and that asking is cheap."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from autograder.course import catalogue
from autograder.course.catalogue import (
    LESSONS,
    PARTS,
    CourseLesson,
    course_lesson,
    find_lesson,
    find_target,
    landed_stems,
    topic,
)
from autograder.course.mistakes import words
from autograder.course.reference import ROOT, read_lesson
from autograder.course.story import read_story
from lessons.toolkit.errors import UserError


@pytest.mark.parametrize(
    "given",
    [
        *("11", " 11 ", "l11", "L11", "lesson11", "lesson 11", "Lesson-11", "lesson_11"),
        *("saliency", "Saliency", "l11_saliency", "L11_SALIENCY"),
        *("lessons/l11_saliency", "lessons/l11_saliency/", "lessons\\l11_saliency\\"),
        *("lessons/l11_saliency/exercises.py", "/home/ada/l02_hooks/l11_saliency/lesson.ipynb"),
    ],
)
def test_a_lesson_is_found_by_any_name(given: str) -> None:
    assert find_lesson(given) == "l11_saliency"


@pytest.mark.parametrize("given", ["grad_cam", "grad-cam", "Grad CAM", "14"])
def test_words_of_a_topic_may_be_apart(given: str) -> None:
    assert find_lesson(given) == "l14_grad_cam"


def test_a_number_below_ten_needs_no_zero() -> None:
    assert find_lesson("2") == find_lesson("02") == find_lesson("l2") == "l02_hooks"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("salincy", "Did you mean saliency?"),
        ("l11_salience", "Did you mean saliency?"),
        ("99", "Known: autograd, "),
        ("", "Known: autograd, "),
        ("quux", "Known: autograd, "),
    ],
)
def test_an_unknown_lesson_gets_the_nearest_names(given: str, says: str) -> None:
    with pytest.raises(UserError, match="There is no lesson called") as error:
        find_lesson(given)
    assert says in error.value.next_step


@pytest.mark.parametrize("given", ["10", "occlusion", "l10_occlusion", "lesson 10"])
def test_a_lesson_on_its_way_is_said_to_be(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CourseLesson, "landed", property(lambda lesson: lesson.number == 11))
    monkeypatch.setattr(catalogue, "story_path", lambda stem: ROOT / "nowhere" / stem)
    with pytest.raises(UserError, match=r"^Lesson 10, occlusion, is on its way and not here yet"):
        find_lesson(given)
    with pytest.raises(UserError, match="no lesson called 'quux'") as error:
        find_lesson("quux")
    assert error.value.next_step == "Known: saliency."


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ("saliency", ("l11_saliency", None)),
        ("saliency.smooth_grad", ("l11_saliency", "smooth_grad")),
        ("11.smooth_grad", ("l11_saliency", "smooth_grad")),
        ("lessons/l11_saliency.smooth_grad", ("l11_saliency", "smooth_grad")),
        ("lessons/l11_saliency/exercises.py", ("l11_saliency", None)),
        ("./lessons/l11_saliency/lesson.ipynb", ("l11_saliency", None)),
        ("lessons/l11_saliency/lesson.md", ("l11_saliency", None)),
        ("../my.work/lessons\\l11_saliency\\exercises.py", ("l11_saliency", None)),
    ],
)
def test_a_target_is_a_lesson_or_one_of_its_exercises(
    given: str, target: tuple[str, str | None]
) -> None:
    assert find_target(given) == target


@pytest.mark.parametrize("given", [".", "exercises.py", "./lesson.md", "../l11_saliency"])
def test_a_path_counts_from_the_current_folder(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "lessons" / "l11_saliency"
    folder.mkdir(parents=True)
    for name in ("exercises.py", "lesson.md"):
        (folder / name).touch()
    monkeypatch.chdir(folder)
    assert find_target(given) == ("l11_saliency", None)
    assert find_lesson(given) == "l11_saliency"


def test_an_unknown_exercise_gets_the_nearest_names() -> None:
    with pytest.raises(UserError, match="no exercise in l11_saliency called 'smoth_grad'") as error:
        find_target("saliency.smoth_grad")
    assert error.value.next_step == "Did you mean smooth_grad?"


SOURCES = ("solutions/l90_new.py", "autograder/checks/l90_new/__init__.py", "story.md")


def test_a_lesson_lands_with_the_last_of_its_three_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "ROOT", tmp_path)
    monkeypatch.setattr(catalogue, "story_path", lambda stem: tmp_path / "story.md")
    lesson = CourseLesson("l90_new", "Parts")
    for name in SOURCES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert lesson.landed
    for name in SOURCES:
        (tmp_path / name).unlink()
        assert not lesson.landed, name
        (tmp_path / name).touch()


def test_every_lesson_stands_once_and_in_order() -> None:
    stems = [stem for part in PARTS.values() for stem in part]
    assert [lesson.stem for lesson in LESSONS] == stems
    assert [lesson.number for lesson in LESSONS] == list(range(1, len(LESSONS) + 1))
    assert len({lesson.topic for lesson in LESSONS}) == len(LESSONS)


def test_all_that_is_there_is_in_the_catalogue() -> None:
    there = {path.stem for path in (ROOT / "solutions").glob("l[0-9][0-9]_*.py")}
    assert set(landed_stems()) <= there <= {lesson.stem for lesson in LESSONS}


def test_a_lesson_knows_its_numbers() -> None:
    lesson = course_lesson("l11_saliency")
    assert (lesson.number, lesson.topic, lesson.part) == (11, "saliency", "Why this answer")
    assert topic("l11_saliency") == lesson.topic
    assert lesson.title == read_story("l11_saliency").title
    assert lesson.minutes == read_story("l11_saliency").minutes > 0
    assert lesson.exercises == read_lesson("l11_saliency").exercises
    assert lesson.points == sum(words("l11_saliency", name).points for name in lesson.exercises)
    assert CourseLesson("l90_two_words", "").title == "Two words"
    with pytest.raises(KeyError):
        course_lesson("l90_two_words")


def test_the_catalogue_asks_for_no_torch() -> None:
    code = (
        "import sys; from autograder.course.catalogue import *; find_target('11.smooth_grad')\n"
        "[(lesson.title, lesson.points) for lesson in landed()]\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

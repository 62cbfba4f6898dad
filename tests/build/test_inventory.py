"""What an author forgets is one sentence that says what is missing and where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny import STEM, WEIGH, Tiny

from autograder.build import inventory
from autograder.build.inventory import MOST_OWN_MISTAKES, lesson_inventory
from autograder.course.exercise import Case, Lesson
from autograder.course.reference import ROOT, cut, read_lesson
from autograder.protocol.wire import ModelSpec

LANDED = "l11_saliency"


def problems(tiny: Tiny) -> list[str]:
    return list(lesson_inventory(tiny.lesson, cut(tiny.source, STEM)))


def test_nothing_is_missing_in_the_tiny_lesson(tiny: Tiny) -> None:
    assert problems(tiny) == []


def with_mistakes(count: int) -> Callable[[Tiny], None]:
    """Let the first exercise have so many mistakes of its own."""
    there = WEIGH.count("\n**") - 1  # one of them is no mistake
    more = "".join(
        f"**number_{n}** `scale + x * {n}`\nOne.\nTwo.\n\n" for n in range(count - there)
    )
    return lambda tiny: tiny.reword("weigh", "**absolute_entries**", f"{more}**absolute_entries**")


def test_a_dozen_mistakes_are_read_and_no_more(tiny: Tiny) -> None:
    with_mistakes(MOST_OWN_MISTAKES)(tiny)
    assert len(tiny.weigh.words.mistakes) == 12 and problems(tiny) == []


def edit(old: str, new: str) -> Callable[[Tiny], None]:
    return lambda tiny: tiny.edit(old, new)


def reword(old: str, new: str) -> Callable[[Tiny], None]:
    return lambda tiny: tiny.reword("weigh", old, new)


def mixed(rng: torch.Generator) -> dict[str, Case]:
    """A case with a network in it."""
    return {"one": Case({"x": ModelSpec("plain", 1), "scale": 1.0})}


IMPORT = "from torch import Tensor\n"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (reword("3. So.\n", ""), "weigh does not have 3 hints"),
        (reword("5 minutes", "0 minutes"), "weigh has no minutes"),
        (reword(", difficulty 1 of 3", ""), "weigh does not say its difficulty, 1 to 3"),
        (reword("difficulty 1", "difficulty 4"), "weigh does not say its difficulty, 1 to 3"),
        (with_mistakes(13), "weigh has 13 mistakes of its own; at most 12 are read"),
        (reword("**columns**", "**first_entry**"), "two versions called first_entry"),
        (
            reword("**columns**", "**negated**"),
            "weigh: negated is shared by all exercises and has words of its own here",
        ),
        (reword("**columns** `.sum(dim=0)`", "**columns**"), "weigh: columns has no code"),
        (edit(IMPORT, f"{IMPORT}import scipy.stats\n"), ":10 imports scipy.stats, which no worker"),
        (
            edit(IMPORT, f"{IMPORT}from solutions import l05_tsne\n"),
            "write `from solutions.lNN_topic import ...`",
        ),
        (edit("Results are detached", "Results"), "results keep to “detached”, and no docstring"),
        (edit("keep the dtype", "keep"), "results keep to “dtype”, and no docstring says so"),
        (edit("the caller's tensors", "them"), "keep to “caller's tensors”, and no docstring"),
        (lambda tiny: tiny.change(inputs=mixed), "keep to “`.grad`”, and no docstring says so"),
        (edit("Add up each row", "The sum of each row"), "its docstring begins with 'The'"),
        (
            edit("Add up each row, times a number.", f"Add {'very ' * 20}much."),
            "weigh: the summary of its docstring has 109 characters",
        ),
        (edit("def peak", "def summit"), f"{STEM}.summit has a solution and no check"),
        (edit("def peak", "def summit"), f"{STEM}.peak has a check and no solution"),
        (
            lambda tiny: tiny.change(stem="l92_other"),
            f"{STEM}.weigh is declared as an exercise of l92_other",
        ),
    ],
)
def test_what_is_missing_is_said(tiny: Tiny, spoil: Callable[[Tiny], None], words: str) -> None:
    spoil(tiny)
    assert [problem for problem in problems(tiny) if words in problem], problems(tiny)


def test_another_order_is_said(tiny: Tiny) -> None:
    record = Lesson(STEM, tuple(reversed(tiny.lesson.exercises)))
    found = list(lesson_inventory(record, cut(tiny.source, STEM)))
    assert found == [f"{STEM}: checks and solutions are in different orders"]


def test_a_toolkit_module_that_no_worker_can_import_is_said(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.edit(IMPORT, f"{IMPORT}from lessons.toolkit.trees import grow\n")
    module = tmp_path / "lessons" / "toolkit" / "trees.py"
    module.parent.mkdir(parents=True)
    (tmp_path / "README.md").touch()
    monkeypatch.setattr(inventory, "ROOT", tmp_path)
    module.write_text("def grow():\n    from sklearn import tree\n")
    assert problems(tiny) == []
    module.write_text("from sklearn import tree\n")
    (problem,) = problems(tiny)
    assert problem.endswith("trees, which imports sklearn at its top level")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root in which lesson 11 has its tour and its row."""
    (tmp_path / "lessons" / LANDED).mkdir(parents=True)
    (tmp_path / "lessons" / LANDED / "tour.py").touch()
    title = next(lesson.title for lesson in inventory.LESSONS if lesson.stem == LANDED)
    (tmp_path / "README.md").write_text(f"| 11 {title} | maps |\n", encoding="utf-8")
    monkeypatch.setattr(inventory, "ROOT", tmp_path)
    return tmp_path


def files(stem: str = LANDED) -> list[str]:
    return list(inventory._lesson_files(stem, read_lesson(LANDED)))


def test_a_lesson_with_all_its_files_has_no_problem(elsewhere: Path) -> None:
    assert files() == []


def test_a_missing_tour_is_said(elsewhere: Path) -> None:
    (elsewhere / "lessons" / LANDED / "tour.py").unlink()
    (problem,) = files()
    assert problem.startswith(f"lessons/{LANDED}/tour.py is missing")


def test_a_missing_row_is_said(elsewhere: Path) -> None:
    (elsewhere / "README.md").write_text("| 12 Guided backpropagation | maps |\n")
    (problem,) = files()
    assert problem.startswith("README.md has no row “| 11 ")


def test_a_reference_without_tests_is_said(elsewhere: Path) -> None:
    tests = elsewhere / "tests" / "lessons" / LANDED
    tests.mkdir(parents=True)
    assert files() == [f"tests/lessons/{LANDED}/ has no test of the reference"]
    (tests / "test_l11_reference.py").touch()
    assert files() == []


def test_figures_that_the_story_does_not_show_are_said(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "figure_names", lambda stem: ())
    assert f"lessons/{LANDED}/figures.py draws nothing" in files()


def test_a_lesson_outside_the_catalogue_is_said() -> None:
    assert files("l91_tiny") == ["l91_tiny is not in the catalogue, autograder/course/catalogue.py"]


def test_a_lesson_without_a_story_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "story_path", lambda stem: ROOT / "nowhere" / "lesson.md")
    assert files() == [f"lessons/{LANDED}/lesson.md is missing"]

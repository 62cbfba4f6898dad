"""lesson.md is read as written, and what is wrong with it is said."""

from pathlib import Path

import pytest

from autograder.build.notebook import for_jupyter
from autograder.course.story import (
    CellBlock,
    ExerciseBlock,
    FigureBlock,
    Prose,
    parse,
    story_problems,
)

TEXT = (Path(__file__).parents[1] / "build" / "sample" / "lesson.md").read_text()
EXERCISES = ("twice", "Counter")
FIGURES = ["bars", "noise"]


def problems(text: str) -> list[str]:
    return story_problems(parse(text), EXERCISES, FIGURES, ["l90_sample"])


def test_the_sample_is_cut_into_its_blocks():
    story = parse(TEXT)
    kinds = [type(block) for block in story.blocks]
    assert (story.title, story.minutes) == ("Sample", 25)
    assert kinds == [
        Prose, FigureBlock, Prose, ExerciseBlock, CellBlock, Prose, ExerciseBlock, FigureBlock,
        Prose,
    ]  # fmt: skip
    assert story.cells == ('print("width", WIDTH)\ntwice(torch.ones(2))',)
    figure = story.blocks[1]
    assert isinstance(figure, FigureBlock)
    assert figure.alt == "Two bars: the left one is twice as tall as the right one"
    assert figure.caption == "Two numbers, drawn."


def test_nothing_of_the_prose_is_lost():
    prose = parse(TEXT).prose
    for line in (
        "$$",
        "| `x` | (N,) |",
        "    So has the answer.",
        "not run: [twice](exercise:twice)",
    ):
        assert line in prose.splitlines()


def test_the_sample_has_no_problem():
    assert problems(TEXT) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[twice](exercise:twice)\n\n```python", "```python", "twice is placed 0 times"),
        ("[Counter](exercise:Counter)", "[a](exercise:thrice)", "no exercise called thrice"),
        ("figure:noise", "figure:nose", "no function called nose"),
        ("A square of coloured noise, and one of its channels beside it", "", "needs alt text"),
        ("## Counting\n", "## Counting\nSee\n[Counter](exercise:Counter) here.\n", "stand alone"),
        ("twice(torch.ones(2))", "twice(torch.ones(2)", "does not parse"),
        ("minutes: 25", "", "needs title and minutes"),
        ("# Sample\n", "Sample\n", "heading of level 1"),
        ("## Readings", "[next](../l91_later/lesson.md)", "links to l91_later"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, says: str):
    assert old in TEXT
    assert any(says in problem for problem in problems(TEXT.replace(old, new)))


def test_exercises_in_another_order_are_a_problem():
    story = parse(TEXT.replace("exercise:twice", "x").replace("exercise:Counter", "exercise:twice"))
    swapped = TEXT.replace("exercise:twice", "X").replace("exercise:Counter", "exercise:twice")
    swapped = swapped.replace("[twice](X)\n\n```python", "[Counter](exercise:Counter)\n\n```python")
    assert story.exercises == ("twice",)
    assert any("another order" in problem for problem in problems(swapped))


def test_boxes_become_what_jupyter_shows():
    text = for_jupyter(parse(TEXT).prose)
    assert "> **Shapes**\n>\n> `x` has any shape.\n>\n> So has the answer." in text
    assert "<details><summary>Why squares?</summary>\n\nBecause of this:\n\n```python" in text
    assert "!!!" not in text and "???" not in text

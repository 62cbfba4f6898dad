"""lesson.md is read as written, and what is wrong with it is said."""

from pathlib import Path

import pytest

from autograder.course.story import (
    CellBlock,
    ExerciseBlock,
    FigureBlock,
    Prose,
    parse,
    renewed,
    story_problems,
)

TEXT = (Path(__file__).parents[1] / "build" / "sample" / "lesson.md").read_text()
TWICE = "[Exercise: twice](exercises.py#twice)"
COUNTER = "[Exercise: Counter](exercises.py#Counter)"
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
    assert story.cell_blocks[0].output == "width 3\ntensor([2., 2.])"
    figure = story.blocks[1]
    assert isinstance(figure, FigureBlock)
    assert figure.alt == "Two bars: the left one is twice as tall as the right one"
    assert figure.caption == "Two numbers, drawn."


def test_nothing_of_the_prose_is_lost():
    prose = parse(TEXT).prose
    for line in (
        "$$",
        "| `x` | (N,) |",
        "> So has the answer.",
        "1 / 0  # folded: not run",
        "not run: [Exercise: twice](exercises.py#twice)",
    ):
        assert line in prose.splitlines()


def test_the_sample_has_no_problem():
    assert problems(TEXT) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (f"{TWICE}\n\n```python", "```python", "twice is placed 0 times"),
        (COUNTER, "[a](exercises.py#thrice)", "no exercise called thrice"),
        ("noise.webp", "nose.webp", "no function called nose"),
        ("A square of coloured noise, and one of its channels beside it", "", "needs alt text"),
        ("## Counting\n", f"## Counting\nSee\n{COUNTER} here.\n", "stand alone"),
        ("## Counting\n", "## Counting\nSee ![it](pictures/bars.svg) here.\n", "stand alone"),
        ("## Counting\n", "## Counting\n\n```output\n3\n```\n", "directly below its cell"),
        ("## Counting\n", '## Counting\n\n!!! note "Box"\n    text\n', "a box on the site only"),
        ("\\sum_{i=1}", "\n- \\sum_{i=1}", "for a list"),
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
    swapped = TEXT.replace(TWICE, "X", 1).replace(COUNTER, TWICE).replace("X", COUNTER)
    assert parse(swapped).exercises == ("Counter", "twice")
    assert any("another order" in problem for problem in problems(swapped))


def test_the_text_before_an_exercises_link_is_free():
    assert parse("[연습: twice](exercises.py#twice)").exercises == ("twice",)


def test_a_renewed_story_differs_only_in_pictures_and_outputs():
    assert renewed(TEXT, {"bars": "bars.svg"}, ["width 3\ntensor([2., 2.])"]) == TEXT
    other = renewed(TEXT, {"bars": "bars.png"}, ["width 4  \n```\n"])
    assert "](pictures/bars.png\n" in other and "](pictures/noise.webp)" in other
    assert "\n\n````output\nwidth 4\n```\n````\n\n```text\n" in other
    assert parse(other).cell_blocks[0].output == "width 4\n```"
    silent = renewed(other, {}, [""])
    assert "output" not in silent and parse(silent).cell_blocks[0].output == ""
    assert renewed(silent, {"bars": "bars.svg"}, ["width 3\ntensor([2., 2.])"]) == TEXT

"""`convlens show`: a lesson's cells and figures with the student's own functions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autograder.cli.screen import Passing, output
from autograder.course.catalogue import course_lesson, find_lesson, topic
from autograder.course.pictures import pictures
from autograder.course.story import CellBlock, FigureBlock, read_story, same_output
from autograder.plain_text import plain_lines
from autograder.student.draw import Part, draw_own
from autograder.student.working_copy import WorkingCopy
from lessons.toolkit.errors import UserError, unknown

if TYPE_CHECKING:
    from rich.console import Console

Block = CellBlock | FigureBlock


def show(
    lesson: Annotated[str, typer.Argument(help="Number, stem or topic.")],
    figure: Annotated[
        str | None, typer.Argument(help="One figure; by default all, and the story's cells.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Another .py or .ipynb to draw with.")] = None,
) -> int:
    """Run a story's cells and draw its figures with your functions."""
    copy, console = WorkingCopy.find(), output()
    stem = find_lesson(lesson)
    blocks = _blocks(stem, figure)
    path = (file or copy.chosen(stem)).resolve()
    if not path.exists():
        raise UserError(f"There is no file {copy.shown(path)}.", "Check the path.")
    folder = copy.state / "figures" / stem
    title = f"Lesson {int(stem[1:3])}, {course_lesson(stem).title}"
    console.print(f"{title}, drawn with {copy.shown(path)}\n")
    passing, told, block, failed = Passing(), set[str](), blocks[0], False
    passing.say("Reading your file ...")
    try:
        for said in draw_own(copy, stem, path, [_part(block) for block in blocks], folder):
            passing.clear()
            if "begun" in said:
                block = blocks[said["begun"]]
                passing.say(f"{_name(block, blocks)} ...")
                continue
            lacks = said.get("waits") or ""
            failed = failed or ("error" in said and not lacks)
            if isinstance(block, CellBlock):
                _say_cell(console, _name(block, blocks), block, said, told)
            else:
                _say_figure(console, copy, stem, block.name, said)
            told |= {lacks} - {""}
    finally:
        passing.clear()
    if told:
        console.print(f"\nNext: convlens check {topic(stem)}", style="bold")
    return 1 if failed else 0


def _blocks(stem: str, figure: str | None) -> list[Block]:
    story = read_story(stem)
    if figure is not None and figure not in story.figures:
        raise unknown(f"figure in {stem}", figure, story.figures)
    return [
        block
        for block in story.blocks
        if (isinstance(block, FigureBlock) and figure in (None, block.name))
        or (isinstance(block, CellBlock) and figure is None)
    ]


def _part(block: Block) -> Part:
    return ("cell", block.code) if isinstance(block, CellBlock) else ("figure", block.name)


def _name(block: Block, blocks: list[Block]) -> str:
    if isinstance(block, FigureBlock):
        return block.name
    cells = [other for other in blocks if isinstance(other, CellBlock)]
    return f"cell {1 + next(n for n, other in enumerate(cells) if other is block)}"


def _say_cell(
    console: Console, name: str, cell: CellBlock, said: dict[str, Any], told: set[str]
) -> None:
    if "error" in said:
        if lacks := said["waits"]:
            why = f"waits for {lacks}, which is not written yet"
        elif told and said["error"].startswith("NameError"):
            why = "needs what an earlier cell would have made"
        else:
            why = f"fails: {plain_lines(said['error'])[0]}"
        console.print(f"{name} {why}")
        return
    console.print(f"{name} prints:")
    lines = plain_lines(said["output"], most=40)
    for line in lines:
        console.print(f"  {line}", soft_wrap=True)
    if not same_output("\n".join(lines), "\n".join(plain_lines(cell.output, most=40))):
        console.print("  in lesson.md, by the reference:", style="dim")
        for line in cell.output.splitlines():
            console.print(f"  {line}", style="dim", soft_wrap=True)


def _say_figure(
    console: Console, copy: WorkingCopy, stem: str, name: str, said: dict[str, Any]
) -> None:
    if "file" in said:
        console.print(f"{name}: {copy.shown(Path(said['file']))}")
        return
    if lacks := said["waits"]:
        console.print(f"{name} waits for {lacks}, which is not written yet")
    else:
        console.print(f"{name} cannot be drawn: {plain_lines(said['error'])[0]}")
    if there := pictures(stem).get(name):
        console.print(f"  drawn by the reference: {copy.shown(there.path)}")

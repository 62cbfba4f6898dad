"""Read `lesson.md`, a lesson's story with exercises, figures and runnable cells.

The file is Markdown that reads as it is, in an editor and on GitHub: figures are its pictures, an
exercise is a link to the file where it is written, and what a cell prints stands below it.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from autograder.course.reference import ROOT

_FIGURE = re.compile(
    r"(?:<!-- live: (?P<live>[\w-]+) -->\n)?"
    r"!\[(?P<alt>.*)\]"
    r'\((?P<file>pictures/(?P<name>\w+)\.(?:svg|png|webp))(?:\s+"(?P<caption>.*)")?\)',
    re.DOTALL,
)
_EXERCISE = re.compile(r"\[[^\]]*\]\(exercises\.py#(?P<name>\w+)\)")
_FENCE = re.compile(r"(?P<indent> *)(?P<ticks>`{3,}|~{3,})(?P<language>.*)")
_FOLD, _FOLD_END = "<details", "</details>"
_STRAY = re.compile(r"\]\((pictures/\w+\.\w+|exercises\.py#\w*)")
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]\d+)?")
_LINK = re.compile(r"\]\(\.\./(l\d\d_\w+)/lesson\.md")


@dataclass(frozen=True)
class Prose:
    """Markdown that is passed on unchanged."""

    text: str


@dataclass(frozen=True)
class FigureBlock:
    """A picture made by a function of the lesson's `figures.py`.

    Args:
        name: the function.
        alt: what one sees, for a reader who does not.
        caption: the line below.
        live: what it becomes on the site, where a reader can touch it; "" where it stays.
    """

    name: str
    alt: str
    caption: str
    live: str = ""


@dataclass(frozen=True)
class ExerciseBlock:
    """The place of an exercise."""

    name: str


@dataclass(frozen=True)
class CellBlock:
    """Code that a reader can run, and what it prints with the reference."""

    code: str
    output: str = ""


Block = Prose | FigureBlock | ExerciseBlock | CellBlock


@dataclass(frozen=True)
class Story:
    """A lesson's front matter and its blocks, in order."""

    title: str
    minutes: int
    blocks: tuple[Block, ...]

    @property
    def exercises(self) -> tuple[str, ...]:
        """Names of the placed exercises, in order."""
        return tuple(block.name for block in self.blocks if isinstance(block, ExerciseBlock))

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the placed figures, in order."""
        return tuple(block.name for block in self.blocks if isinstance(block, FigureBlock))

    @property
    def cell_blocks(self) -> tuple[CellBlock, ...]:
        """Runnable cells, in order."""
        return tuple(block for block in self.blocks if isinstance(block, CellBlock))

    @property
    def cells(self) -> tuple[str, ...]:
        """Code of the runnable cells, in order."""
        return tuple(block.code for block in self.cell_blocks)

    @property
    def prose(self) -> str:
        """Text outside exercises, figures and cells."""
        return "\n\n".join(block.text for block in self.blocks if isinstance(block, Prose))


def story_path(stem: str, language: str = "en") -> Path:
    """Return the path of a lesson's story.

    It is `lesson.md`, or for example `lesson.ko.md` for another language.
    """
    name = "lesson.md" if language == "en" else f"lesson.{language}.md"
    return ROOT / "lessons" / stem / name


@cache
def _read(path: Path, changed: int) -> Story:
    return parse(path.read_text(encoding="utf-8"))


def read_story(stem: str, language: str = "en") -> Story:
    """Read the story of a lesson.

    Raises:
        FileNotFoundError: it has not been written.
    """
    path = story_path(stem, language)
    return _read(path, path.stat().st_mtime_ns)


def parse(text: str) -> Story:
    """Cut the text of a `lesson.md` into blocks.

    >>> parse("# Hooks\\n\\n[Exercise: look](exercises.py#look)\\n").exercises
    ('look',)
    """
    settings, start = _front_matter(text)
    blocks: list[Block] = []
    prose: list[str] = []
    for paragraph in _paragraphs(text.splitlines(), start):
        output = _fenced(paragraph.text, "output")
        if output is not None and not prose and blocks and isinstance(blocks[-1], CellBlock):
            blocks[-1] = CellBlock(blocks[-1].code, output)
            continue
        block = _directive(paragraph.text)
        if block is None:
            prose.append(paragraph.text)
            continue
        if prose:
            blocks.append(Prose("\n\n".join(prose)))
            prose = []
        blocks.append(block)
    if prose:
        blocks.append(Prose("\n\n".join(prose)))
    minutes = settings.get("minutes", "")
    return Story(settings.get("title", ""), int(minutes) if minutes.isdigit() else 0, tuple(blocks))


def renewed(text: str, files: dict[str, str], outputs: Iterable[str]) -> str:
    """Return a story's text with the pictures and outputs of its latest drawing.

    Args:
        text: of a `lesson.md`.
        files: names of the pictures' files, by figure.
        outputs: what its cells print, in order.
    """
    lines = text.splitlines()
    found = list(_paragraphs(lines, _front_matter(text)[1]))
    prints = iter(outputs)
    made: list[str] = []
    done = 0
    for paragraph, after in zip(found, [*found[1:], None], strict=True):
        block = _directive(paragraph.text)
        if isinstance(block, FigureBlock) and block.name in files:
            made += lines[done : paragraph.start]
            file = f"](pictures/{files[block.name]}"
            made += re.sub(r"\]\(pictures/\w+\.\w+", file, paragraph.text).split("\n")
            done = paragraph.end
        elif isinstance(block, CellBlock):
            made += lines[done : paragraph.end]
            made += _output_fence(next(prints))
            there = after is not None and _fenced(after.text, "output") is not None
            done = after.end if there and after else paragraph.end
    return "\n".join([*made, *lines[done:]]) + "\n"


def _output_fence(output: str) -> list[str]:
    lines = [line.rstrip() for line in output.splitlines()]
    ticks = max((len(run) for run in re.findall(r"`{3,}", output)), default=2) + 1
    return ["", "`" * ticks + "output", *lines, "`" * ticks] if lines else []


def _front_matter(text: str) -> tuple[dict[str, str], int]:
    """Return the settings above a story, and the number of their lines."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        return {}, 0
    end = next((n for n, line in enumerate(lines[1:], 1) if line.strip() == "---"), 0)
    pairs = (line.partition(":") for line in lines[1:end])
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}, end + 1


class _Paragraph(NamedTuple):
    """A run of lines that belong together, and where it stands among them."""

    text: str
    start: int
    end: int


def _paragraphs(lines: list[str], start: int) -> Iterator[_Paragraph]:
    """Yield the runs of lines between blank lines, from line `start` on.

    A fenced block is one, and so is a folded one, whatever stands in them.
    """
    begun = start
    fence = ""  # what the open block ends with: its ticks, or a tag

    def run(end: int) -> Iterator[_Paragraph]:
        if end > begun:
            yield _Paragraph("\n".join(lines[begun:end]), begun, end)

    for number, line in enumerate(lines[start:], start):
        mark = _FENCE.fullmatch(line)
        if fence == _FOLD_END:
            ends = line.strip() == _FOLD_END
        elif fence:
            ends = bool(mark and mark["ticks"].startswith(fence) and not mark["language"].strip())
            if ends and mark and mark["indent"]:
                fence, ends = "", False
        elif mark or line.startswith(_FOLD):
            fence = mark["ticks"] if mark else _FOLD_END
            if mark is None or not mark["indent"]:
                yield from run(number)
                begun = number
            continue
        else:
            ends = False
            if not line.strip():
                yield from run(number)
                begun = number + 1
        if ends:
            fence = ""
            yield from run(number + 1)
            begun = number + 1
    yield from run(len(lines))


def _directive(paragraph: str) -> Block | None:
    if figure := _FIGURE.fullmatch(paragraph.strip()):
        alt, caption = (" ".join((figure[key] or "").split()) for key in ("alt", "caption"))
        return FigureBlock(figure["name"], alt, caption, figure["live"] or "")
    if exercise := _EXERCISE.fullmatch(paragraph.strip()):
        return ExerciseBlock(exercise["name"])
    code = _fenced(paragraph, "python")
    return None if code is None else CellBlock(code)


def _fenced(paragraph: str, language: str) -> str | None:
    """Return what a fenced block of that language holds, or None where it is none."""
    first, *rest = paragraph.split("\n")
    mark = _FENCE.fullmatch(first)
    if mark and not mark["indent"] and mark["language"].strip() == language:
        return "\n".join(rest[:-1])
    return None


def same_output(ours: str, theirs: str) -> bool:
    """Compare what two runs of a cell printed, up to the rounding of its numbers.

    >>> same_output("off by 9.5e-06\\n", "off by 7.6e-06"), same_output("3 rows", "4 rows")
    (True, False)
    """
    says, prints = (
        "\n".join(line.rstrip() for line in text.splitlines()) for text in (ours, theirs)
    )
    if _NUMBER.sub("#", says) != _NUMBER.sub("#", prints):
        return False
    pairs = zip(_NUMBER.findall(says), _NUMBER.findall(prints), strict=True)
    numbers = ([float(number.replace(",", "")) for number in pair] for pair in pairs)
    return all(math.isclose(a, b, rel_tol=0.05, abs_tol=0.02) for a, b in numbers)


def linked_stems(story: Story) -> set[str]:
    """Return the stems of the lessons that this story links to."""
    return set(_LINK.findall(story.prose))


def figure_names(stem: str) -> list[str]:
    """Return the functions of the lesson's `figures.py`.

    Those that start with an underscore are left out.
    """
    path = ROOT / "lessons" / stem / "figures.py"
    if not path.exists():
        return []
    body = ast.parse(path.read_text(encoding="utf-8")).body
    names = [node.name for node in body if isinstance(node, ast.FunctionDef)]
    return [name for name in names if not name.startswith("_")]


def story_problems(
    story: Story, exercises: tuple[str, ...], figures: list[str], landed: list[str]
) -> list[str]:
    """Return what is wrong with a story, one sentence each.

    Args:
        story: the parsed text.
        exercises: names of the lesson's exercises.
        figures: names of the functions in its `figures.py`.
        landed: lessons that a link may lead to.
    """
    found: list[str] = []
    if not story.title or not story.minutes:
        found.append("the front matter needs title and minutes")
    if not story.prose.lstrip().startswith("# "):
        found.append("the story starts with a heading of level 1")
    for name in exercises:
        times = story.exercises.count(name)
        if times != 1:
            found.append(f"exercise {name} is placed {times} times; once is asked")
    found += [f"there is no exercise called {n}" for n in story.exercises if n not in exercises]
    if tuple(n for n in story.exercises if n in exercises) != exercises and not found:
        found.append("the exercises stand in another order than in the solution")
    for block in story.blocks:
        if isinstance(block, FigureBlock):
            if block.name not in figures:
                found.append(f"figures.py has no function called {block.name}")
            if len(block.alt) < 10:
                found.append(f"figure {block.name} needs alt text that says what one sees")
        elif isinstance(block, CellBlock):
            try:
                ast.parse(block.code)
            except SyntaxError as error:
                found.append(f"a runnable cell does not parse: {error}")
    for stray in _STRAY.findall(_without_code(story.prose)):
        found.append(f"{stray} must stand alone in its paragraph")
    if re.search(r"^(`{3,}|~{3,})output", story.prose, re.MULTILINE):
        found.append("an output stands directly below its cell")
    if box := re.search(r"^(!!!|\?\?\?).*", _without_code(story.prose), re.MULTILINE):
        found.append(f"“{box[0]}” is a box on the site only: write a quote or <details>")
    for formula in re.findall(r"^\$\$$(.*?)^\$\$$", story.prose, re.MULTILINE | re.DOTALL):
        if mark := re.search(r"^ *([-+*>#]) .*", formula, re.MULTILINE):
            found.append(
                f"GitHub takes “{mark[0].strip()}” for a list: end the line before with it"
            )
    found += [f"it links to {s}, which has not landed" for s in linked_stems(story) - set(landed)]
    return found


def _without_code(text: str) -> str:
    text = re.sub(r"^ *(`{3,}|~{3,}).*?^ *\1", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)

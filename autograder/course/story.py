"""Read `lesson.md`, a lesson's story with exercises, figures and runnable cells."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from autograder.course.reference import ROOT

_FIGURE = re.compile(
    r'!\[(?P<alt>.*)\]\(figure:(?P<name>\w+)(?:\s+"(?P<caption>.*)")?\)', re.DOTALL
)
_EXERCISE = re.compile(r"\[[^\]]*\]\(exercise:(?P<name>\w+)\)")
_FENCE = re.compile(r"(?P<indent> *)(?P<ticks>`{3,}|~{3,})(?P<language>.*)")
_LINK = re.compile(r"\]\(\.\./(l\d\d_\w+)/lesson\.md")


@dataclass(frozen=True)
class Prose:
    """Markdown that is passed on unchanged."""

    text: str


@dataclass(frozen=True)
class FigureBlock:
    """A picture made by a function of the lesson's `figures.py`."""

    name: str
    alt: str
    caption: str


@dataclass(frozen=True)
class ExerciseBlock:
    """The place of an exercise."""

    name: str


@dataclass(frozen=True)
class CellBlock:
    """Code that a reader can run."""

    code: str


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
    def cells(self) -> tuple[str, ...]:
        """Code of the runnable cells, in order."""
        return tuple(block.code for block in self.blocks if isinstance(block, CellBlock))

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

    >>> parse("# Hooks\\n\\n[look](exercise:look)\\n").exercises
    ('look',)
    """
    settings, body = _front_matter(text)
    blocks: list[Block] = []
    prose: list[str] = []
    for paragraph in _paragraphs(body):
        block = _directive(paragraph)
        if block is None:
            prose.append(paragraph)
            continue
        if prose:
            blocks.append(Prose("\n\n".join(prose)))
            prose = []
        blocks.append(block)
    if prose:
        blocks.append(Prose("\n\n".join(prose)))
    minutes = settings.get("minutes", "")
    return Story(settings.get("title", ""), int(minutes) if minutes.isdigit() else 0, tuple(blocks))


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        return {}, text
    end = next((n for n, line in enumerate(lines[1:], 1) if line.strip() == "---"), 0)
    pairs = (line.partition(":") for line in lines[1:end])
    settings = {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}
    return settings, "\n".join(lines[end + 1 :])


def _paragraphs(text: str) -> list[str]:
    """Return the runs of lines between blank lines.

    A fenced block is one, whatever stands in it.
    """
    found: list[list[str]] = [[]]
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.fullmatch(line)
        if fence:
            found[-1].append(line)
            if mark and mark["ticks"].startswith(fence) and not mark["language"].strip():
                fence = ""
                if not mark["indent"]:
                    found.append([])
        elif mark:
            fence = mark["ticks"]
            if not mark["indent"]:
                found.append([])
            found[-1].append(line)
        elif line.strip():
            found[-1].append(line.rstrip())
        else:
            found.append([])
    return ["\n".join(lines) for lines in found if lines]


def _directive(paragraph: str) -> Block | None:
    if figure := _FIGURE.fullmatch(paragraph.strip()):
        alt, caption = (" ".join((figure[key] or "").split()) for key in ("alt", "caption"))
        return FigureBlock(figure["name"], alt, caption)
    if exercise := _EXERCISE.fullmatch(paragraph.strip()):
        return ExerciseBlock(exercise["name"])
    first, *rest = paragraph.split("\n")
    mark = _FENCE.fullmatch(first)
    if mark and not mark["indent"] and mark["language"].strip() == "python":
        return CellBlock("\n".join(rest[:-1]))
    return None


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
    for stray in re.findall(r"\]\(((?:figure|exercise):\w*)", _without_code(story.prose)):
        found.append(f"{stray} must stand alone in its paragraph")
    found += [f"it links to {s}, which has not landed" for s in linked_stems(story) - set(landed)]
    return found


def _without_code(text: str) -> str:
    text = re.sub(r"^ *(`{3,}|~{3,}).*?^ *\1", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)

"""The map of techniques, one picture of links, and their comparison in numbers."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib import get_data_path
from PIL import ImageFont

from autograder.build.site.course import Course, SiteLesson
from autograder.course.reference import ROOT
from autograder.course.techniques import techniques
from lessons.toolkit.errors import UserError

RECORDS = ROOT / "site" / "techniques.yml"
DATA = ROOT / "lessons" / "l15_debugging" / "pictures" / "comparison.json"
PLACE = "techniques.md"
# Of the drawing, in CSS pixels. A phone has a drawing of its own, so that its words stay legible.
WIDE, NARROW = 900, 310
GUTTER, ROW, GAP, INSET = 92, 30, 6, 10
NAME_SIZE, PART_SIZE = 13, 15
INTRODUCTION = (
    "Each name is a link to the exercise in which you write the technique. A line joins a lesson "
    "with those that it says you need. Where a disc stands before a name, lesson 15 has measured "
    "how much the map changes with the question: a full one belongs to a map that is another for "
    "another class, an empty one to a map that is the same."
)
_NEEDS = re.compile(r"\*\*You need\*\*(.*?)(?=\n- \*\*)", re.DOTALL)
_LESSONS = re.compile(r"lessons?\s(\d+)((?:(?:,| and| to|, and)\s\d+)*)")


@dataclass(frozen=True)
class Entry:
    """A technique of the map.

    Args:
        name: in the field.
        stem: the lesson where it is written.
        exercise: and the exercise there.
        asks: the question that it answers.
        misleads: where it does.
        measured: its row of lesson 15's data; None where it has none.
        needs, resolution: in a few words, of what is measured.
        has_sign: whether its own result has one.
        on_map: False for what is only compared with.
    """

    name: str
    stem: str
    exercise: str
    asks: str
    misleads: str
    measured: dict[str, Any] | None = None
    needs: str = ""
    resolution: str = ""
    has_sign: bool = False
    on_map: bool = True

    @property
    def page(self) -> str:
        """Return the address of its heading."""
        return f"lessons/{self.stem}.md#{self.exercise}"


def pages(course: Course) -> dict[str, str | bytes | Path]:
    """Return the map of techniques, where all of its lessons have landed."""
    stems = {lesson.stem for lesson in course.lessons}
    found = entries() if DATA.exists() else ()
    if not found or not {entry.stem for entry in found} <= stems:
        later = "Its lessons have not landed yet.\n"  # under the heading that other pages name
        return {PLACE: f"# Map of techniques\n\n## The comparison\n\n{later}"}
    rows = [entry for entry in found if entry.measured]
    others = [entry for entry in found if not entry.measured]
    return {
        PLACE: "\n\n".join(
            [
                "---\ntitle: Map of techniques\nhide:\n  - navigation\n  - toc\n---",
                "# Map of techniques",
                INTRODUCTION,
                drawing(course, found, WIDE),
                drawing(course, found, NARROW),
                "## The comparison",
                _how_measured(),
                _compared(rows),
                "## The others",
                "They draw no map of a class, so they have no place in the comparison.",
                _others(others),
            ]
        )
        + "\n"
    }


@cache
def data() -> dict[str, Any]:
    """Return what lesson 15 has measured."""
    found: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return found


@cache
def entries() -> tuple[Entry, ...]:
    """Return the techniques with their tour's words and their numbers.

    Raises:
        UserError: one names a record of the tour, or a row of the data, that is not there.
    """
    told = {(stem, technique.title): technique for stem, technique in techniques()}
    numbers = {row["name"]: row for row in data()["methods"]}
    found = []
    for record in _records():
        stem, _, exercise = record["at"].partition(".")
        try:
            tour = told[stem, record["tour"]] if "tour" in record else None
            measured = numbers[record["measured"]] if "measured" in record else None
        except KeyError as error:
            raise UserError(
                f"{RECORDS.name}: {record['name']} names {error}, which is not there.",
                "Name a technique of the lesson's tour.py, and a row of comparison.json.",
            ) from error
        found.append(
            Entry(
                record["name"],
                stem,
                exercise,
                tour.question if tour else record["asks"],
                tour.misleads if tour else record["misleads"],
                measured,
                record.get("needs", ""),
                record.get("resolution", ""),
                record.get("signed", False),
                record.get("map", True),
            )
        )
    return tuple(found)


@cache
def names() -> dict[str, list[str]]:
    """Return the techniques of the map, by the exercise in which one is written."""
    found: dict[str, list[str]] = {}
    for record in _records():
        if record.get("map", True):
            found.setdefault(record["at"], []).append(record["name"])
    return found


def _records() -> list[dict[str, Any]]:
    import yaml  # comes with MkDocs

    records: list[dict[str, Any]] = yaml.safe_load(RECORDS.read_text(encoding="utf-8"))
    return records


def needed(lesson: SiteLesson) -> list[int]:
    """Return the numbers of the lessons that a lesson's story says one needs."""
    told = _NEEDS.search(lesson.story.prose)
    found: set[int] = set()
    for first, rest in _LESSONS.findall(told[1] if told else ""):
        last = int(first)
        found.add(last)
        for word, number in re.findall(r"(,|and|to)\s(\d+)", rest):
            found |= set(range(last, int(number) + 1)) if word == "to" else {int(number)}
            last = int(number)
    return sorted(number for number in found if number < lesson.entry.number)


def follows(row: dict[str, Any]) -> float:
    """Return how far a map follows the question, 0 where it is the same."""
    return min(1.0, max(0.0, 1 - float(row["photo"]["two classes"])))


# The drawing


def drawing(course: Course, found: tuple[Entry, ...], width: int) -> str:
    """Return the map as SVG of a width, every technique a link.

    Args:
        course: the lessons, whose parts and needs make its order and its lines.
        found: what to place.
        width: in CSS pixels; names go on in the next row where it ends.
    """
    marks: list[str] = []
    heights: dict[int, float] = {}
    beside = GUTTER + 2 * GAP + max(_width(entry) for entry in found if entry.on_map)
    y = 0.0
    for part, lessons in course.parts():
        y += PART_SIZE + (24 if marks else 4)
        marks.append(f'<text class="part" x="{GUTTER}" y="{y:g}">{html.escape(part)}</text>')
        y += 4
        for lesson in lessons:
            number = lesson.entry.number
            y += ROW
            heights[number] = y - 5
            marks.append(_heading(lesson, y))
            own = [entry for entry in found if entry.stem == lesson.stem and entry.on_map]
            for line in _lines(own, 0 if width == WIDE else width - GUTTER):
                y += ROW
                marks += [_pill(entry, GUTTER + x, y, across) for entry, x, across in line]
                if width == WIDE:  # there is room for what it asks
                    asks = html.escape(line[0][0].asks)
                    marks.append(f'<text class="asks" x="{beside:g}" y="{y - 2.5:g}">{asks}</text>')
            y += 8
    arcs = [_arc(heights, lesson, other) for lesson in course.lessons for other in needed(lesson)]
    kind = "wide" if width == WIDE else "narrow"
    return (
        f'<figure class="drawing map {kind}" data-search-exclude="">'
        f'<svg viewBox="0 0 {width} {y + 8:g}" width="{width}" height="{y + 8:g}" role="group" '
        f'aria-label="Map of techniques, by lessons">'
        f'<g class="arcs" aria-hidden="true">{"".join(arcs)}</g>{"".join(marks)}</svg></figure>'
    )


def _heading(lesson: SiteLesson, y: float) -> str:
    number, needs = lesson.entry.number, needed(lesson)
    said = f"{number} {lesson.story.title}"
    if needs:
        said += f", needs lesson{'s' if len(needs) > 1 else ''} {', '.join(map(str, needs))}"
    return (
        f'<a href="lessons/{lesson.stem}.md" class="lesson" aria-label="{html.escape(said)}">'
        f'<circle cx="{GUTTER - 16}" cy="{y - 5:g}" r="11"></circle>'
        f'<text class="number" x="{GUTTER - 16}" y="{y - 1:g}">{number}</text>'
        f' <text class="title" x="{GUTTER}" y="{y:g}">{html.escape(lesson.story.title)}</text></a>'
    )


def _arc(heights: dict[int, float], lesson: SiteLesson, other: int) -> str:
    """Return a line from a lesson to one that it needs, the further the wider."""
    start, end = heights[lesson.entry.number], heights[other]
    reach = (start - end) / (max(heights.values()) - min(heights.values()))
    x = GUTTER - 28
    out = x * (1 - reach**0.5)
    return f'<path d="M{x} {start:g}C{out:.1f} {start:g} {out:.1f} {end:g} {x} {end:g}"></path>'


def _pill(entry: Entry, x: float, y: float, across: float) -> str:
    said, disc, indent = f"{entry.name}. {entry.asks}", "", 0.0
    if entry.measured:
        number = _number(entry.measured["photo"]["two classes"])
        said += f" Rank correlation of its maps for two classes: {number}."
        indent = _DISC
        disc = (
            f'<circle class="disc" cx="{x + INSET + 4:g}" cy="{y - 7:g}" r="5"></circle>'
            f'<circle class="follows" cx="{x + INSET + 4:g}" cy="{y - 7:g}" '
            f'r="{5 * follows(entry.measured) ** 0.5:.1f}"></circle>'
        )
    return (
        f'<a href="{entry.page}" class="technique" aria-label="{html.escape(said)}">'
        f'<rect x="{x:g}" y="{y - ROW + GAP + 5:g}" width="{across:g}" '
        f'height="{ROW - GAP}" rx="12"></rect>{disc}'
        f'<text x="{x + INSET + indent:g}" y="{y - 2.5:g}">{html.escape(entry.name)}</text></a>'
    )


_DISC = 15.0


def _lines(own: list[Entry], width: float) -> Iterator[list[tuple[Entry, float, float]]]:
    """Yield lines of techniques with the place and width of each."""
    line: list[tuple[Entry, float, float]] = []
    x = 0.0
    for entry in own:
        across = _width(entry)
        if line and x + across > width:
            yield line
            line, x = [], 0.0
        line.append((entry, x, across))
        x += across + GAP
    if line:
        yield line


def _width(entry: Entry) -> float:
    return text_width(entry.name) + 2 * INSET + (_DISC if entry.measured else 0)


@cache
def text_width(text: str) -> float:
    """Return the width of words in a font that is wider than those of most readers."""
    file = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return round(ImageFont.truetype(str(file), NAME_SIZE).getlength(text), 1)


# The tables


def _how_measured() -> str:
    photo, scenes = data()["photo"], data()["scenes"]
    area = f"{100 * scenes['area of the object']:.0f}\u00a0%"
    return (
        "All numbers are from [lesson 15](lessons/l15_debugging.md#comparison), which measures "
        "them anew when its pictures are drawn. *Two classes*: the rank correlation of the maps "
        f"for “{photo['target']}” and “{photo['other']}”, on one picture of both; 1 is the same "
        "map. *Random weights*: of the maps of the trained network and of one that has learnt "
        f"nothing. The second number is the same on {scenes['count']} scenes, where the other "
        "class has the other shape and all else alike. *Hit*: the map's largest value is on the "
        f"true object, which covers {area} of a scene. *Time* of one map: one forward and one "
        "backward pass is 1.\n\n"
        "No column decides alone. Read the two last rows first: they know nothing of the network."
    )


TESTS = ("two classes", "random weights")
HEAD = (
    "technique",
    "asks",
    "needs",
    "resolution",
    "signed",
    "two classes",
    "random weights",
    "hit",
    "time",
    "where it misleads",
)


def _compared(rows: list[Entry]) -> str:
    lines = [_row(HEAD), _row("---" if n < 5 or n > 8 else "--:" for n in range(len(HEAD)))]
    lines += [_row(cells(entry)) for entry in rows]
    return '<div class="comparison" markdown="1">\n\n' + "\n".join(lines) + "\n\n</div>"


def cells(entry: Entry) -> list[str]:
    """Return a technique's cells of the comparison, in the order of `HEAD`."""
    assert entry.measured
    photo, scenes = entry.measured["photo"], entry.measured["scenes"]
    both = [(_number(photo[test]), _number(scenes[test])) for test in TESTS]
    return [
        f"[{entry.name}]({entry.page})",
        entry.asks,
        entry.needs,
        entry.resolution,
        "yes" if entry.has_sign else "no",
        *(" <br>".join(pair) for pair in both),
        f"{100 * scenes['pointing game']:.0f}\u00a0%",
        "< 0.01" if photo["time"] < 0.01 else f"{photo['time']:g}",
        entry.misleads,
    ]


def _number(correlation: float | None) -> str:
    return "none" if correlation is None else f"{correlation:+.3f}".replace("-", "−")


def _others(rows: list[Entry]) -> str:
    lines = [_row(("technique", "asks", "where it misleads")), _row(["---"] * 3)]
    lines += [_row((f"[{e.name}]({e.page})", e.asks, e.misleads)) for e in rows]
    return "\n".join(lines)


def _row(texts: Any) -> str:
    return f"| {' | '.join(texts)} |"

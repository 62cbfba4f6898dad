"""The papers that lessons name."""

from __future__ import annotations

from pathlib import Path

from autograder.build.site.course import Course
from autograder.build.site.links import READINGS, papers

PLACE = "reference/papers.md"


def pages(course: Course) -> dict[str, str | bytes | Path]:
    """Return the list of papers, each with the lessons whose readings name it."""
    read = [
        (lesson, " ".join(lesson.story.prose.partition(READINGS)[2].split()).lower())
        for lesson in course.lessons
    ]
    lines = []
    for paper in sorted(papers(), key=lambda paper: (paper.by.lower(), paper.year)):
        title = f"[*{paper.title}*]({paper.url})" if paper.url else f"*{paper.title}*"
        printed = f", {paper.printed}" if paper.printed else ""
        short = paper.title.partition(":")[0].lower()
        places = [
            f"[{lesson.entry.number}](../lessons/{lesson.stem}.md#readings)"
            for lesson, text in read
            if f"*{short}" in text
        ]
        where = f" Lesson{'s' if len(places) > 1 else ''} {', '.join(places)}." if places else ""
        lines.append(f"- {paper.by} ({paper.year}). {title}{printed}.{where}")
    head = "---\ntitle: Papers\n---\n\n# Papers\n\nWhat the lessons read, by first author.\n\n"
    return {PLACE: head + "\n".join(lines) + "\n"}

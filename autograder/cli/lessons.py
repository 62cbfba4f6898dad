"""`convlens lessons`: a list of the lessons, with the student's progress."""

from __future__ import annotations

from autograder.cli.screen import bar, output
from autograder.course.catalogue import landed
from autograder.student.progress import Progress
from autograder.student.working_copy import WorkingCopy


def lessons() -> int:
    """List the lessons with your progress."""
    copy = WorkingCopy.find()
    progress, console = Progress(copy.state), output()
    points = 0.0
    for lesson in landed():
        ids = [f"{lesson.stem}.{name}" for name in lesson.exercises]
        points += sum(progress.of(exercise).get("points", 0.0) for exercise in ids)
        done = sum(progress.passes(exercise) for exercise in ids)
        name = f"{lesson.title}, {lesson.minutes} minutes"
        line = f"{lesson.number:02}  {lesson.topic:22} {bar(done, len(ids), 14):22} {name}"
        console.print(line, style="green" if done == len(ids) else "")
    console.print(f"\n{points:g} points. Work on one: convlens check LESSON --watch")
    return 0

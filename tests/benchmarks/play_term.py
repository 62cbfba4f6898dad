"""Play a term through: three lessons, twenty students, nbgrader itself, and every export.

    python tests/benchmarks/play_term.py term

Whatever is not as it should be ends it with an error. The folder stays, for a person to look at.
"""

from __future__ import annotations

import argparse
import copy
import csv
import html
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "grading"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "build" / "site"))

from nbgrader_course import UNTIDY, Course, Notebook, cell, environment, hostile
from synthetic import chunk_text, textual_mistakes
from unnamed import GREY

from autograder.course.reference import for_students, read_lesson, without_markers

STEMS = ("l10_occlusion", "l11_saliency", "l14_grad_cam")
LESSON = "l11_saliency"
DUE = "2026-11-20 18:00 UTC"
ON_TIME, LATE = "2026-11-19 12:00:00 UTC", "2026-11-22 09:30:00 UTC"
# Id, which is the name of the folder; last name; first name; e-mail address.
CLASS = (
    ("ada", "Lovelace", "Ada", "ada@uni.de"),
    ("O'Neill", "O'Neill", "Seán", "sean@uni.ie"),
    ("Müller", "Müller", "Jürgen", "jm@uni.de"),
    ("김민수", "김", "민수", "minsu@uni.kr"),
    # nbgrader's own export quotes nothing, so no comma stands in these.
    ("=cmd()", '=cmd() "x"', "y z", "eve@uni.de"),
    ("half", "Half", "Way", "half@uni.de"),
    ("mean", "Mean", "Taken", "mean@uni.de"),
    ("loss", "Lost", "Gradient", "loss@uni.de"),
    ("untidy", "Untidy", "Una", "una@uni.de"),
    ("ann", "Grey", "Ann", "ann@uni.de"),
    ("ben", "Grey", "Ben", "ben@uni.de"),
    ("fin", "Grey", "Fin", "fin@uni.de"),
    ("hal", "Grey", "Hal", "hal@uni.de"),
    ("broken", "Broken", "Cell", "broken@uni.de"),
    ("deleter", "Deleter", "Dee", "dee@uni.de"),
    ("twice", "Twice", "Tom", "tom@uni.de"),
    ("mallory", "Mallory", "M", "mallory@uni.de"),
    ("late", "Late", "Lea", "lea@uni.de"),
    ("blank", "Blank", "Bo", "bo@uni.de"),
    ("nobody", "Nobody", "No", "no@uni.de"),
)
ABSENT = {"nobody": STEMS, "김민수": STEMS[:1]}  # who hands nothing in of which lessons
GREYS = ("ann", "ben", "fin", "hal")
TIMES: list[tuple[str, float, str]] = []


def main() -> None:
    """Play it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a new folder")
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True)
    course = Course(folder / "course")
    released(course)
    stock = Course(Path(shutil.copytree(course.root, folder / "stock")))
    class_hands_in(course)
    autograded(course)
    first = {student: points(course, student) for student, *_ in CLASS}
    earned(course, first)
    half_comes_again(course)
    graded_again(course)
    same_by_both_ways(course, folder)
    exported(course, folder)
    beside_stock(course, stock)
    looked_at(folder)
    print("\n| step | seconds | |\n|---|---:|---|")
    for name, seconds, note in TIMES:
        print(f"| {name} | {seconds:.1f} | {note} |")


def timed(name: str, run: Callable[[], Any], count: int = 0) -> Any:
    """Run something, and note how long it took."""
    started = time.perf_counter()
    found = run()
    seconds = time.perf_counter() - started
    TIMES.append((name, seconds, f"{seconds / count:.2f} s each of {count}" if count else ""))
    print(f"{seconds:7.1f} s  {name}", flush=True)
    return found


def convlens(folder: Path, *words: str, ends: tuple[int, ...] = (0,)) -> str:
    """Run our command line."""
    done = subprocess.run(
        [sys.executable, "-m", "autograder.cli.main", *words],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    said = done.stdout + done.stderr
    (folder / "said.log").open("a").write(f"$ convlens {' '.join(words)}\n{said}\n")
    assert done.returncode in ends, (words, done.returncode, said)
    return said


def nbgrader(course: Course, *words: str) -> str:
    done = course.nbgrader(*words)
    said = done.stdout + done.stderr
    (course.root.parent / "said.log").open("a").write(f"$ nbgrader {' '.join(words)}\n{said}\n")
    assert done.returncode == 0, (words, said[-3000:])
    assert "no torch" in said.splitlines(), words
    return said


def released(course: Course) -> None:
    lessons = [word for stem in STEMS for word in ("--lesson", stem, "--due", f"{stem}={DUE}")]
    course.root.parent.mkdir(exist_ok=True)
    timed("convlens release", lambda: convlens(course.root.parent, "release", "course", *lessons))
    config = course.root / "nbgrader_config.py"
    text = config.read_text()
    assert 'penalty_method = "none"' in text
    config.write_text(text.replace('penalty_method = "none"', 'penalty_method = "zero"'))
    with (course.root / "people.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "last_name", "first_name", "email"), *CLASS])
    with (course.root.parent / "roster.csv").open("w", encoding="utf-8", newline="") as file:
        rows = [(name, f"{last}, {given}", mail) for name, last, given, mail in CLASS]
        csv.writer(file).writerows([("id", "name", "email"), *rows])
    nbgrader(course, "db", "student", "import", "people.csv")


def notebook_of(course: Course, stem: str) -> Notebook:
    return dict(json.loads((course.root / "release" / stem / "lesson.ipynb").read_text()))


def right(stem: str, name: str) -> str:
    return for_students(without_markers(read_lesson(stem).chunk(name))).strip()


def wrong(stem: str, name: str, mistake: str) -> str:
    code = chunk_text(read_lesson(stem), name, textual_mistakes(stem, name)[mistake])
    return for_students(without_markers(code)).strip()


def filled(course: Course, student: str, stem: str, codes: dict[str, str]) -> Notebook:
    """A student's notebook: these cells, and right ones elsewhere; "" leaves the stub."""
    # A comment of their own, so that no two cells are one to the journal.
    notebook = notebook_of(course, stem)
    for name in read_lesson(stem).exercises:
        if code := codes.get(name, right(stem, name)):
            cell(notebook, f"{stem}-{name}")["source"] = f"{code}\n# {student}"
    return notebook


def class_hands_in(course: Course) -> None:
    for student, *_ in CLASS:
        for stem in STEMS:
            if stem not in ABSENT.get(student, ()):
                when = LATE if student == "late" else ON_TIME
                hand_in(course, student, stem, work(course, student, stem), when)
    (course.root / "submitted" / "nobody").mkdir()


def hand_in(course: Course, student: str, stem: str, notebook: Notebook, when: str) -> None:
    folder = course.root / "submitted" / student / stem
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lesson.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (folder / "timestamp.txt").write_text(when)


def work(course: Course, student: str, stem: str) -> Notebook:
    """What a student hands in."""
    names = read_lesson(stem).exercises
    codes: dict[str, str] = {}
    if student == "half":
        codes = dict.fromkeys(names[len(names) // 2 :], "")
    elif student == "blank":
        codes = dict.fromkeys(names, "")
    elif student == "loss":
        codes = {
            name: wrong(stem, name, next(iter(textual_mistakes(stem, name)))) for name in names
        }
    elif student == "broken":
        codes = {names[-1]: f"def {names[-1]}(images:\n    return"}
    elif stem == LESSON:
        codes = saliency(course, student)
    notebook = filled(course, student, stem, codes)
    if student == "deleter":
        notebook["cells"].remove(cell(notebook, f"{stem}-{names[0]}-check"))
        notebook["cells"][0]["metadata"]["nbgrader"] = None
        notebook["cells"][1]["metadata"]["nbgrader"] = {"points": "lots"}
    if student == "twice":
        # The first try stays above the second, as after a copy of the cell.
        place = notebook["cells"].index(cell(notebook, f"{stem}-{names[0]}"))
        first = copy.deepcopy(notebook["cells"][place]) | {"id": "first-try"}
        first["source"] = wrong(stem, names[0], next(iter(textual_mistakes(stem, names[0]))))
        notebook["cells"].insert(place, first)
    return notebook


def saliency(course: Course, student: str) -> dict[str, str]:
    name = "saliency_map"
    if student == "mean":
        return {name: wrong(LESSON, name, "mean_taken")}
    if student == "untidy":
        return {name: UNTIDY}
    if student in GREYS:
        return {name: GREY[student]}
    if student == "mallory":
        return {name: hostile(course.root / "hacked")}
    return {}


def handed_in(course: Course, stem: str) -> list[str]:
    return [p.parent.name for p in sorted((course.root / "submitted").glob(f"*/{stem}"))]


def autograded(course: Course) -> None:
    for stem in STEMS:
        count = len(handed_in(course, stem))
        said = timed(
            f"nbgrader autograde {stem}", lambda s=stem: nbgrader(course, "autograde", s), count
        )
        assert said.count("Grading ") == 1, said[-2000:]
        timed(
            f"nbgrader generate_feedback {stem}",
            lambda s=stem: nbgrader(course, "generate_feedback", s),
        )
    assert not (course.root / "hacked").exists()


def points(course: Course, student: str) -> dict[str, tuple[float | None, float | None, bool]]:
    """Automatic score, score by hand, and whether a person is needed, by check cell."""
    rows = course.ask(
        "SELECT cell.name, auto_score, manual_score, needs_manual_grade FROM grade "
        "JOIN base_cell cell ON cell.id = grade.cell_id "
        "JOIN submitted_notebook n ON n.id = grade.notebook_id "
        "JOIN submitted_assignment a ON a.id = n.assignment_id WHERE a.student_id = ?",
        student,
    )
    return {name: (auto, hand, bool(needs)) for name, auto, hand, needs in rows}


def sentences(course: Course, student: str) -> dict[str, str]:
    rows = course.ask(
        "SELECT cell.name, auto_comment FROM comment "
        "JOIN base_cell cell ON cell.id = comment.cell_id "
        "JOIN submitted_notebook n ON n.id = comment.notebook_id "
        "JOIN submitted_assignment a ON a.id = n.assignment_id WHERE a.student_id = ?",
        student,
    )
    return {name: text for name, text in rows if text}


def check(stem: str, name: str) -> str:
    return f"{stem}-{name}-check"


def earned(course: Course, found: dict[str, dict[str, Any]]) -> None:
    """Everybody has what they earned, and their own sentences in their own feedback."""
    most = course.max_scores()
    for student, *_ in CLASS:
        scores = {name: auto for name, (auto, _, _) in found[student].items()}
        there = [stem for stem in STEMS if stem not in ABSENT.get(student, ())]
        due = {check(stem, name) for stem in there for name in read_lesson(stem).exercises}
        assert set(scores) == due, (student, set(scores) ^ due)
        lost = {name for name, score in scores.items() if score != most[name]}
        names = {stem: read_lesson(stem).exercises for stem in there}
        saliency_map = {check(LESSON, "saliency_map")}
        expected = {
            "half": {check(s, n) for s in there for n in names[s][len(names[s]) // 2 :]},
            "blank": due,
            "broken": {check(s, names[s][-1]) for s in there},
            "loss": due,
            **dict.fromkeys(("mean", "untidy", "mallory", *GREYS), saliency_map),
        }.get(student, set())
        assert lost == expected, (student, lost ^ expected)
        told = sentences(course, student)
        for stem in there:
            page = (course.root / "feedback" / student / stem / "lesson.html").read_text("utf-8")
            seen = html.unescape(re.sub(r"<[^>]+>", "", page))
            for name, text in told.items():
                if name.startswith(stem):
                    words = text.split("\n")[0].replace("`", "")[:60]
                    assert words in seen, (name, text)
            assert "Traceback (most recent" not in page, (student, stem)
        assert all(told.get(name.removesuffix("-check")) for name in lost), (student, told)
    for student in ("half", "blank"):
        assert {found[student][n][0] for n in found[student]} <= {0.0, *most.values()}
    assert found["untidy"][check(LESSON, "saliency_map")][0] == 3.25
    assert "A mean was taken" in sentences(course, "mean")[f"{LESSON}-saliency_map"]


def half_comes_again(course: Course) -> None:
    """More work, handed in later but in time: nbgrader grades whoever is newer."""
    stem = STEMS[0]
    hand_in(course, "half", stem, filled(course, "half", stem, {}), "2026-11-20 17:00:00 UTC")
    said = timed("nbgrader autograde, one newer", lambda: nbgrader(course, "autograde", stem))
    assert "Grading 1 " in said, said
    most = course.max_scores()
    now = points(course, "half")
    assert all(now[check(stem, n)][0] == most[check(stem, n)] for n in read_lesson(stem).exercises)


def graded_again(course: Course) -> None:
    """Points by hand, then a check is changed and worth more, released and graded again."""
    from nbgrader.api import Gradebook

    name = check(LESSON, "saliency_map")
    with Gradebook(f"sqlite:///{course.root / 'gradebook.db'}", "convlens") as gradebook:
        for student in ("ann", "O'Neill"):
            grade = gradebook.find_grade(name, "lesson", LESSON, student)
            grade.manual_score, grade.needs_manual_grade = 2.5, False
            comment = gradebook.find_comment(f"{LESSON}-saliency_map", "lesson", LESSON, student)
            comment.manual_comment = f"Seen, {student}."
        gradebook.db.commit()
    before = {student: points(course, student) for student, *_ in CLASS}
    source = course.root / "source" / LESSON / "lesson.ipynb"
    notebook = json.loads(source.read_text())
    cell(notebook, check(LESSON, "smooth_grad"))["source"] += ["\n# from the second week on"]
    source.write_text(json.dumps(notebook))
    words = ("release", "course", "--lesson", LESSON, "--points", f"{LESSON}.saliency_map=8")
    said = timed("convlens release, changed", lambda: convlens(course.root.parent, *words))
    assert "was edited by hand" in said, said
    count = len(handed_in(course, LESSON))
    words = ("autograde", LESSON, "--force")
    timed("nbgrader autograde --force", lambda: nbgrader(course, *words), count)
    words = ("generate_feedback", LESSON, "--force")
    timed("nbgrader generate_feedback --force", lambda: nbgrader(course, *words), count)
    for student, *_ in CLASS:
        after = points(course, student)
        assert set(after) == set(before[student]), student
        for cell_name, (auto, hand, needs) in before[student].items():
            scale = 2 if cell_name == name else 1
            expected = (auto and auto * scale, hand, needs or hand is not None)
            assert after[cell_name] == expected, (student, cell_name, after[cell_name], expected)
        for path in (course.root / "autograded" / student / LESSON).glob("*.ipynb"):
            text = path.read_text()
            assert ("second week" in text) or student == "deleter", student
    for student in ("ann", "O'Neill"):
        page = (course.root / "feedback" / student / LESSON / "lesson.html").read_text("utf-8")
        assert html.escape(f"Seen, {student}.", quote=False) in page, student


def same_by_both_ways(course: Course, folder: Path) -> None:
    base = folder / "parity.db"
    shutil.copy(course.root / "gradebook.db", base)
    with closing(sqlite3.connect(base)) as other, other:
        other.execute("UPDATE grade SET auto_score = NULL, needs_manual_grade = 0")
        other.execute("UPDATE comment SET auto_comment = NULL")
    words = ["course/submitted", "--out", "graded", "--seed-file", "course/graded/.seed"]
    words += ["--roster", "roster.csv", "--gradebook", "parity.db"]
    words += [word for stem in STEMS for word in ("--lesson", stem)]
    count = sum(len(handed_in(course, stem)) for stem in STEMS)
    said = timed(
        "convlens grade --gradebook", lambda: convlens(folder, "grade", *words, ends=(1,)), count
    )
    assert f"{count} submissions written." in said, said

    def rows(path: Path, table: str, columns: str) -> Iterator[Any]:
        with closing(sqlite3.connect(path)) as db:
            yield from db.execute(f"SELECT {columns} FROM {table} ORDER BY id")

    for table, columns in (
        ("grade", "id, auto_score, manual_score, needs_manual_grade"),
        ("comment", "id, auto_comment, manual_comment"),
    ):
        ours, theirs = (list(rows(p, table, columns)) for p in (base, course.root / "gradebook.db"))
        different = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
        assert not different, different
    assert "Mistakes without a name" in (folder / "graded" / "class.html").read_text("utf-8")


def table(path: Path, mark: str = ",", encoding: str = "utf-8-sig") -> list[list[str]]:
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.reader(file, delimiter=mark))


def exported(course: Course, folder: Path) -> None:
    timed("nbgrader export", lambda: nbgrader(course, "export"))
    stock = {}
    for row in csv.DictReader((course.root / "grades.csv").open(encoding="utf-8", newline="")):
        stock[row["student_id"], row["assignment"]] = row
    for student, last, given, mail in CLASS:
        for stem in STEMS:
            row = stock[student, stem]
            assert (row["last_name"], row["first_name"], row["email"]) == (last, given, mail)
            found = points(course, student)
            worth = [
                hand if hand is not None else auto
                for n, (auto, hand, _) in found.items()
                if n.startswith(stem)
            ]
            assert float(row["raw_score"]) == round(sum(w or 0 for w in worth), 6), (student, stem)
            late = float(row["raw_score"]) if student == "late" else 0
            assert float(row["late_submission_penalty"] or 0) == late, row
    results = json.loads((folder / "graded" / "results.json").read_text())["students"]
    everybody = {student for student, *_ in CLASS}
    # Ids that are no file names are kept beside the safe ones.
    safe = {({*row["keys"], row["student"]} & everybody).pop(): row["student"] for row in results}
    own = {student: name for name, student in safe.items()}
    scores = {own[row["student"]]: row["score"] for row in results}
    status = {own[row["student"]]: row["status"] for row in results}
    assert set(scores) == {student for student, *_ in CLASS}, set(scores)
    assert status["nobody"] == "missing" and scores["nobody"] is None, status
    grades = {row[0].removeprefix("'"): row for row in table(folder / "graded" / "grades.csv")[1:]}
    assert set(grades) == set(own)
    names = {student: f"{last}, {given}" for student, last, given, _ in CLASS}

    def holds(path: Path, rows: dict[str, str]) -> None:
        for student, score in scores.items():
            text = rows[student].replace(",", ".")
            assert (text == "") == (score is None), (path, student, text, score)
            assert not text or abs(float(text) - score) < 0.006, (path, student, text, score)

    full = sum(e["max_points"] for e in results[0]["exercises"])
    canvas = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", f"Term ({full:g})"]]
    canvas += [["    Points Possible", "", "", "", "", f"{full:g}"]]
    canvas += [[names[s], str(100 + i), s, s, "A", ""] for i, (s, *_) in enumerate(CLASS)]
    moodle = [["Nachname", "Vorname", "ID-Nummer", "E-Mail-Adresse", "Aufgabe: Term (Punkte)"]]
    moodle += [[last, given, s, mail, "-"] for s, last, given, mail in CLASS]
    board = [
        [
            "Last Name",
            "First Name",
            "Username",
            "Student ID",
            f"Term [Total Pts: {full:g} Score] |1",
        ]
    ]
    board += [[last, given, s, s, ""] for s, last, given, _ in CLASS]
    for platform, rows, mark, encoding, extra, key in (
        ("canvas", canvas, ",", "utf-8", (), 2),
        ("moodle", moodle, ";", "utf-8", ("--comma",), 2),
        ("blackboard", board, "\t", "utf-16", (), 2),
    ):
        path = folder / f"{platform}.csv"
        with path.open("w", encoding=encoding, newline="") as file:
            csv.writer(file, delimiter=mark).writerows(rows)
        out = folder / f"{platform}-filled.csv"
        words = ("export", platform, "graded", path.name, "--out", out.name, *extra)
        timed(f"convlens export {platform}", lambda w=words: convlens(folder, *w, ends=(1,)))
        filled_in = table(out, mark, "utf-16" if encoding == "utf-16" else "utf-8-sig")
        assert [r[:-1] for r in filled_in] == [r[:-1] for r in rows], platform
        holds(out, {r[key]: r[-1].replace("-", "") for r in filled_in if r[key] in scores})
    timed(
        "convlens export junit",
        lambda: convlens(folder, "export", "junit", "graded", "--out", "class.xml", ends=(0, 1)),
    )
    suites = {
        s.get("name"): s
        for s in ElementTree.parse(folder / "class.xml").getroot().iter("testsuite")
    }
    assert len(suites) == len(CLASS), suites.keys()
    for student in ("ada", "=cmd()", "김민수"):
        words = (
            "export",
            "gradescope",
            "graded",
            safe[student],
            "--out",
            f"gradescope-{student}.json",
        )
        convlens(folder, *words)
        told = json.loads((folder / f"gradescope-{student}.json").read_text())
        total = told.get("score", sum(t.get("score", 0) for t in told["tests"]))
        assert abs(total - scores[student]) < 1e-6, (student, told)


def beside_stock(course: Course, stock: Course) -> None:
    """Three of the same submissions, graded by nbgrader as it comes."""
    config = stock.root / "nbgrader_config.py"
    config.write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'convlens'\nc.Execute.timeout = 600\n"
    )
    students = ("ada", "mean", "half")
    for student in students:
        shutil.copytree(
            course.root / "submitted" / student / LESSON,
            stock.root / "submitted" / student / LESSON,
        )

    def run() -> None:
        done = stock.nbgrader("autograde", LESSON)
        assert done.returncode == 0, done.stderr

    timed("stock nbgrader autograde", run, len(students))
    most = sum(v for n, v in stock.max_scores().items() if n.startswith(LESSON))
    for student in students:
        scores = [auto or 0 for n, (auto, _, _) in points(stock, student).items()]
        print(f"          stock: {student} {sum(scores):g} of {most:g}")


def looked_at(folder: Path) -> None:
    """Photograph what people read, where there is a Chromium."""
    from browser import FLAGS, chromium

    if not (program := chromium()):
        return
    shots = folder / "shots"
    shots.mkdir()
    pages = {
        s: folder / "course" / "feedback" / s / LESSON / "lesson.html"
        for s in ("mean", "ann", "=cmd()")
    }
    pages["class"] = folder / "graded" / "class.html"
    pages["ours"] = folder / "graded" / "feedback" / "mean" / "index.html"
    for name, page in pages.items():
        assert page.exists(), page
        words = (
            *FLAGS,
            f"--screenshot={shots / f'{name}.png'}",
            "--window-size=1280,6000",
            page.as_uri(),
        )
        subprocess.run(
            [program, *words], capture_output=True, env=environment(folder / "home"), timeout=300
        )


if __name__ == "__main__":
    main()

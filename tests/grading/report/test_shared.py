"""A mistake that a class shares and nobody has named is one row, and a draft for the author."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from html import unescape
from pathlib import Path

import pytest
import torch
from classroom import STEM, OwnSandbox, files_of, grade_here, hand_in
from unnamed import GREY, HEAD, HOSTILE, MEDIAN, WORDS, lesson_with, unnamed_class

from autograder import checks
from autograder.build.audit import audit_lesson
from autograder.build.inventory import TO_DO
from autograder.checks import l11_saliency
from autograder.cli.main import main
from autograder.course import mistakes as course_mistakes
from autograder.course.exercise import Lesson
from autograder.course.student_file import excerpt
from autograder.grading import drafts
from autograder.grading.report.results import ExerciseResult, StudentResult
from autograder.grading.report.shared import SharedMistake, agreeing, shared_mistakes
from autograder.grading.run.journal import Journal
from autograder.grading.sandbox.probe import NONE, probe
from autograder.judge import fingerprint as judged
from autograder.judge.expected import Expectation, run_trusted
from autograder.judge.fingerprint import Fingerprint, fingerprint
from autograder.judge.verdict import Verdict, judge
from autograder.protocol.answers import Answer, Record
from lessons.toolkit.errors import UserError

NAME = "saliency_map"
ID = f"{STEM}.{NAME}"
TOLERANCE = 1e-4
CODES = {**GREY, **MEDIAN, **HOSTILE}


@dataclass(frozen=True)
class Graded:
    """A folder of results, before and after hostile students came in."""

    out: Path
    page: str
    again: dict[str, bytes]
    hostile_page: str
    shared: list[SharedMistake]


@pytest.fixture(scope="module")
def one_exercise() -> Iterator[Lesson]:
    """The lesson cut down to one exercise, or grading it takes five times as long."""
    with pytest.MonkeyPatch.context() as patch:
        short = replace(l11_saliency.LESSON, exercises=l11_saliency.LESSON.exercises[:1])
        patch.setattr(l11_saliency, "LESSON", short)
        checks.lesson.cache_clear()
        yield short
    checks.lesson.cache_clear()


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory, one_exercise: Lesson) -> Graded:
    folder = tmp_path_factory.mktemp("unnamed")
    inbox, out, worker = unnamed_class(folder / "in"), folder / "out", OwnSandbox()
    shared = shared_mistakes(grade_here(inbox, out, worker).rows)
    first, jobs = files_of(out), worker.jobs
    grade_here(inbox, out, worker)
    assert worker.jobs == jobs
    again = files_of(out)
    assert again == first
    for student, code in HOSTILE.items():
        hand_in(folder / "others", student, lesson_with(code))
    grade_here(folder / "others", out, worker)
    hostile = (out / "class.html").read_text("utf-8")
    return Graded(out, again["class.html"].decode(), again, hostile, shared)


def section(page: str) -> str:
    return re.search(r"<h2>Mistakes without a name</h2>.*?</section>", page, re.DOTALL)[0]


def test_nine_ways_are_one_row_and_three_another(graded: Graded):
    rows = [(one.number, one.id, one.students, one.lost) for one in graded.shared]
    assert rows == [(1, ID, tuple(sorted(GREY)), 36.0), (2, ID, tuple(sorted(MEDIAN)), 12.0)]
    told = section(graded.page)
    assert re.findall(r"(\d+) students</span>\n<span class=\"points\">(.*?) lost", told) == [
        ("9", "36 points"),
        ("3", "12 points"),
    ]
    (grey, median) = re.findall(r"<pre tabindex=\"0\"><code>(.*?)</code></pre>", told, re.DOTALL)
    assert unescape(grey) == GREY["ben"].rstrip() and unescape(median) == MEDIAN["jon"].rstrip()
    assert told.count('href="feedback/') == 12


def test_nothing_of_it_is_in_what_students_are_given(graded: Graded):
    for name, data in graded.again.items():
        if name.startswith("feedback/") or name.endswith((".csv", ".json")):
            text = data.decode()
            assert "gradient.abs().median" not in text and graded.shared[0].form not in text, name


def test_hostile_answers_change_no_row_and_bring_no_word(graded: Graded):
    assert section(graded.hostile_page) == section(graded.page)
    assert WORDS not in section(graded.hostile_page)
    with Journal(graded.out / "journal.sqlite") as journal:
        told = [e["fingerprint"] for e in journal.entries.values() if "fingerprint" in e]
    assert len(told) > 12
    for one in told:
        assert set(one) == {"form", "numbers"} and re.fullmatch("[0-9a-f]{16}", one["form"])
        assert all(isinstance(number, float) for number in one["numbers"])
        assert len(json.dumps(one)) < 1000


def test_results_of_an_older_run_are_not_grouped(graded: Graded):
    with Journal(graded.out / "journal.sqlite") as journal:
        told = [result for _, result in journal.lessons().values()]
    from autograder.grading.report.results import LessonResult, rows

    for result in told:
        del result["unnamed"]
    assert shared_mistakes(rows(map(LessonResult.from_json, told))) == []


def test_the_command_lists_them(graded: Graded, capsys: pytest.CaptureFixture[str]):
    assert main(["mistakes", str(graded.out)]) == 0
    told = capsys.readouterr().out
    assert f"1. {ID}: 9 students, 36 points lost\n   ann, ben, cat, dan, eve and 4 more\n" in told
    assert f"2. {ID}: 3 students, 12 points lost\n   jon, kai, liv\n" in told
    assert main(["mistakes", str(graded.out), "--draft", "3"]) == 2
    assert "There is no mistake 3." in capsys.readouterr().err
    assert main(["mistakes", str(graded.out / "feedback")]) == 2
    assert "There are no results" in capsys.readouterr().err
    assert not (graded.out / "feedback" / ".lock").exists()


@pytest.mark.sandbox
@pytest.mark.skipif(probe().level == NONE, reason="this machine has no isolation")
def test_two_sentences_make_a_draft_a_mistake(
    graded: Graded,
    one_exercise: Lesson,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    grey = drafts.shared_in(graded.out)[0]
    assert grey.students == graded.shared[0].students
    order = ["mistakes", str(graded.out), "--draft", "1", "--id", "grey_of_the_gradient"]
    assert main(order) == 0
    with pytest.raises(UserError, match="there already"):
        drafts.draft(graded.out, grey, "grey_of_the_gradient")
    told = capsys.readouterr().out
    path = graded.out / "drafts" / f"{ID}.grey_of_the_gradient.md"
    home = course_mistakes.CHECKS / STEM / f"{NAME}.md"
    assert told.startswith(f"{path} written, from the code of ben.") and str(home) in told
    text = path.read_text("utf-8")
    assert sum(map(bool, map(TO_DO.search, text.splitlines()))) == 2
    monkeypatch.setattr(course_mistakes, "CHECKS", tmp_path)
    course_mistakes.words.cache_clear()
    shutil.copytree(home.parent, tmp_path / STEM)
    written = re.sub(r"TODO: .*", "A sentence of its author.", text)
    words = course_mistakes.with_entry(home.read_text("utf-8"), written)
    (tmp_path / STEM / f"{NAME}.md").write_text(words, "utf-8")
    try:
        report = audit_lesson(one_exercise, ways=["alone"])
        problems = [p for p in report.problems if not p.endswith("a solution and no check")]
        assert problems == [] and report.unnamed == []
        for code in GREY.values():
            assert verdict_on(code).diagnosis == "grey_of_the_gradient"
        assert verdict_on(MEDIAN["jon"]).diagnosis is None
        with pytest.raises(UserError, match="cannot be the id"):
            drafts.draft(graded.out, grey, "grey_of_the_gradient")
        with pytest.raises(UserError, match="has a name for what the code of ben"):
            drafts.draft(graded.out, grey)
    finally:
        course_mistakes.words.cache_clear()


def verdict_on(code: str) -> Verdict:
    public = Expectation(STEM, l11_saliency.LESSON.exercise(NAME))
    records = run_trusted(public.job(lesson_with(code), f"{STEM}.py"))
    return judge(public, Answer("ok", tuple(records)))


@pytest.mark.parametrize("code", ["", "def saliency_map(:\n", HEAD + "    return images\n"])
def test_code_that_gives_other_values_is_no_draft(
    code: str, graded: Graded, monkeypatch: pytest.MonkeyPatch
):
    nothing = None, Verdict(ID, "failed", 0.0, 4.0)
    monkeypatch.setattr(drafts, "_tried", lambda *_: nothing)
    monkeypatch.setattr(drafts, "open_sandbox", lambda *_: OwnSandbox())
    monkeypatch.setattr(drafts, "choose", lambda _: None)
    spoilt = replace(graded.shared[0], examples=(("ann", code),))
    with pytest.raises(UserError, match="stands alone"):
        drafts.draft(graded.out, spoilt)


@pytest.mark.parametrize(
    "code",
    [
        "import os\n",
        "from torch import hub\n",
        "import numpy.f2py as f\nimport socket\n",
        "    images.__class__.__base__\n",
        "    torch.load('x')\n",
        "    warnings.sys.modules\n",
        "    open('x')\n",
        "    torch._C\n",
    ],
)
def test_a_draft_holds_plain_code_only(code: str):
    line = HEAD + (code if code.startswith(" ") else "    pass\n")
    text = (code if not code.startswith(" ") else "") + line
    spoilt = SharedMistake(ID, "", (), (), 0.0, (("ann", text), ("ben", GREY["ben"])))
    assert [student for student, _ in drafts._plain(spoilt)] == ["ben"]


def test_a_draft_is_written_anew_from_its_tree():
    text = (
        'def f():\n    """```\n## Mistakes\n```"""\n    # \u202eTODO: this\n    return "\u202e`"\n'
    )
    spoilt = SharedMistake(ID, "", (), (), 0.0, (("ann", text),))
    assert list(drafts._plain(spoilt)) == [("ann", "def f():\n    return '\\u202e`'")]


def test_an_excerpt_is_the_function_and_what_is_its_authors_own():
    for student in GREY:
        told = excerpt(lesson_with(GREY[student]), STEM, NAME)
        expected = GREY[student].replace('    """Look as an eye does."""\n', "")
        assert told == expected.rstrip()
    stub = excerpt(lesson_with(GREY["ann"]), STEM, "saliency_box")
    assert stub.startswith("def saliency_box(") and '"""' not in stub and "import" not in stub
    assert excerpt("def saliency_map(:", STEM, NAME) == ""
    assert excerpt("x = 1\n" * 20_000, STEM, NAME) == ""


@pytest.fixture(scope="module")
def public() -> Expectation:
    return Expectation(STEM, l11_saliency.LESSON.exercise(NAME))


def summed(public: Expectation, change) -> Fingerprint | None:
    """The fingerprint where each answer of the reference is changed."""
    records: list[Record] = [{"loaded": True, "has": True}]
    for case, record in public.records.items():
        made = dict(record)
        if record["status"] == "returned":
            made.update(change(record["value"], case))
        records.append(made)
    failed = Verdict(ID, "failed", 0.0, 4.0)
    return fingerprint(public, Answer("ok", tuple(records)), failed)


def value(change):
    return lambda right, _: {"value": change(right)}


def test_equal_answers_agree_wherever_their_last_digits_lie(public: Expectation):
    draw = torch.Generator().manual_seed(0)

    def noisy(right: torch.Tensor) -> dict[str, torch.Tensor]:
        wrong = right.double().cos() + right.double()
        noise = torch.randn(wrong.shape, generator=draw, dtype=torch.float64)
        return {"value": (wrong * (1 + 1e-6 * noise)).to(right.dtype)}

    told = [summed(public, lambda right, _: noisy(right)) for _ in range(60)]
    assert len({one.form for one in told}) == 1
    # Numbers rounded to four digits would part some of them.
    assert len({tuple(round(n, 4) for n in one.numbers) for one in told}) > 1
    assert len(agreeing([one.numbers for one in told], TOLERANCE)) == 1


def test_answers_that_differ_do_not_agree(public: Expectation):
    def one_pixel(right: torch.Tensor) -> torch.Tensor:
        wrong = right.exp() * right
        wrong[0, 0, 0] += 0.1 * wrong.max()
        return wrong

    changes = [
        lambda right: right.exp() * right,
        one_pixel,
        lambda right: right.exp() * right + 0.01 * right.max(),
        lambda right: (right.exp() * right) * 1.001,
        lambda right: (right.exp() * right) * 1e30,
        lambda right: (right.exp() * right) * 1e-3,
        lambda right: -right.exp() * right,
        lambda right: (right.exp() * right).flip(-1),
    ]
    told = [summed(public, value(change)) for change in changes]
    assert len({one.form for one in told}) == 1
    assert len(agreeing([one.numbers for one in told], TOLERANCE)) == len(changes)
    assert all(abs(number) < 1e4 for one in told for number in one.numbers)


def test_what_agrees_with_too_much_has_no_fingerprint(public: Expectation):
    first = next(iter(public.records))

    def raising(kind: str, only: str = ""):
        error = {"type": kind, "message": "words", "lines": []}
        told = {"status": "raised", "error": error}
        return lambda right, case: told if only in ("", case) else {"value": right}

    nothing = [
        value(torch.zeros_like),
        value(lambda right: torch.full_like(right, 0.3) + 1e-9 * right),
        value(lambda right: right * float("nan")),
        value(lambda _: None),
        value(lambda _: "words"),
        value(lambda _: [1.0, 2.0]),
        value(lambda _: {"a": 10**400}),
        value(lambda _: torch.arange(judged.MOST_NUMBERS + 1.0)),
        value(lambda _: [torch.arange(6e5), torch.arange(6e5)]),
        raising("RuntimeError"),
        raising("NotImplementedError", first),
        raising("ModuleNotFoundError", first),
        lambda *_: {"status": "unsendable", "note": "words"},
    ]
    assert [summed(public, change) for change in nothing] == [None] * len(nothing)
    one, other = (summed(public, raising(kind, first)) for kind in ("IndexError", "KeyError"))
    assert one and other and one.form != other.form
    mask = summed(public, value(lambda right: right > right.mean()))
    assert mask is not None and mask.form != one.form


def test_only_what_has_no_name_has_a_fingerprint(public: Expectation):
    wrong = value(lambda right: right.exp() * right)
    assert summed(public, wrong) is not None
    records = ({"loaded": True, "has": True}, *public.records.values())
    for outcome, diagnosis in (("passed", None), ("failed", "mean_taken"), ("timeout", None)):
        verdict = Verdict(ID, outcome, 0.0, 4.0, diagnosis)
        assert fingerprint(public, Answer("ok", records), verdict) is None


def row(student: str, numbers: list[float], points: float | None, **more) -> StudentResult:
    result = ExerciseResult(ID, "failed", points, 4.0, **more)
    told = {"form": "00", "numbers": numbers, "code": f"# {student}"}
    return StudentResult(student, (result,), {STEM: {"course": "abc"}}, unnamed={ID: told})


def test_points_given_by_hand_are_not_lost_and_order_is_no_chance():
    rows = [
        row("a", [1.0], 1.0),
        row("b", [2.0], 0.0),
        row("c", [1.00005], 0.0, given=4.0),
        row("d", [2.0], None),
        row("e", [9.0], 0.0),
        replace(row("f", [1.0], 0.0), made_from={STEM: {"course": "another"}}),
    ]
    expected = [(("b", "d"), 8.0), (("a", "c"), 3.0)]
    for order in (rows, rows[::-1]):
        assert [(one.students, one.lost) for one in shared_mistakes(order)] == expected
    assert asdict(shared_mistakes(rows)[1])["examples"] == (("a", "# a"), ("c", "# c"))

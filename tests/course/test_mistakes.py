"""The words of an exercise: one Markdown file that a person reads from top to bottom."""

from __future__ import annotations

import subprocess
import sys
from itertools import chain

import pytest

from autograder.course.catalogue import landed_stems
from autograder.course.mistakes import (
    CHECKS,
    Words,
    WordsError,
    Wrong,
    meaning_of,
    parse,
    shared_words,
    words,
)
from autograder.course.reference import ROOT, read_lesson

HEAD = "# weigh\n\n4 points, 20 minutes, difficulty 2 of 3. Returns one map per image, (N, H, W).\n"
SAID = ("What it does.", "What to look at.")


def read(*parts: str) -> Words:
    return parse("\n".join([HEAD, *parts]), "weigh.md")


def mistake(*lines: str) -> Wrong:
    """The only mistake of a file."""
    (found,) = read("## Mistakes", "", *lines).mistakes
    return found


@pytest.mark.parametrize(
    ("line", "points", "minutes", "difficulty", "returns"),
    [
        ("4 points, 20 minutes. Returns one map, (N, H, W).", 4.0, 20, 0, "one map, (N, H, W)"),
        (
            "1 point, 5 minutes, difficulty 1 of 3. Returns itself from `with`.",
            1.0,
            5,
            1,
            "itself from `with`",
        ),
        (
            "2.5 points, 15 minutes,\ndifficulty 3 of 3. Returns a\npair (Q, q).",
            2.5,
            15,
            3,
            "a pair (Q, q)",
        ),
    ],
)
def test_the_summary(line: str, points: float, minutes: int, difficulty: int, returns: str) -> None:
    found = parse(f"# weigh\n\n{line}\n", "weigh.md")
    assert (found.points, found.minutes) == (points, minutes)
    assert (found.difficulty, found.returns) == (difficulty, returns)
    assert found.hints == found.mistakes == found.accepted == ()


def test_hints_are_numbered_and_may_run_over_lines() -> None:
    found = read("## Hints", "", "1. What is", "   it?", "", "2. `x.sum()`.", "3. So: 3. or 4?")
    assert found.hints == ("What is it?", "`x.sum()`.", "So: 3. or 4?")


def test_a_heading_and_inline_code_are_one_edit() -> None:
    found = mistake("### `x.sum(dim=1)`", "", "**columns** `x.sum(dim=0)`", *SAID)
    assert found == Wrong("columns", *SAID, edits=(("x.sum(dim=1)", "x.sum(dim=0)"),))


def test_inline_code_may_hold_a_backtick() -> None:
    assert mistake("### `x`", "**quoted** ``'`' + x``", *SAID).edits == (("x", "'`' + x"),)


def test_mistakes_share_the_heading_above_them() -> None:
    lines = ["### `a`", "**one** `b`", *SAID, "", "**two** `c`", *SAID, "", "### `d`"]
    found = read("## Mistakes", *lines, "**three** `e`", *SAID).mistakes
    assert [wrong.id for wrong in found] == ["one", "two", "three"]
    assert [wrong.edits for wrong in found] == [(("a", "b"),), (("a", "c"),), (("d", "e"),)]


@pytest.mark.parametrize(
    ("diff", "edits"),
    [
        (["- a", "+ b"], (("a", "b"),)),
        (["- a", "+ b", "- c", "+ d"], (("a", "b"), ("c", "d"))),
        (["- a", "-     a2", "+ b", "+     b2", "+ b3"], (("a\n    a2", "b\n    b2\nb3"),)),
        (["- a", "+ b", "- gone"], (("a", "b"), ("gone", ""))),
    ],
)
def test_a_diff_is_several_edits(diff: list[str], edits: tuple[tuple[str, str], ...]) -> None:
    found = mistake("### `x`", "", "**many**", *SAID, "", "```diff", *diff, "```")
    assert found.edits == edits and not found.body and not found.after


CODE = ["def f(x):", "    ## Hints", "    return x"]


def test_a_whole_version() -> None:
    found = mistake("**other**", *SAID, "", "```python", *CODE, "```")
    assert found == Wrong("other", *SAID, body="\n".join(CODE))


def test_lines_after_the_right_version() -> None:
    found = mistake("**wrapped**", *SAID, "", "```python after", *CODE, "```")
    assert found == Wrong("wrapped", *SAID, after="\n".join(CODE))


def test_a_heading_in_code_begins_no_section() -> None:
    code = ["```python", "## Hints", "1. None.", "```"]
    found = read("## Mistakes", "**other**", *SAID, *code, "## Also right", "**this**", *code)
    assert found.hints == () and found.mistakes[0].body == "## Hints\n1. None."
    assert [right.id for right in found.accepted] == ["this"]


def test_a_shared_mistake_needs_no_words_of_its_own() -> None:
    found = mistake("### `x`", "**negated** `-x`")
    shared = shared_words()["negated"]
    assert (found.says, found.next_step) == (shared.says, shared.next_step) and found.says
    assert found.edits == (("x", "-x"),)


def test_what_is_also_right_needs_no_words() -> None:
    found = read("## Also right", "### `x`", "**as_well** `+x`", "", "**too** `x * 1`")
    assert [(right.id, right.edits) for right in found.accepted] == [
        ("as_well", (("x", "+x"),)),
        ("too", (("x", "x * 1"),)),
    ]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["## Mistake"], "no section may be called Mistake"),
        (["## Mistakes", "**two words** `x`", *SAID], "`x`' is no “**name** `code`”"),
        (["## Mistakes", "### `x`", "**one** `y`", SAID[0]], "one needs two lines of words, not 1"),
        (["## Mistakes", "### `x`", "**one** `y`", *SAID, "More."], "two lines of words, not 3"),
        (["## Mistakes", "### `x`", "**one** `y`"], "one needs two lines of words, not 0"),
        (["## Mistakes", "**one** `y`", *SAID], "one stands under no piece of the reference"),
        (
            ["## Mistakes", "### `x`", "**one** `y`", *SAID, "```python", "y", "```"],
            "one has code beside its name and below",
        ),
        (["## Mistakes", "**one**", *SAID, "```python", "y"], "one has code without an end"),
    ],
)
def test_what_is_not_in_order_is_said_with_its_place(lines: list[str], says: str) -> None:
    with pytest.raises(WordsError, match=r"^weigh\.md: ") as error:
        read(*lines)
    assert says in str(error.value)


def test_points_are_counted_in_quarters() -> None:
    assert parse(HEAD.replace("4 points", "1.75 points"), "weigh.md").points == 1.75
    with pytest.raises(WordsError, match=r"counted in quarters, and 1\.6 is none"):
        parse(HEAD.replace("4 points", "1.6 points"), "weigh.md")


@pytest.mark.parametrize(
    "line", ["", "points: 4", "4 points, 20 minutes.", "4 points. Returns a map."]
)
def test_a_summary_must_be_whole(line: str) -> None:
    with pytest.raises(WordsError, match=r"2 of 3. Returns .* is missing"):
        parse(f"# weigh\n\n{line}\n", "weigh.md")


def test_a_missing_file_is_said() -> None:
    with pytest.raises(WordsError, match=r"l11_saliency/weigh\.md is missing"):
        words("l11_saliency", "weigh")


def test_a_mistake_means_its_sentence() -> None:
    own = {wrong.id: wrong.says for wrong in words("l11_saliency", "saliency_box").mistakes}
    assert meaning_of("l11_saliency", "saliency_box", "largest_box") == own["largest_box"]
    assert meaning_of("l11_saliency", "saliency_map", "negated") == shared_words()["negated"].says
    ignored = meaning_of("l11_saliency", "smooth_grad", "noise_ignored")
    assert ignored == "The result is the same whatever `noise` is."
    assert meaning_of("l11_saliency", "saliency_map", "wrong_shape") is None


EXERCISES = [(stem, name) for stem in landed_stems() for name in read_lesson(stem).exercises]


@pytest.mark.parametrize(("stem", "name"), EXERCISES)
def test_every_exercise_of_the_course_has_words_in_order(stem: str, name: str) -> None:
    found = words(stem, name)
    assert found.points > 0 and len(found.hints) == 3 and found.mistakes
    assert all(wrong.says.endswith((".", "?")) for wrong in found.mistakes)


def test_no_file_of_words_is_without_an_exercise() -> None:
    files = {(path.parent.name, path.stem) for path in CHECKS.glob("l[0-9][0-9]_*/*.md")}
    assert files == set(EXERCISES)


def test_one_id_is_one_mistake_in_the_whole_course() -> None:
    own = (words(stem, name).mistakes for stem, name in EXERCISES)
    said: dict[str, tuple[str, str]] = {}
    for wrong in chain(shared_words().values(), *own):
        told = wrong.says, wrong.next_step
        assert said.setdefault(wrong.id, told) == told, wrong.id
    assert len(set(said.values())) == len(said)  # and one pair of sentences has one id


def test_words_are_read_without_torch() -> None:
    code = (
        "import sys; from autograder.course.mistakes import words; words{}\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code.format(EXERCISES[0])], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr

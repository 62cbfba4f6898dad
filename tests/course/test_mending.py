"""What does not parse costs its own function and no other."""

from __future__ import annotations

from typing import Any

import pytest

from autograder.course.mending import fault_of, mended
from autograder.course.reference import read_lesson

STEM = "l11_saliency"
RIGHT = 'def f(x):\n    """Text\n\nnot this\n    """\n    return x\n'
ALSO = "@staticmethod\ndef g(x):\n    return (\n        x\n)\n"
BROKEN = {
    "bracket": "def h(x):\n    return max((x, 1)\n",
    "quote": 'def h(x):\n    return "x\n',
    "three quotes": 'def h(x):\n    """Text\n    return x\n',
    "colon": "def h(x)\n    return x\n",
    "header": "def h(x, x=:\n    return x\n",
    "no name": "def (x):\n    return h\n",
    "misspelt": "deff h(x):\n    return x\n",
    "indent": "def h(x):\n    y = x\n      return y\n",
    "dedent": "def h(x):\n        y = x\n    return y\n",
    "tabs": "def h(x):\n    y = x\n\treturn y\n",
    "no body": "def h(x):\ny = x\nreturn y\n",
    "same argument twice": "def h(x, x):\n    return x\n",
    "decorated": "@staticmethod\ndef h(x):\n    return x +\n",
    "merge marks": "def h(x):\n<<<<<<< mine\n    return x\n=======\n    return 2\n>>>>>>> theirs\n",
    "class": "class h:\n    def m(self:\n        pass\n",
    "NUL": "def h(x):\n    return '\0'\n",
    "deep": "def h(x):\n    return " + "(" * 400 + ")" * 400 + "\n",
    "other Python": "def h(x):\n    print x\n",
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("place", range(3))
def test_a_broken_function_costs_itself(name: str, place: int) -> None:
    parts = ["import math\n\nHALF = 0.5\n\n\n" + RIGHT + "\n\n", ALSO + "\nTHIRD = 1 / 3\n\n\n"]
    parts.insert(place, ("import re\n" if place == 0 else "") + BROKEN[name] + "\n\n")
    text = "".join(parts)
    found, notes = mended(text, ["f", "g", "h"])
    assert found != text, notes
    scope: dict[str, Any] = {}
    exec(compile(found, "x", "exec"), scope)
    assert scope["f"](3) == 3 and "math" in scope and scope["HALF"] == 0.5
    assert scope["THIRD"] and scope["g"]
    for line, number in (
        (line, n) for n, line in enumerate(found.split("\n")) if "raise" not in line
    ):
        assert line in ("", text.split("\n")[number])
    if name == "no name":
        assert notes
        return
    with pytest.raises(SyntaxError) as caught:
        scope["h"](1)
    first = text[: text.index(BROKEN[name])].count("\n") + 1
    assert first <= (caught.value.lineno or 0) <= first + BROKEN[name].count("\n")


def test_the_error_has_its_own_words_and_line() -> None:
    found, _ = mended(RIGHT + BROKEN["bracket"], ["f", "h"])
    scope: dict[str, Any] = {}
    exec(found, scope)
    with pytest.raises(SyntaxError, match="was never closed") as caught:
        scope["h"](1)
    assert caught.value.lineno == 8 and "max((x" in (caught.value.text or "")


def test_a_line_that_is_no_python_is_left_out_and_noted() -> None:
    found, notes = mended(f"Here is my work:\nimport math\n{RIGHT}well done!\n", ["f"])
    assert "import math" in found and "well done" not in found
    assert len(notes) == 1 and "line 1, 9." in notes[0]


def test_what_looks_like_a_definition_in_a_string_is_none() -> None:
    right = RIGHT.replace("not this", "def not_this():")
    found, _ = mended(f"import math\n{right}\n{BROKEN['colon']}\n{ALSO}", ["f", "g", "h"])
    assert right in found and ALSO in found and "def h(*_, **__)" in found


def test_where_nothing_can_be_saved_the_text_stays() -> None:
    assert mended("deff f(x:\n", ["g"]) == ("deff f(x:\n", [])
    assert mended("%PDF-1.4 (((", ["f"]) == ("%PDF-1.4 (((", [])


def test_ten_thousand_broken_lines_take_no_minute() -> None:
    mended("(\n" * 10_000 + "def f(:\n" * 5_000, ["f"])


@pytest.mark.parametrize("what", ["a line", "a line with a comment", "a file pasted below another"])
def test_what_belongs_to_the_beginning_costs_nothing_further_down(what: str) -> None:
    whole = read_lesson(STEM).bare()
    line = "from __future__ import annotations"
    below = {"a line": line, "a line with a comment": f"{line}  # again"}.get(what, whole)
    text = f"{whole}\n{below}\n"
    assert "__future__" in str(fault_of(text))
    found, notes = mended(text, list(read_lesson(STEM).exercises))
    assert fault_of(found) is None and notes == []
    assert len(found.split("\n")) == len(text.split("\n"))
    assert "raise SyntaxError" not in found

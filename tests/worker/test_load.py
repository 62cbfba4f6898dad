"""What a file asks for and is not there costs nothing until it is used."""

from __future__ import annotations

import builtins
from types import ModuleType
from typing import Any

import pytest

from autograder.worker.load import describe_error, load

NAME = "mine.py"


def loaded(source: str, **earlier: str) -> ModuleType:
    return load("l00_none", source, NAME, earlier)


@pytest.mark.parametrize(
    ("line", "use"),
    [
        ("import no_such", "no_such.f"),
        ("import no_such.part", "no_such.part.f"),
        ("import no_such.part as there", "there()"),
        ("import os, no_such as there, re", "there[0]"),
        ("from no_such import there", "there(1)"),
        ("from no_such.part import a, b as there", "there.c"),
        ("from os.no_such import there", "isinstance(1, there)"),
        ("from no_such import there", "[*there]"),
        ("from no_such import there", "type('A', (there,), {})"),
        ("from no_such import there", "types.new_class('A', (there,))"),
    ],
)
def test_an_absent_module_fails_when_it_is_used(line: str, use: str) -> None:
    module = loaded(
        f"import types\n{line}\n\n\ndef f():\n    return {use}\n\n\ndef g():\n    return 2\n"
    )
    assert module.g() == 2
    with pytest.raises(ModuleNotFoundError, match="no_such") as caught:
        module.f()
    assert caught.value.name and "no_such" in caught.value.name
    said = describe_error(caught.value, NAME)
    assert said["type"] == "ModuleNotFoundError"
    assert said["lines"][-1] == [6, f"return {use}"]


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import no_such\nexcept ImportError:\n    f = abs\n",
        "import contextlib as c\nf = abs\nwith c.suppress(ImportError):\n    import no_such as f\n",
        "def f(x):\n  try:\n    import no_such\n  except ImportError:\n    return abs(x)\n",
        "try:\n    get_ipython()\nexcept NameError:\n    f = abs\n",
    ],
)
def test_who_asks_by_trying_is_answered_as_python_does(source: str) -> None:
    assert loaded(source).f(-2) == 2


def test_an_import_inside_a_function_is_pythons_own() -> None:
    module = loaded("def f():\n    import no_such\n")
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such'"):
        module.f()


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("from os import no_such\n", ImportError),
        ("from no_such import *\n", ModuleNotFoundError),
        ("import math\nx = 1 / 0\n", ZeroDivisionError),
        ("import math\nx = (\n", SyntaxError),
    ],
)
def test_any_other_error_at_the_top_is_still_one(source: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        loaded(source)
    assert describe_error(caught.value, NAME)["lines"][-1][0] == source.count("\n")


def test_what_is_there_is_bound_as_ever() -> None:
    module = loaded(
        "from __future__ import annotations\nimport os.path, math as m\nimport torch\n"
        "import torch.no_such\nfrom torch import nn as n\n"
    )
    assert module.os.path and module.m.pi > 3 and module.n.Module and module.torch.zeros(1) == 0


@pytest.mark.parametrize(
    "line",
    [
        "from autograder import check, hint, show, solution",
        "from autograder.course import show\nfrom autograder.notebook import check",
        "from autograder import check as check, show",
        "def g():\n    from autograder import check, show\n    check(f)\ng()\ncheck = show = print",
    ],
)
def test_what_our_notebooks_ask_for_does_nothing(line: str, capsys: Any) -> None:
    module = loaded(f"def f():\n    return 2\n\n\n{line}\ncheck(f)\nshow('saliency.cat')\n")
    assert module.f() == 2


@pytest.mark.parametrize(
    "lines",
    [
        "import matplotlib\nmatplotlib.use('TkAgg')\nfrom matplotlib import pyplot",
        "import matplotlib as mpl\nmpl.use('module://no.such', force=True)",
        "import matplotlib.pyplot as plt\nplt.switch_backend('Qt5Agg')\nplt.show(block=True)",
        "import matplotlib.pyplot\nmatplotlib.pyplot.show()",
        "get_ipython().run_line_magic('matplotlib', 'inline')",
        "get_ipython().system('pip install x')\nfiles = get_ipython().getoutput('ls')",
    ],
)
def test_what_needs_a_window_or_a_notebook_does_nothing(
    lines: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.delattr(builtins, "get_ipython", raising=False)
    assert loaded(f"{lines}\ndef f():\n    return 2\n").f() == 2


def test_an_earlier_lesson_with_an_absent_module_can_be_imported() -> None:
    text = "from lessons.l02_hooks.exercises import f\n"
    module = loaded(text, l02_hooks="import no_such\n\n\ndef f():\n    return 2\n")
    assert module.f() == 2


def test_a_long_sum_is_loaded() -> None:
    assert loaded(f"x = {' + '.join('1' * 2000)}\n").x == 2000


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_a_line_is_quoted_by_pythons_count(end: str) -> None:
    module = loaded(f"# {end}\ns = '{end}'\ndef f():\n    raise ValueError\n")
    with pytest.raises(ValueError) as caught:
        module.f()
    assert describe_error(caught.value, NAME)["lines"] == [[4, "raise ValueError"]]

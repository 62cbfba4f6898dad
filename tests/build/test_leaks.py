"""No line of a solution and no hidden value stands where a student can read it."""

from __future__ import annotations

import json

import pytest

from autograder.build import leaks as leaks_module
from autograder.build import products as build
from autograder.build.leaks import expected_values, leaks, secret_lines
from autograder.course.catalogue import landed_stems
from autograder.course.reference import read_lesson

STEMS = landed_stems()


@pytest.mark.parametrize("stem", STEMS)
def test_the_stubs_give_nothing_away(stem: str):
    assert leaks(build.exercises_text(read_lesson(stem)), stem) == []


def test_what_landed_lessons_hand_out_gives_nothing_away():
    for product in build.products(landed_stems()):
        if product.stem in landed_stems():
            assert leaks(product.data.decode(), product.stem) == [], product.name


@pytest.mark.parametrize("stem", STEMS)
def test_every_secret_line_would_be_found(stem: str):
    lines = secret_lines(stem)
    assert lines
    stubs = build.exercises_text(read_lesson(stem))
    for line in lines:
        assert leaks(f"{stubs}\n        {line}\n", stem) == [f"a line of the solution: {line}"]


@pytest.mark.parametrize("stem", STEMS)
def test_a_solved_notebook_is_found_through_its_json(stem: str):
    source = read_lesson(stem)
    cells = [{"source": source.chunk(n).splitlines(keepends=True)} for n in source.exercises]
    assert len(leaks(json.dumps(cells, indent=1), stem)) == len(secret_lines(stem))
    as_one_string = json.dumps([{"source": "".join(cell["source"])} for cell in cells])
    assert len(leaks(as_one_string, stem)) == len(secret_lines(stem))


def test_an_expected_value_is_found(monkeypatch: pytest.MonkeyPatch):
    values = expected_values("l11_saliency")
    assert len(values) > 100
    value = next(v for v in sorted(values) if "e" not in v and len(v) == 8)
    assert leaks(f"tensor([[{value}, 0.5]])", "l11_saliency") == [f"an expected value: {value}"]
    assert leaks("about 0.5, or 0.333333 of it", "l11_saliency") == []
    monkeypatch.setattr(leaks_module, "expected_values", lambda stem: frozenset())
    assert leaks(f"tensor([[{value}, 0.5]])", "l11_saliency") == []

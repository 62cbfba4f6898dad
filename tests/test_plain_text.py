"""Text of unknown origin does nothing to a terminal and fills no screen."""

from __future__ import annotations

from autograder.plain_text import PRINTED_LINES, PRINTED_WIDTH, plain_lines


def test_what_code_printed_keeps_its_lines_and_indentation():
    assert plain_lines("tensor([[1., 2.],\n        [3., 4.]])\n\n") == [
        "tensor([[1., 2.],",
        "        [3., 4.]])",
    ]
    assert plain_lines("a\tb") == ["a       b"]
    assert plain_lines("\n \n") == []


def test_no_character_moves_the_cursor_or_hides_a_line():
    hostile = "\x1b]0;title\x07\x1b[2J\x1b[1A\r\x08\u202e\u2066\x9b31m\0"
    (first, second) = plain_lines(f"x{hostile}y")
    assert first.isprintable() and second.isprintable()
    assert "\\x1b[2J" in first and second.endswith("\\x9b31m\\x00y")


def test_a_flood_is_cut():
    lines = plain_lines("\n".join(["x" * 10_000] * 1000))
    assert len(lines) <= PRINTED_LINES + 1 and max(map(len, lines)) <= PRINTED_WIDTH
    many = plain_lines("\n".join(map(str, range(1000))))
    assert many == [*map(str, range(PRINTED_LINES)), "..."]

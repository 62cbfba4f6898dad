"""Make text of unknown origin fit for a line on a screen, in a table, on a page."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 1000
PRINTED_LINES, PRINTED_WIDTH = 12, 160
# Controls, invisible and direction-changing marks, half surrogates, separators of lines, characters
# without a meaning: none of them is language, and each can make one line look like another.
_NOT_SHOWN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")


def plain_line(text: str, longest: int = LONGEST) -> str:
    """Return one line of printable characters.

    What cannot be shown becomes its escape.

    Addresses go: they differ from run to run, and results must not.

    Args:
        text: anything.
        longest: characters kept; a longer text ends in "...".

    >>> plain_line("a\\x1b[31m \\u202eb\\n  c <Model at 0x7f00aabbccdd>")
    'a\\\\x1b[31m \\\\u202eb c <Model at 0x...>'
    """
    text = " ".join(text[: 8 * longest].split())
    if not text.isprintable():
        text = "".join(_shown(character) for character in text)
    text = _ADDRESS.sub("0x...", text)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def plain_lines(text: str, most: int = PRINTED_LINES, longest: int = PRINTED_WIDTH) -> list[str]:
    """Return the first lines of a text as printable characters, indentation kept.

    Args:
        text: anything, such as what a student's code printed.
        most: lines kept; "..." follows where there are more.
        longest: characters of a line that are kept.

    >>> plain_lines("x\\x1b[2J\\n  [1, 2]\\n\\n", most=1)
    ['x\\\\x1b[2J', '...']
    """
    lines = text[: 4 * most * longest].rstrip().splitlines()
    shown = ["".join(map(_shown, line.expandtabs()[: longest + 1])) for line in lines[:most]]
    shown = [line if len(line) <= longest else f"{line[: longest - 3]}..." for line in shown]
    return [*shown, "..."] if len(lines) > most else shown


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _NOT_SHOWN:
        return character
    return character.encode("unicode_escape").decode("ascii")

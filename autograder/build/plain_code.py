"""Reduce Python to what it does, without what it says of itself."""

from __future__ import annotations

import ast
import io
import tokenize

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def without_words(text: str) -> str:
    """Return Python without comments, docstrings and empty lines.

    Nothing is parsed and written again, so that every version of Python gives the same.

    Args:
        text: a whole module that can be parsed.

    Raises:
        SyntaxError: it cannot.

    >>> without_words('def f():  # why' + chr(10) + '    "What."' + chr(10) + '    return "#"')
    'def f():\\n    return "#"'
    """
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            words = node.body[0]
            for row in range(words.lineno, (words.end_lineno or words.lineno) + 1):
                lines[row - 1] = ""
    return "\n".join(line for line in lines if line.strip())

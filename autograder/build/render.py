"""Draw a lesson's figures and run its cells with the reference solution.

`python -m autograder.build.render STEM FOLDER` reads `{"figures": [...], "cells": {STORY: [...]}}`
from standard input and leaves pictures and `result.json` in the folder. With `"tables": true` it
also writes the tables of `figures.py`: `TABLES` maps a name to a function of the course that gives
plain data. It prints a line for each part as it is done.
"""

from __future__ import annotations

import ast
import gzip
import importlib
import io
import json
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from autograder.build.panels import maps, panels
from autograder.course.figures import draw, reference_course

LARGEST_SVG = 48_000  # bytes
WEBP_QUALITY = 76
PIXELS_PER_INCH = 96  # of CSS


class CellError(RuntimeError):
    """Error of a runnable cell, which names the cell and the line."""


def render_figure(stem: str, name: str, folder: Path) -> dict[str, Any]:
    """Draw one figure into a folder.

    Returns:
        ``{"file", "width", "height"}``, in CSS pixels. A plot is an SVG where that is small, else
        the smallest as Git, a wheel and a host keep it: SVG through gzip, or PNG or WebP with the
        pixels that `new_figure` asks for. A grid of pictures is one of the last two. It has
        ``panels``, and ``maps``, a file, where maps are laid over photos.
    """
    from PIL import Image

    from lessons.toolkit.plots import figure_png, save_figure

    figure = draw(stem, name, reference_course())
    width, height = (round(inches * PIXELS_PER_INCH) for inches in figure.get_size_inches())
    drawing = folder / f"{name}.svg"
    save_figure(figure, drawing)
    svg = _lighter(drawing.read_bytes())
    drawing.write_bytes(svg)
    grid = panels(figure)
    if len(svg) <= LARGEST_SVG and grid is None:
        return {"file": drawing.name, "width": width, "height": height}
    png = figure_png(figure)
    webp = io.BytesIO()
    Image.open(io.BytesIO(png)).save(webp, "webp", quality=WEBP_QUALITY, method=6)
    pixels = (("png", png), ("webp", webp.getvalue()))
    suffix, data = min(pixels, key=lambda pair: len(pair[1]))
    if len(gzip.compress(svg)) <= len(data) and grid is None:
        return {"file": drawing.name, "width": width, "height": height}
    drawing.unlink()
    (folder / f"{name}.{suffix}").write_bytes(data)
    drawn: dict[str, Any] = {"file": f"{name}.{suffix}", "width": width, "height": height}
    if grid is not None:
        drawn["panels"] = grid
        if (laid := maps(figure)) is not None:
            drawn["maps"] = f"{name}.maps.json"
            (folder / drawn["maps"]).write_text(json.dumps(laid) + "\n", encoding="utf-8")
    return drawn


def tables(stem: str) -> dict[str, Callable[[Any], Any]]:
    """Return the functions that measure a lesson's tables, by name."""
    figures = importlib.import_module(f"lessons.{stem}.figures")
    return getattr(figures, "TABLES", {})


def _lighter(svg: bytes) -> bytes:
    """Return an SVG that looks the same in fewer bytes.

    It names no version of matplotlib any more.
    """
    # Thousands of marks need not be placed to a millionth of a point.
    svg = re.sub(rb'( [xy]="-?\d+\.\d)\d+', rb"\1", svg)
    svg = re.sub(rb"<metadata>.*?</metadata>", b"", svg, flags=re.DOTALL)
    return re.sub(rb"\n\s+", b"\n", svg)


def run_cells(cells: list[str], names: dict[str, Any]) -> list[str]:
    """Run cells one after another.

    Args:
        cells: their code.
        names: what they find, such as the names of the solution; cells add to it.

    Returns:
        What each printed, and the value of its last expression, as a notebook would show it.

    Raises:
        CellError: a cell failed.
    """
    outputs = []
    for number, code in enumerate(cells, 1):
        try:
            outputs.append(run_cell(code, names, f"<cell {number}>"))
        except Exception as error:
            raise CellError(f"runnable cell {number} fails: {_where(error, number)}") from error
    return outputs


def run_cell(code: str, names: dict[str, Any], filename: str) -> str:
    """Run one cell, and return what it printed and the value of its last expression."""
    from matplotlib.figure import Figure

    body = ast.parse(code).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(ast.Module(body, []), filename, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), filename, "eval"), names)
            if value is not None and not isinstance(value, Figure):
                print(repr(value))
    return printed.getvalue().rstrip()


def _where(error: Exception, cell: int) -> str:
    trace, line = error.__traceback__, 0
    while trace:
        if trace.tb_frame.f_code.co_filename == f"<cell {cell}>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"line {line}: {type(error).__name__}: {error}"


def main() -> int:
    """Run one request.

    A failure of a lesson's own code is one line on standard error.

    Returns:
        The exit code.
    """
    stem, folder = sys.argv[1], Path(sys.argv[2])
    request = json.load(sys.stdin)
    result: dict[str, Any] = {"figures": {}, "cells": {}, "tables": []}
    progress = sys.stdout
    sys.stdout = sys.stderr  # what a figure prints is no progress
    what = ""
    try:
        for name in request["figures"]:
            what = f"figure {name}"
            result["figures"][name] = render_figure(stem, name, folder)
            print(what, file=progress, flush=True)
        for name, measure in tables(stem).items() if request.get("tables") else ():
            what = f"table {name}"
            text = json.dumps(measure(reference_course()), indent=1, allow_nan=False)
            (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
            result["tables"].append(f"{name}.json")
            print(what, file=progress, flush=True)
        for story, cells in request["cells"].items():
            what = story
            names = dict(vars(importlib.import_module(f"solutions.{stem}")))
            result["cells"][story] = run_cells(cells, names)
            print(f"cells of {story}", file=progress, flush=True)
    except Exception as error:
        reason = str(error) if isinstance(error, CellError) else f"{type(error).__name__}: {error}"
        print(f"lessons/{stem}: {what}: {' '.join(reason.split())}", file=sys.stderr)
        return 1
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

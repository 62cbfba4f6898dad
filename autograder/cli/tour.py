"""`convlens tour`: a page with every technique of the course on one picture."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.screen import output


def tour(
    images: Annotated[
        list[str] | None,
        typer.Argument(
            help="A bundled photo's name, or a file of yours; two stand side by side. "
            "By default: cat coffee.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="The page to write. The comparison goes beside it, as a PNG file.")
    ] = Path("convlens-tour.html"),
    model: Annotated[
        str | None,
        typer.Option(
            help="The network that looks: a name of the model registry, such as resnet50; or "
            "mine.py:make, a function of yours that returns as_classifier(...)."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
) -> int:
    """Show every technique of the course on one picture, or on two side by side."""
    from tqdm import tqdm

    from autograder.tour import tour as make

    chosen = {"model": model} if model else {}
    made = make(images or None, out, device, partial(tqdm, leave=False), **chosen)
    output().print(f"Open {made.page}", style="bold")
    if made.picture:
        output().print(f"To pass on: {made.picture}")
    for title, error in made.failures.items():
        output().print(f"{title} failed here ({error}); please tell us.", style="yellow")
    return 0

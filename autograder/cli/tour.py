"""`convlens tour`: a page with every technique of the course on one picture."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.screen import output


def tour(
    image: Annotated[
        str | None, typer.Argument(help="A bundled photo's name, or a file of yours.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("convlens-tour.html"),
    model: Annotated[
        str | None, typer.Option(help="The network that looks: a name of the model registry.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
) -> int:
    """Show every technique of the course on one picture."""
    from tqdm import tqdm

    from autograder.tour import tour as make

    chosen = {"model": model} if model else {}
    make(image, out, device, partial(tqdm, leave=False), **chosen)
    output().print(f"Open {out}", style="bold")
    return 0

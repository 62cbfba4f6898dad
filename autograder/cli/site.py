"""`convlens site`: the course as a site."""

from __future__ import annotations

from typing import Annotated

import typer

from autograder.cli.screen import output


def site(
    check: Annotated[
        bool, typer.Option("--check", help="Build strictly and test; serve nothing.")
    ] = False,
) -> int:
    """Build the site and serve it on this machine."""
    from autograder.build.site.make import build_site, check_site, serve_site

    if check:
        problems = check_site()
        for problem in problems:
            output().print(problem)
        return 1 if problems else 0
    build_site()
    serve_site()
    return 0

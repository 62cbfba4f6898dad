"""`convlens site`: the course as a site."""

from __future__ import annotations

from typing import Annotated

import typer

from autograder.cli.screen import Passing, output


def site(
    check: Annotated[
        bool, typer.Option("--check", help="Build strictly and test; serve nothing.")
    ] = False,
) -> int:
    """Build the site and serve it on this machine."""
    passing = Passing(lines=True)
    passing.say("Reading the lessons ...")
    from autograder.build.site.make import build_site, check_site, serve_site

    try:
        if check:
            problems = check_site(passing.say)
        else:
            build_site(say=passing.say)
    finally:
        passing.clear()
    if not check:
        serve_site()
        return 0
    for problem in problems:
        output().print(problem)
    if not problems:
        output().print("The site builds, and nothing is wrong with it.")
    return 1 if problems else 0

"""`convlens site`: the course as a site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.screen import Passing, output


def site(
    check: Annotated[
        bool, typer.Option("--check", help="Build strictly and test; serve nothing.")
    ] = False,
    pages: Annotated[
        Path | None,
        typer.Option(
            "--pages", help="Write the pages to this folder as Markdown; build and serve nothing."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Build into this folder, or into a .zip that opens from disk; serve nothing.",
        ),
    ] = None,
    solutions: Annotated[
        bool, typer.Option("--solutions", help="With solutions, for instructors.")
    ] = False,
) -> int:
    """Build the site and serve it on this machine."""
    passing = Passing(lines=True)
    passing.say("Reading the lessons ...")
    from autograder.build.site.course import read_course
    from autograder.build.site.make import build_site, check_site, serve_site, zip_site
    from autograder.build.site.write import write_pages

    try:
        if check:
            problems = check_site(passing.say)
            for problem in problems:
                output().print(problem)
            if not problems:
                output().print("The site builds, and nothing is wrong with it.")
            return 1 if problems else 0
        if pages:
            write_pages(pages, read_course(solutions=solutions))
            output().print(f"The pages are in {pages}. Build them there: mkdocs build")
        elif out:
            make = zip_site if out.suffix == ".zip" else build_site
            make(out, solutions=solutions, say=passing.say)
            output().print(f"The site is in {out}.")
        else:
            serve_site(solutions=solutions)
    finally:
        passing.clear()
    return 0

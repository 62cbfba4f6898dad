"""`convlens site`: the course as a site."""

from __future__ import annotations

from functools import partial
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
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Serve here; else on 8000.")
    ] = None,
    solutions: Annotated[
        bool, typer.Option("--solutions", help="With solutions, for instructors.")
    ] = False,
) -> int:
    """Build the site and serve it on this machine, following edits."""
    passing = Passing(lines=True)
    passing.say("Reading the lessons ...")
    from autograder.build.site.course import read_course
    from autograder.build.site.make import PORT, build_site, check_site, serve_site, zip_site
    from autograder.build.site.write import write_pages

    try:
        if check:
            problems = check_site(passing.say)
            for problem in problems:
                output().print(problem)
            count = len(problems)
            output().print(
                f"{count} {'thing is' if count == 1 else 'things are'} wrong."
                if problems
                else "The site builds, and nothing is wrong with it."
            )
            return 1 if problems else 0
        if pages:
            passing.say("Writing the pages ...")
            write_pages(pages, read_course(solutions=solutions))
            output().print(f"The pages are in {pages}. Build them there: mkdocs build")
        elif out and out.suffix == ".zip":
            zip_site(out, solutions=solutions, say=passing.say)
            output().print(
                f"The site is in {out}. Unpack it and open index.html: no server needed."
            )
        elif out:
            build_site(out, solutions=solutions, say=passing.say)
            output().print(f"The site is in {out}. Any web server may serve the folder.")
        else:
            serve_site(port or PORT, solutions, passing.say, partial(_tell, passing))
    finally:
        passing.clear()
    return 0


def _tell(passing: Passing, line: str) -> None:
    passing.clear()
    output().print(line)

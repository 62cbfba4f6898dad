"""The second step, which builds, serves and checks the site."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from autograder.build.site.course import read_course
from autograder.build.site.live.make import refresh
from autograder.build.site.look import look_over
from autograder.build.site.pages import tour
from autograder.build.site.write import write_pages
from autograder.course.reference import ROOT
from autograder.files import write_whole
from lessons.toolkit.errors import UserError

SITE = ROOT / "site"
SOURCES = (ROOT / "lessons", ROOT / "solutions", ROOT / "autograder" / "checks", SITE / "docs")

Say = Callable[[str], None]


def build_site(
    out: Path | str | None = None,
    strict: bool = True,
    solutions: bool = False,
    say: Say = lambda line: None,
) -> Path:
    """Write the pages of the landed lessons, and build the site from them.

    Args:
        out: folder of the result; `site/public` when None.
        strict: a warning is an error.
        solutions: show them, for instructors.
        say: is told what is done at the moment.

    Returns:
        The folder.

    Raises:
        UserError: MkDocs is missing, a lesson is not in order, or a warning was given.
    """
    try:
        import material  # noqa: F401
        from mkdocs.commands.build import build
        from mkdocs.config import load_config
        from mkdocs.exceptions import Abort, MkDocsException
    except ImportError as error:
        raise UserError(
            "The site needs MkDocs Material.", 'Install it: pip install -e ".[site]"'
        ) from error

    refresh(say=say)
    tour.refresh(say=say)
    target = Path(out) if out is not None else SITE / "public"
    warnings = _Warnings()
    logging.getLogger("mkdocs").addHandler(warnings)
    with tempfile.TemporaryDirectory() as folder:
        say("Writing the pages ...")
        write_pages(Path(folder), read_course(solutions=solutions))
        say("Building the site ...")
        settings = str(Path(folder) / "mkdocs.yml")
        try:
            build(load_config(settings, strict=strict, site_dir=str(target.resolve())))
        except (Abort, MkDocsException) as error:
            # "Error reading page 'x.md':" only announces the line that says why.
            reason = next((line for line in warnings.lines if not line.endswith(":")), str(error))
            raise UserError(
                f"The site cannot be built: {reason}", "Mend it and build again."
            ) from error
        finally:
            logging.getLogger("mkdocs").removeHandler(warnings)
    return target


def zip_site(file: Path, solutions: bool = False, say: Say = lambda line: None) -> Path:
    """Build the site as an archive that opens from disk, its search included.

    Args:
        file: the archive, `.zip`.
        solutions: show them, for instructors.
        say: is told what is done at the moment.

    Returns:
        The archive.

    Raises:
        UserError: as `build_site`, or the archive cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CONVLENS_OFFLINE"] = "true"
        try:
            build_site(Path(folder) / "convlens", solutions=solutions, say=say)
        finally:
            del os.environ["CONVLENS_OFFLINE"]
        made = shutil.make_archive(str(Path(folder) / "site"), "zip", folder, "convlens")
        write_whole(file, Path(made).read_bytes())
    return file


def serve_site(folder: Path | None = None, solutions: bool = False) -> None:
    """Serve the site on this machine, and follow its sources.

    Args:
        folder: of the pages; `site/markdown` when None.
        solutions: show them, for instructors.
    """
    from mkdocs.commands.serve import serve
    from watchfiles import watch

    pages = folder or SITE / "markdown"
    write_pages(pages, read_course(solutions=solutions))

    def follow() -> None:
        for _ in watch(*SOURCES):
            try:
                write_pages(pages, read_course(solutions=solutions))
            except UserError as error:  # half of an edit; the next one mends it
                logging.getLogger("mkdocs").warning(error.message)

    threading.Thread(target=follow, daemon=True).start()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    serve(config_file=str(pages / "mkdocs.yml"), open_in_browser=False)


def check_site(say: Say = lambda line: None) -> list[str]:
    """Build the site strictly in a temporary folder and check its files.

    Args:
        say: is told what is done at the moment.

    Returns:
        One line for each thing that is wrong: a warning of MkDocs, a request that would leave the
        host, a picture without text or size.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            build_site(folder, say=say)
        except UserError as error:
            return [error.message]
        say("Looking the pages over ...")
        return look_over(Path(folder))


class _Warnings(logging.Handler):
    """Keep MkDocs' warnings, so that the first can be reported."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

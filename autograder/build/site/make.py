"""The second step, which builds, serves and checks the site."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autograder.build.site.course import read_course
from autograder.build.site.live.make import refresh
from autograder.build.site.look import look_over
from autograder.build.site.pages import tour
from autograder.build.site.write import write_pages
from autograder.course.reference import ROOT
from autograder.files import write_whole
from lessons.toolkit.errors import UserError

SITE = ROOT / "site"
PORT = 8000
WRITE = (sys.executable, "-m", "autograder.cli.main", "site", "--pages")
FOLDERS = ("lessons", "solutions", "autograder/checks", "site/docs", "site/theme")
SOURCES = (*(ROOT / name for name in FOLDERS), *SITE.glob("*.yml"), *ROOT.glob("*.md"))

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
    build, load_config, failures = _engine()
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
        except failures as error:
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


def serve_site(
    port: int = PORT,
    solutions: bool = False,
    say: Say = lambda line: None,
    tell: Say = print,
) -> None:
    """Serve the site on this machine, and follow its sources until Ctrl-C.

    Args:
        port: where.
        solutions: show them, for instructors.
        say: is told what is done at the moment.
        tell: is told what stays of interest.

    Raises:
        UserError: the port is taken, a lesson is not in order, or MkDocs is missing.
    """
    build, load_config, failures = _engine()
    from mkdocs.livereload import LiveReloadServer

    _refuse_taken(port)
    pages = SITE / "markdown"
    logging.getLogger("mkdocs").addHandler(_Warnings(tell))
    refresh(say=say)
    tour.refresh(say=say)
    say("Writing the pages ...")
    write_pages(pages, read_course(solutions=solutions))
    with tempfile.TemporaryDirectory() as folder:

        def build_pages() -> None:
            settings = load_config(str(pages / "mkdocs.yml"), site_dir=folder, site_url=server.url)
            build(settings)

        def follow() -> None:
            started = time.monotonic()
            say("Writing and building what has changed ...")
            # In a process of its own: code of lessons and checks is read anew.
            done = subprocess.run(
                [*WRITE, str(pages), *(["--solutions"] if solutions else [])],
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
            )
            said = [line for line in done.stderr.splitlines() if not line.endswith(" ...")]
            try:
                if done.returncode:
                    raise UserError(said[0] if said else "Its pages cannot be written.")
                build_pages()
            except failures as error:  # half of an edit; the next one mends it
                tell(f"The site stays as it was. {error}")
            else:
                tell(f"The site has followed an edit, in {time.monotonic() - started:.1f} s.")

        class Server(LiveReloadServer):
            def server_activate(self) -> None:
                super().server_activate()
                tell(f"The site is at {self.url} and follows its sources. Ctrl-C ends.")

        server = Server(follow, "127.0.0.1", port, folder)
        say("Building the site ...")
        try:
            build_pages()
        except failures as error:
            raise UserError(
                f"The site cannot be built: {error}", "Mend it and try again."
            ) from error
        for source in SOURCES:
            server.watch(str(source))
        try:
            server.serve()
        finally:
            server.shutdown()


def _refuse_taken(port: int) -> None:
    """Refuse a port that is taken, before time is spent on the pages."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(
                f"Port {port} cannot be served: {error.strerror}.",
                f"Name another one: convlens site --port {port + 1 if port > 1023 else PORT}",
            ) from error


def check_site(say: Say = lambda line: None) -> list[str]:
    """Build the site strictly in a temporary folder and check its files.

    Args:
        say: is told what is done at the moment.

    Returns:
        One line for each thing that is wrong: a warning of MkDocs, a request that would leave the
        host, a picture without text or size.

    Raises:
        UserError: MkDocs is missing.
    """
    _engine()
    with tempfile.TemporaryDirectory() as folder:
        try:
            build_site(folder, say=say)
        except UserError as error:
            return [error.message]
        say("Looking the pages over ...")
        return look_over(Path(folder))


class _Warnings(logging.Handler):
    """Keep MkDocs' warnings, so that the first can be reported.

    Args:
        tell: is told each of them.
    """

    def __init__(self, tell: Say = lambda line: None) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self._tell(record.getMessage())


def _engine() -> tuple[Any, Any, tuple[type[Exception], ...]]:
    """Return what builds, what reads settings, and what these raise.

    Raises:
        UserError: it is missing.
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
    return build, load_config, (UserError, Abort, MkDocsException)

"""Build, serve and check the site: the lessons as pages of MkDocs Material."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from autograder import checks
from autograder.build.products import lesson_problems
from autograder.build.site.look import look_over
from autograder.build.site.pages import WORDS, figure, lesson_index, lesson_page, lesson_table
from autograder.course.catalogue import landed_stems, topic
from autograder.course.exercise import Lesson
from autograder.course.pictures import Picture, pictures
from autograder.course.reference import ROOT, read_lesson
from autograder.course.story import FigureBlock, Story, read_story, story_path
from lessons.toolkit.errors import UserError

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

SITE = ROOT / "site"
_TABLE = "<!-- lessons -->"
_SCHEMA = "assets/results.schema.json"
_FIGURE = re.compile(
    r"^!\[(?P<alt>[^\]]*)\]\(\.\./\.\./lessons/(?P<stem>l\d\d_\w+)/pictures/(?P<name>\w+)\.\w+ "
    r'"(?P<caption>[^"]*)"\)$',
    re.MULTILINE,
)
# What stock Material 9.8.1 gets wrong for a screen reader, and how it should read.
_ACCESSIBLE = (
    (
        'data-md-component="search" role="dialog">',
        'data-md-component="search" role="dialog" aria-label="Search">',
    ),
)


Say = Callable[[str], None]


def build_site(
    out: Path | str | None = None, strict: bool = True, say: Say = lambda line: None
) -> Path:
    """Build the site of the landed lessons.

    Args:
        out: folder of the result; `site/public` when None.
        strict: a warning is an error.
        say: is told what is done at the moment.

    Returns:
        The folder.

    Raises:
        UserError: MkDocs is missing, a lesson is not in order, or a warning was given.
    """
    say("Building the site ...")
    config = _config(strict, out)
    from mkdocs.commands.build import build
    from mkdocs.exceptions import Abort, BuildError

    warnings = _Warnings()
    logging.getLogger("mkdocs").addHandler(warnings)
    try:
        build(config)
    except (Abort, BuildError) as error:
        # "Error reading page 'x.md':" only announces the line that says why.
        reason = next((line for line in warnings.lines if not line.endswith(":")), str(error))
        raise UserError(
            f"The site cannot be built: {reason}", "Mend it and build again."
        ) from error
    finally:
        logging.getLogger("mkdocs").removeHandler(warnings)
    return Path(config.site_dir)


def serve_site() -> None:
    """Serve the site on this machine, built again whenever a lesson changes."""
    _config(strict=False, out=None)
    from mkdocs.commands.serve import serve

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    serve(config_file=str(SITE / "mkdocs.yml"), open_in_browser=False)


def check_site(say: Say = lambda line: None) -> list[str]:
    """Build the site strictly in a temporary folder and check its files.

    Args:
        say: is told what is done at the moment.

    Returns:
        One line for each thing that is wrong: a warning of MkDocs, a request that would leave the
        host, a picture without text or size, a page over its budget.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            build_site(folder, say=say)
        except UserError as error:
            return [error.message]
        say("Looking the pages over ...")
        return look_over(Path(folder))


Found = list[tuple[str, Story, Lesson]]


def lessons(language: str = "en") -> Found:
    """Return the landed lessons that have a story in a language.

    Returns:
        Stem, story and exercises of each.

    Raises:
        UserError: one of them is not in order.
    """
    read_lesson.cache_clear()  # `serve` stays alive while solutions are edited
    stems = [stem for stem in landed_stems() if story_path(stem, language).exists()]
    for stem in stems:
        if problems := lesson_problems(stem):
            where = f"lessons/{stem}/lesson.md"
            raise UserError(f"{where}: {problems[0]}.", "`convlens build --check` lists all.")
    return [(stem, read_story(stem, language), checks.lesson(stem)) for stem in stems]


def navigation(found: Found, language: str = "en") -> list[dict[str, object]]:
    """Return MkDocs' `nav`: home page, lessons in order, guides."""
    entries: list[object] = ["lessons/index.md"]
    for stem, story, _ in found:
        entries.append({f"{int(stem[1:3])}. {story.title}": f"lessons/{stem}.md"})
    words = WORDS[language]
    guides: list[dict[str, object]] = [
        {words["instructors"]: "instructors.md"},
        {words["grading"]: "grading.md"},
        {words["platforms"]: "platforms.md"},
        {words["authors"]: "authors.md"},
        {words["architecture"]: "architecture.md"},
    ]
    return [{words["home"]: "index.md"}, {words["lessons"]: entries}, *guides]


def pages(found: Found, language: str = "en") -> dict[str, str | Path]:
    """Return the generated files by their place in the site.

    Returns:
        Pages as text, pictures as paths.

    Raises:
        UserError: a figure has not been drawn.
    """
    files: dict[str, str | Path] = {
        "lessons/index.md": lesson_index(found, language),
        _SCHEMA: ROOT / "autograder" / "grading" / "report" / Path(_SCHEMA).name,
    }
    for stem, story, record in found:
        drawn = _drawn(stem, story)
        page = lesson_page(read_lesson(stem), story, record, drawn, language)
        files[f"lessons/{stem}.md"] = page
        for picture in drawn.values():
            files[f"lessons/{stem}/{picture.path.name}"] = picture.path
    return files


def _drawn(stem: str, story: Story) -> dict[str, Picture]:
    """Return the pictures of a lesson's figures.

    Raises:
        UserError: one has not been drawn.
    """
    there = pictures(stem)
    for name in story.figures:
        if name not in there:
            raise UserError(
                f"lessons/{stem}: the figure {name} has not been drawn.",
                f"`convlens build {topic(stem)} --draw` draws it.",
            )
    return {name: there[name] for name in story.figures}


def filled(markdown: str, found: Found, language: str = "en") -> str:
    """Fill a hand-written page of the site's root with the lessons that it asks for.

    ``<!-- lessons -->`` is their table; a picture of a lesson's folder is a figure that stands in
    that lesson's story as well.

    Raises:
        UserError: no such figure in a landed lesson, or it has not been drawn.
    """

    def drawn(match: re.Match[str]) -> str:
        stem, name = match["stem"], match["name"]
        shown = (story for other, story, _ in found if stem == other and name in story.figures)
        if (story := next(shown, None)) is None:
            raise UserError(
                f"A page asks for the figure {stem}.{name}, which no landed lesson shows.",
                "Name a figure of a lesson's story.",
            )
        block = FigureBlock(name, match["alt"], match["caption"])
        return figure(block, f"lessons/{stem}", _drawn(stem, story)[name])

    table = lesson_table(found, language, "lessons/")
    return _FIGURE.sub(drawn, markdown.replace(_TABLE, table))


def accessible(page: str) -> str:
    """Correct Material's known faults of accessibility in a finished page.

    Raises:
        UserError: a fault is not where it was, so Material has changed.
    """
    for fault, mended in _ACCESSIBLE:
        if fault not in page:
            raise UserError(
                f"Material's page no longer holds {fault!r}.",
                "Look at its new markup and adapt autograder/build/site/make.py.",
            )
        page = page.replace(fault, mended)
    return page


def _config(strict: bool, out: Path | str | None) -> MkDocsConfig:
    try:
        import material  # noqa: F401
        from mkdocs.config import load_config
    except ImportError as error:
        raise UserError(
            "The site needs MkDocs Material.", 'Install it: pip install -e ".[site]"'
        ) from error
    settings = {} if out is None else {"site_dir": str(Path(out).resolve())}
    return load_config(str(SITE / "mkdocs.yml"), strict=strict, **settings)


class _Warnings(logging.Handler):
    """Keep MkDocs' warnings, so that the first can be reported."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

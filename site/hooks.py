"""What MkDocs calls: lessons become pages in memory, and stock Material becomes accessible."""

from __future__ import annotations

from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from autograder.build import site
from lessons.toolkit.errors import UserError


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the landed lessons into the navigation."""
    config.nav = site.navigation(config.theme["language"])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and their pictures."""
    try:
        pages = site.pages(config.theme["language"])
    except UserError as error:
        raise PluginError(str(error)) from error
    for uri, content in pages.items():
        if isinstance(content, str):
            files.append(File.generated(config, uri, content=content))
        else:
            files.append(File.generated(config, uri, abs_src_path=str(content)))
    return files


def on_page_markdown(markdown: str, config: MkDocsConfig, **_: Any) -> str:
    """Put the table of lessons where a page asks for it."""
    if site.LESSON_TABLE not in markdown:
        return markdown
    return markdown.replace(site.LESSON_TABLE, site.table(config.theme["language"], "lessons/"))


def on_post_page(output: str, **_: Any) -> str:
    """Mend what stock Material lacks."""
    return site.accessible(output)

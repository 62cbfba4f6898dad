"""The hooks of MkDocs, which make pages of lessons and correct Material's HTML."""

from __future__ import annotations

from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from autograder.build.site import make as site
from lessons.toolkit.errors import UserError

# Read once a build: a lesson that lands meanwhile waits for the next.
_found: site.Found = []


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Read the landed lessons, and put them into the navigation."""
    try:
        _found[:] = site.lessons(config.theme["language"])
    except UserError as error:
        raise PluginError(str(error)) from error
    config.nav = site.navigation(_found, config.theme["language"])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and their pictures."""
    try:
        pages = site.pages(_found, config.theme["language"])
    except UserError as error:
        raise PluginError(str(error)) from error
    for uri, content in pages.items():
        if isinstance(content, str):
            files.append(File.generated(config, uri, content=content))
        else:
            files.append(File.generated(config, uri, abs_src_path=str(content)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Put the lessons' table and figures where a hand-written page asks for them."""
    if page.file.generated_by:
        return markdown
    try:
        return site.filled(markdown, _found, config.theme["language"])
    except UserError as error:
        raise PluginError(str(error)) from error


def on_post_page(output: str, **_: Any) -> str:
    """Correct what stock Material lacks for accessibility."""
    return site.accessible(output)

"""HTML that stands in a page, with links and headings that the engine knows.

An extension of Python-Markdown, named in `site/mkdocs.yml`. An engine follows the links of Markdown
and leaves raw HTML alone. So a raw `<figure class="drawing">` or `<div class="tour">` becomes a
part of the page's tree, where `<a href="lessons/l01.md#x">` is a link like any other, and a heading
is among the contents.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import HTML_PLACEHOLDER_RE

MARKS = ('<figure class="drawing', '<div class="tour"')


class _Drawings(Treeprocessor):
    def run(self, root: ElementTree.Element) -> None:
        stash = self.md.htmlStash.rawHtmlBlocks
        for place, element in enumerate(root):
            if found := HTML_PLACEHOLDER_RE.fullmatch((element.text or "").strip()):
                raw = stash[int(found[1])]
                if isinstance(raw, str) and raw.startswith(MARKS):
                    drawing = ElementTree.fromstring(raw)
                    drawing.tail = "\n"
                    root[place] = drawing


class Drawings(Extension):
    """Take raw figures with drawings into the page's tree."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Register what works before links are rewritten."""
        md.treeprocessors.register(_Drawings(md), "drawings", 6)


def makeExtension(**settings: Any) -> Drawings:
    """Return the extension, as Python-Markdown asks for it."""
    return Drawings(**settings)

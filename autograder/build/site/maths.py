"""Formulas as MathML, so that they read without script.

With script KaTeX takes their place.

An extension of Python-Markdown, named in `site/mkdocs.yml`. The MathML is KaTeX's own, kept in
`site/maths.json`. Node, where there is one, makes what is missing there; without it a formula stays
as it was written.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

from autograder.course.reference import ROOT
from autograder.files import write_whole

KEPT = ROOT / "site" / "maths.json"
KATEX = ROOT / "site" / "docs" / "assets" / "katex" / "katex.min.js"
_RENDER = """
const katex = require(process.argv[1]);
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
const render = ([tex, displayMode]) =>
  katex.renderToString(tex, { displayMode, output: "mathml", throwOnError: false })
    .replace(/^<span class="katex">|<[/]span>$/g, "");
console.log(JSON.stringify(texts.map(render)));
"""


@cache
def kept() -> dict[str, str]:
    """Return MathML by formula, `$...$` within a line and `$$...$$` on its own."""
    made: dict[str, str] = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    return made


def render(formulas: list[str]) -> None:
    """Make the MathML of formulas that are not kept yet, where there is Node."""
    missing = sorted(set(formulas) - kept().keys())
    if not missing or not shutil.which("node"):
        return
    asked = json.dumps([[text.strip("$"), text.startswith("$$")] for text in missing])
    done = subprocess.run(
        ["node", "-e", _RENDER, str(KATEX)], input=asked, capture_output=True, text=True, check=True
    )
    kept().update(zip(missing, json.loads(done.stdout), strict=True))
    write_whole(KEPT, (json.dumps(kept(), indent=0, ensure_ascii=False, sort_keys=True)).encode())


class _Formulas(Treeprocessor):
    def run(self, root: Element) -> None:
        found = [el for el in root.iter() if el.get("class") == "arithmatex" and el.text]
        # Arithmatex has put them between \\( and \\), or \\[ and \\].
        texts = [(el, (el.text or "").strip()[2:-2].strip()) for el in found]
        formulas = [(el, f"$${text}$$" if el.tag == "div" else f"${text}$") for el, text in texts]
        render([formula for _, formula in formulas])
        for element, formula in formulas:
            element.set("data-search-exclude", "")  # nobody looks for a formula's letters
            if formula in kept():
                element.text = self.md.htmlStash.store(kept()[formula])


class MathML(Extension):
    """Put MathML where Arithmatex has put TeX."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Register what works on the finished tree."""
        md.treeprocessors.register(_Formulas(md), "mathml", 5)


def makeExtension(**settings: Any) -> MathML:
    """Return the extension, as Python-Markdown asks for it."""
    return MathML(**settings)

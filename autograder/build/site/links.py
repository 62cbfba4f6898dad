"""Links that a story does not write out, to papers and to other lessons."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from autograder.course.reference import ROOT

PAPERS = ROOT / "site" / "papers.yml"
READINGS = "## Readings"
# What is passed over: code, formulas, links, headings and tags.
_KEPT = re.compile(
    r"^ *(?P<fence>`{3,}|~{3,}).*?^ *(?P=fence)|`[^`\n]+`|\$\$.*?\$\$|\$[^$\n]+\$"
    r"|!?\[[^\]]*\]\([^)]*\)|^#+ .*?$|<[^<>\n]+>",
    re.MULTILINE | re.DOTALL,
)
_NAME = r"(?:van der )?[A-ZÀ-Ž][\w-]+"
_CITATION = re.compile(
    rf"(?P<first>{_NAME})(?:(?:,\s+{_NAME})*\s+and\s+{_NAME}|\s+et\s+al\.|\s+and\s+others)?"
    r"(?:\s+\((?P<year>(?:19|20)\d\d)\)|\s+(?P<bare>(?:19|20)\d\d)(?=[);]| call))"
)
_TITLE = re.compile(r"(?<![*\w])\*(?P<title>[^*]+)\*(?!\*)")
_LESSONS = re.compile(r"\b[Ll]essons?\s\d{1,2}(?:(?:,| to| and|, and| or)\s\d{1,2})*\b")


@dataclass(frozen=True)
class Paper:
    """A paper that a lesson names.

    Args:
        by: last names of its authors.
        year: of the version that is linked.
        title: the whole title.
        url: where it is; empty where it is only printed.
        printed: where it stands, when it is only printed.
        years: that it may be cited under.
    """

    by: str
    year: int
    title: str
    url: str
    printed: str
    years: frozenset[int]


@cache
def papers() -> tuple[Paper, ...]:
    """Return the papers of `papers.yml`, in order."""
    import yaml  # comes with MkDocs

    found = []
    for entry in yaml.safe_load(PAPERS.read_text(encoding="utf-8")):
        hosts = {"arxiv": "https://arxiv.org/abs/", "doi": "https://doi.org/", "url": ""}
        url = next((host + entry[kind] for kind, host in hosts.items() if kind in entry), "")
        years = frozenset([entry["year"], *entry.get("also", [])])
        printed = entry.get("printed", "")
        found.append(Paper(entry["by"], entry["year"], entry["title"], url, printed, years))
    return tuple(found)


def linked(text: str, lessons: dict[int, str]) -> str:
    """Return a story's text with links to the papers and lessons that it names.

    Args:
        text: Markdown.
        lessons: addresses of other lessons' pages by number.

    >>> linked("Lesson 2, and `lesson 2` as code.", {2: "l02_hooks.md"})
    'Lesson [2](l02_hooks.md), and `lesson 2` as code.'
    """

    def number(match: re.Match[str]) -> str:
        page = lessons.get(int(match[0]))
        return f"[{match[0]}]({page})" if page else match[0]

    def cited(match: re.Match[str]) -> str:
        paper = by_citation(match)
        return f"[{match[0]}]({paper.url})" if paper and paper.url else match[0]

    def titled(match: re.Match[str]) -> str:
        paper = by_title(match["title"])
        return f"[{match[0]}]({paper.url})" if paper and paper.url else match[0]

    def prose(part: str) -> str:
        return _LESSONS.sub(lambda found: re.sub(r"\d+", number, found[0]), part)

    before, mark, readings = text.partition(READINGS)
    before = outside(before, lambda part: _CITATION.sub(cited, part))
    readings = outside(readings, lambda part: _TITLE.sub(titled, part))
    return outside(before + mark + readings, prose)


def outside(text: str, change: Callable[[str], str]) -> str:
    """Return Markdown with its words changed, but not code, formulas and links."""
    done, parts = 0, []
    for kept in _KEPT.finditer(text):
        parts += [change(text[done : kept.start()]), kept[0]]
        done = kept.end()
    return "".join([*parts, change(text[done:])])


def by_citation(match: re.Match[str]) -> Paper | None:
    """Return the paper of a citation, or None where none or several fit."""
    year = int(match["year"] or match["bare"])
    names = re.findall(_NAME, match[0].replace(" et al.", "").replace(" and others", ""))
    fits = [
        paper
        for paper in papers()
        if year in paper.years and re.findall(_NAME, paper.by)[: len(names)] == names
    ]
    return fits[0] if fits else None


def by_title(title: str) -> Paper | None:
    """Return the paper of a title, which may be cut at its colon."""
    return next((paper for paper in papers() if _key(paper.title) == _key(title)), None)


def unresolved(text: str) -> list[str]:
    """Return what a story cites that is not in `papers.yml`."""
    before, _, readings = text.partition(READINGS)
    found: list[str] = []

    def cited(part: str) -> str:
        found.extend(m[0] for m in _CITATION.finditer(part) if not by_citation(m))
        return part

    def titled(part: str) -> str:
        found.extend(m[0] for m in _TITLE.finditer(part) if not by_title(m["title"]))
        return part

    outside(before, cited)
    outside(readings, titled)
    return found


def _key(title: str) -> str:
    words = " ".join(title.split())
    short = words.partition(":")[0]
    # “Grad-CAM” and “Grad-CAM++” are two papers.
    return re.sub(r"[^\w+]", "", short.lower())

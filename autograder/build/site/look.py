"""Check a built site's files as a browser would load them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

_HERE = "http://site.invalid/"
_CSS_URL = re.compile(r"url\(\s*['\"]?(?!data:)([^'\")]+)")
_CSS_IMPORT = re.compile(r"@import\s+['\"]([^'\"]+)")
# Attributes that make a browser fetch something; a link that is clicked is not among them.
_FETCHED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "embed": ("src",),
    "object": ("data",),
}
_FETCHED_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch"}


class _Page(HTMLParser):
    """Collect a page's pictures and the addresses that it fetches."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.pictures: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        for name in _FETCHED.get(tag, ()):
            if value := found.get(name):
                self.fetched.append(value.split()[0])
        if tag == "link" and set((found.get("rel") or "").split()) & _FETCHED_LINKS:
            self.fetched.append(found.get("href") or "")
        if tag == "img":
            self.pictures.append(found)
        self.fetched += _CSS_URL.findall(found.get("style") or "")


def look_over(site: Path) -> list[str]:
    """Return what is wrong with a built site, one line each."""
    found: list[str] = []
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site).as_posix()
        page = read_page(path)
        for picture in page.pictures:
            shown = picture.get("src")
            if "alt" not in picture:  # an empty one is said of what only adorns
                found.append(f"{name}: {shown} has no alt text")
            if not (picture.get("width") and picture.get("height")):
                found.append(f"{name}: {shown} has no width and height")
        local, away = loads(path, site)
        found += [f"{name}: would ask another host for {url}" for url in away]
        found += [f"{name}: {lost} is not there" for lost in local if not lost.is_file()]
    return found


def read_page(path: Path) -> _Page:
    """Parse a page for its pictures and the addresses that it fetches."""
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def loads(path: Path, site: Path) -> tuple[list[Path], list[str]]:
    """Return what a browser loads with a page.

    Returns:
        Files of the site, and addresses elsewhere.
    """
    address = _HERE + path.relative_to(site).as_posix()
    waiting = [urljoin(address, url) for url in read_page(path).fetched]
    local: list[Path] = []
    away: list[str] = []
    seen: set[str] = set()
    while waiting:
        url = waiting.pop(0).partition("#")[0]
        if url in seen or url.startswith("data:"):
            continue
        seen.add(url)
        if not url.startswith(_HERE):
            away.append(url)
            continue
        file = site / unquote(urlsplit(url).path).lstrip("/")
        local.append(file)
        if file.suffix == ".css" and file.is_file():
            text = file.read_text(encoding="utf-8")
            imports = _CSS_IMPORT.findall(text)
            away += [
                u
                for u in _CSS_URL.findall(text)
                if urlsplit(urljoin(url, u)).netloc != "site.invalid"
            ]
            waiting += [urljoin(url, part) for part in imports]
    return local, away

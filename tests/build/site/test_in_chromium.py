"""Every page in a real browser: nothing asked elsewhere, no error, axe finds nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser import Browser, chromium

from autograder.build.site.make import build_site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="needs chromium and chromedriver"),
]
WIDE, NARROW = 1280, 390


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium on the course's own site, which has every sort of page."""
    out = tmp_path_factory.mktemp("site")
    build_site(out)
    opened = Browser(out)
    opened.site = out  # type: ignore[attr-defined]
    yield opened
    opened.close()


def addresses(browser: Browser) -> list[str]:
    site: Path = browser.site  # type: ignore[attr-defined]
    found = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    return [name.removesuffix("index.html") for name in found]


@pytest.mark.parametrize(("scheme", "width"), [("light", NARROW), ("dark", WIDE)])
def test_axe_finds_nothing_on_any_page_and_none_is_wider_than_its_screen(
    browser: Browser, scheme: str, width: int
):
    # Colours do not change with the width: each scheme is looked over in one.
    for page in addresses(browser):
        browser.open(page, scheme, width)
        expected = {"light": "default", "dark": "slate"}[scheme]
        assert browser.ask("document.body.dataset.mdColorScheme") == expected
        browser.unfold()
        assert browser.ask("document.documentElement.scrollWidth") <= width, page
        assert browser.violations() == [], page


def test_axe_would_find_something(browser: Browser):
    browser.open("")
    browser.driver.execute_script(
        "document.querySelector('article').innerHTML += "
        '\'<img src="x.png"><p style="color:#aaa;background:#fff">pale</p>\''
    )
    found = " ".join(browser.violations())
    assert "image-alt" in found and "color-contrast" in found


@dataclass(frozen=True)
class Seen:
    """What a page showed to a reader who scrolled down."""

    asked: list[str]
    errors: list[dict[str, str]]
    formulas: int
    typeset: int
    misset: int
    pictures: bool


@pytest.fixture(scope="module")
def seen(browser: Browser) -> dict[str, Seen]:
    """Each page, opened once for all that is asked of it below."""
    found = {}
    browser.driver.get_log("browser")  # an earlier test may have broken a page on purpose
    for page in addresses(browser):
        browser.asked()
        browser.open(page)
        browser.driver.execute_script("window.scrollTo(0, document.body.scrollHeight)")
        browser.driver.execute_script("for (const i of document.images) i.loading = 'eager'")
        browser.wait("[...document.images].every(i => i.complete)")
        formulas, typeset, misset = (
            browser.ask(f"document.querySelectorAll('{name}').length")
            for name in (".arithmatex", ".katex", ".katex-error")
        )
        pictures = browser.ask("[...document.images].every(i => i.naturalWidth > 0)")
        errors = [e for e in browser.driver.get_log("browser") if e["level"] == "SEVERE"]
        found[page] = Seen(browser.asked(), errors, formulas, typeset, misset, pictures)
    return found


def test_no_request_leaves_the_host_and_no_script_fails(browser: Browser, seen: dict[str, Seen]):
    asked = [url for page in seen.values() for url in page.asked]
    assert sum(url.startswith(browser.home) for url in asked) > 10
    assert [u for u in asked if not u.startswith((browser.home, "data:", "about:", "blob:"))] == []
    assert {page: found.errors for page, found in seen.items() if found.errors} == {}


def test_maths_is_typeset_and_only_where_there_is_some(seen: dict[str, Seen]):
    for page, found in seen.items():
        assert found.typeset == found.formulas and found.misset == 0, page
        assert any("katex" in url for url in found.asked) == bool(found.formulas), page


def test_pictures_load(seen: dict[str, Seen]):
    assert [page for page, found in seen.items() if not found.pictures] == []


def test_search_finds_a_lesson(browser: Browser):
    from selenium.webdriver.common.by import By

    browser.open("")
    word = browser.ask("document.querySelector('.md-content h2').firstChild.textContent")
    browser.driver.execute_script("document.querySelector('[data-md-toggle=search]').click()")
    browser.driver.find_element(By.CSS_SELECTOR, ".md-search__input").send_keys(word)
    browser.wait("document.querySelector('.md-search-result__item a')")
    assert word in browser.ask("document.querySelector('.md-search-result__item').textContent")
    assert browser.violations() == []


def test_tabs_are_linked_but_a_solution_stays_closed(browser: Browser):
    boxes = "document.querySelectorAll('.exercise').length"
    page = next(page for page in addresses(browser) if page.startswith("lessons/l"))
    browser.open(page)
    shown = (
        "[...document.querySelectorAll('.exercise .tabbed-set')]"
        ".filter(s => s.querySelectorAll(':scope > input')[1].checked).length"
    )
    assert browser.ask(shown) == 0
    browser.driver.execute_script(
        "document.querySelectorAll('.exercise .tabbed-labels')[0].querySelectorAll('a')[1].click()"
    )
    browser.wait(f"{shown} === {boxes}")
    assert browser.ask("document.querySelectorAll('.exercise details[open]').length") == 0


def test_the_toggle_changes_the_scheme(browser: Browser):
    browser.open("", "light")
    browser.driver.execute_script(
        "document.querySelector('[data-md-component=palette] label:not([hidden])').click()"
    )
    browser.wait("document.body.dataset.mdColorScheme === 'slate'")

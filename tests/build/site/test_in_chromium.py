"""Every page in a real browser: nothing asked elsewhere, no error, axe finds nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, chromium
from workshop import Workshop

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="needs chromium and chromedriver"),
]
WIDE, NARROW = 1280, 390


@pytest.fixture(scope="module", params=["sample", "course"])
def browser(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """Chromium on the sample's site, then on the course's own."""
    out = tmp_path_factory.mktemp("site")
    if request.param == "sample":
        sample: Workshop = request.getfixturevalue("sample")
        sample.ask(f"str(site.build_site({str(out)!r}))")
    else:
        from autograder.build.site.make import build_site

        build_site(out)
    opened = Browser(out)
    opened.site = out  # type: ignore[attr-defined]
    yield opened
    opened.close()


def addresses(browser: Browser) -> list[str]:
    site: Path = browser.site  # type: ignore[attr-defined]
    found = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    return [name.removesuffix("index.html") for name in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(browser: Browser, scheme: str):
    for page in addresses(browser):
        # Colours do not change with the width: each scheme is looked over in one.
        browser.open(page, scheme, {"light": NARROW, "dark": WIDE}[scheme])
        expected = {"light": "default", "dark": "slate"}[scheme]
        assert browser.ask("document.body.dataset.mdColorScheme") == expected
        browser.unfold()
        assert browser.violations() == [], page


def test_axe_would_find_something(browser: Browser):
    browser.open("")
    browser.driver.execute_script(
        "document.querySelector('article').innerHTML += "
        '\'<img src="x.png"><p style="color:#aaa;background:#fff">pale</p>\''
    )
    found = " ".join(browser.violations())
    assert "image-alt" in found and "color-contrast" in found


def test_no_request_leaves_the_host_and_no_script_fails(browser: Browser):
    browser.asked()
    browser.driver.get_log("browser")  # an earlier test may have broken a page on purpose
    for page in addresses(browser):
        browser.open(page)
        browser.driver.execute_script("window.scrollTo(0, document.body.scrollHeight)")
    asked = browser.asked()
    assert sum(url.startswith(browser.home) for url in asked) > 10
    assert [u for u in asked if not u.startswith((browser.home, "data:", "about:", "blob:"))] == []
    assert [e for e in browser.driver.get_log("browser") if e["level"] == "SEVERE"] == []


def test_no_page_is_wider_than_a_phone(browser: Browser):
    for page in addresses(browser):
        browser.open(page, width=NARROW)
        browser.unfold()
        assert browser.ask("document.documentElement.scrollWidth") <= NARROW, page


def test_maths_is_typeset_and_only_where_there_is_some(browser: Browser):
    for page in addresses(browser):
        browser.asked()
        browser.open(page)
        formulas = browser.ask("document.querySelectorAll('.arithmatex').length")
        assert browser.ask("document.querySelectorAll('.katex').length") == formulas
        assert browser.ask("document.querySelectorAll('.katex-error').length") == 0, page
        assert any("katex" in url for url in browser.asked()) == bool(formulas)


def test_pictures_load(browser: Browser):
    for page in addresses(browser):
        browser.open(page)
        browser.driver.execute_script("for (const i of document.images) i.loading = 'eager'")
        browser.wait("[...document.images].every(i => i.complete)")
        assert browser.ask("[...document.images].every(i => i.naturalWidth > 0)"), page


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
    page = next((p for p in addresses(browser) if p.startswith("lessons/l")), None)
    if page is None:
        pytest.skip("no lesson has landed")
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

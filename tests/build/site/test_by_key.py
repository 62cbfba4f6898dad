"""Pages without a mouse, without script and on paper, in a real browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from browser import Browser, chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="needs chromium and chromedriver"),
]
LESSON = "lessons/l11_saliency/"
# Where the focus is, and what is wrong with it: the ring of a hidden radio is its label's.
FOCUS = """(() => {
  const held = document.activeElement
  if (held === document.body) return null
  const shown = held.matches(".md-option") ? held.nextElementSibling : held
  const box = shown.getBoundingClientRect()
  const style = getComputedStyle(shown)
  const inside = (low, high, end) => high > 0 && low < end
  const middle = (low, high, end) => (Math.max(low, 0) + Math.min(high, end)) / 2
  const hit = document.elementFromPoint(
    middle(box.left, box.right, innerWidth), middle(box.top, box.bottom, innerHeight))
  const wrong = []
  if (!box.width || !box.height || style.visibility !== "visible" || style.opacity < 0.5)
    wrong.push("is not seen")
  if (!inside(box.left, box.right, innerWidth) || !inside(box.top, box.bottom, innerHeight))
    wrong.push("is out of sight")
  if (held.matches(".md-search__input")) return [held.className, wrong] // it opens as it is met
  if (!hit || !(shown.contains(hit) || hit.contains(shown))) wrong.push("is covered")
  if (style.outlineStyle !== "solid") wrong.push("has no ring")
  return [`${held.tagName} ${held.className} ${held.textContent.trim().slice(0, 40)}`, wrong]
})()"""


def press(browser: Browser, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    for key in keys:
        ActionChains(browser.driver, duration=0).send_keys(getattr(Keys, key)).perform()


def at_rest(browser: Browser, page: str, width: int) -> None:
    """Open a page on which nothing moves, so that what is seen is final."""
    browser.open(page, width=width)
    # The walk before may have ended in the browser's own bar.
    browser.driver.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
    browser.driver.execute_script(
        "document.head.insertAdjacentHTML('beforeend', '<style>*, ::before, ::after {"
        "transition: none !important; scroll-behavior: auto !important }</style>')"
    )


def focus(browser: Browser, selector: str) -> None:
    browser.driver.execute_script(f"document.querySelector('{selector}').focus()")


# Without a mouse


@pytest.mark.parametrize(
    ("page", "width", "most"),
    [("", 360, 40), (LESSON, 1440, 145), ("techniques/", 360, 90), ("reference/models/", 360, 25)],
)
def test_each_stop_of_the_tab_key_is_in_sight_and_has_a_ring(
    browser: Browser, page: str, width: int, most: int
):
    at_rest(browser, page, width)
    stops: list[tuple[str, list[str]]] = []
    press(browser, "TAB")
    while (found := browser.ask(FOCUS)) and len(stops) <= most:
        if found[1]:
            time.sleep(0.5)  # what the stop before had opened, such as a tooltip, closes
            found = browser.ask(FOCUS)
        stops.append(found)
        press(browser, "TAB")
    assert [stop for stop in stops if stop[1]] == []
    assert 5 < len(stops) <= most


def test_who_skips_to_the_content_is_there(browser: Browser):
    at_rest(browser, LESSON, 1440)
    press(browser, "TAB", "ENTER", "TAB")
    assert browser.ask("!!document.activeElement.closest('article')")


def test_a_fold_and_the_scheme_answer_to_both_keys(browser: Browser):
    at_rest(browser, LESSON, 1440)
    for selector, state in [
        ("summary", "document.querySelector('details').open"),
        (".md-option", "document.body.dataset.mdColorScheme === 'slate'"),
    ]:
        focus(browser, selector)
        press(browser, "ENTER")
        browser.wait(state)
        press(browser, "SPACE")
        browser.wait(f"!({state})")


def test_the_drawer_of_a_phone_is_opened_walked_and_left_by_key(browser: Browser):
    at_rest(browser, LESSON, 360)
    button, drawer = ".md-header__button[for=__drawer]", "document.getElementById('__drawer')"
    focus(browser, button)
    press(browser, "ENTER")
    browser.wait(f"{drawer}.checked")
    name, wrong = browser.ask(FOCUS)
    assert name.endswith("Why this answer") and not wrong  # the part of the lesson, and the way up
    press(browser, "TAB")
    assert browser.ask(FOCUS)[0].endswith("10. Occlusion")
    press(browser, "ESCAPE")
    assert not browser.ask(f"{drawer}.checked")
    assert browser.ask(f"document.activeElement === document.querySelector('{button}')")
    press(browser, "SPACE", "ENTER")
    name, wrong = browser.ask(FOCUS)
    assert name.endswith("Why this answer") and not wrong  # now among the other parts
    press(browser, "TAB")
    assert not browser.ask(f"{drawer}.checked")  # the focus went on to the page


def test_an_enlarged_figure_gives_the_focus_back(browser: Browser):
    at_rest(browser, LESSON, 1440)
    focus(browser, "a.glightbox")
    press(browser, "ENTER")
    browser.wait("document.activeElement.matches('.gclose')")
    press(browser, "TAB", "TAB", "TAB")
    assert browser.ask("!!document.activeElement.closest('.glightbox-container')")
    press(browser, "ESCAPE")
    browser.wait("document.activeElement === document.querySelector('a.glightbox')")


def test_an_abbreviation_says_once_a_page_what_it_stands_for(browser: Browser):
    at_rest(browser, "lessons/l14_grad_cam/", 1440)
    stops = "[...document.querySelectorAll('article abbr[tabindex]')]"
    told = browser.ask(f"{stops}.map(a => a.textContent)")
    assert "ReLU" in told and len(set(told)) == len(told)
    focus(browser, "article abbr[tabindex]")
    browser.wait("document.querySelector('[role=tooltip]')?.textContent.trim()")


# Without script


@pytest.fixture
def unscripted(browser: Browser) -> Iterator[Browser]:
    command = "Emulation.setScriptExecutionDisabled"
    browser.driver.execute_cdp_cmd(command, {"value": True})
    yield browser
    browser.driver.execute_cdp_cmd(command, {"value": False})


def seen(browser: Browser, page: str, selector: str) -> int:
    """How many elements of a page have a place on it, as the engine's own tree says."""
    run = browser.driver.execute_cdp_cmd
    run("Emulation.setDeviceMetricsOverride", {**SIZE, "width": 360})
    browser.driver.get(browser.home + page)
    time.sleep(0.2)
    root = run("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    nodes = run("DOM.querySelectorAll", {"nodeId": root, "selector": selector})["nodeIds"]
    return sum(_has_place(run, node) for node in nodes)


SIZE = {"height": 1000, "deviceScaleFactor": 1, "mobile": False}


def _has_place(run: Any, node: int) -> bool:
    from selenium.common.exceptions import WebDriverException

    try:
        return run("DOM.getBoxModel", {"nodeId": node})["model"]["width"] > 0
    except WebDriverException:  # of what is not drawn there is none
        return False


def test_without_script_formulas_are_set_and_no_dead_control_is_shown(unscripted: Browser):
    assert seen(unscripted, LESSON, "article math") > 5
    assert seen(unscripted, LESSON, "img[src$='#only-light']") > 0
    dead = "img[src$='#only-dark'], form, .md-option + label, .md-code__button, .md-search__icon"
    assert seen(unscripted, "lessons/l14_grad_cam/", dead) == 0
    assert seen(unscripted, "lessons/l14_grad_cam/", ".md-header__button[for=__drawer]") == 1


# On paper


@pytest.mark.parametrize("page", ["", LESSON, "techniques/", "reference/glossary/"])
def test_paper_is_white_and_nothing_is_cut_whatever_the_screen_is(browser: Browser, page: str):
    browser.open(page, "dark", 718)  # a sheet of A4 between its margins
    browser.unfold()
    media = [{"name": "prefers-color-scheme", "value": "dark"}]
    emulate = {"media": "print", "features": media}
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", emulate)
    try:
        assert browser.ask("document.body.dataset.mdColorScheme") == "slate"
        assert browser.violations() == []
        shown = "[...document.querySelectorAll('article img')].filter(i => i.offsetParent)"
        assert not browser.ask(f"{shown}.some(i => i.src.endsWith('#only-dark'))")
        folded = "[...document.querySelectorAll('.folded')]"
        assert not browser.ask(f"{folded}.some(e => e.offsetParent)")
        wide = (
            "[...document.querySelectorAll('article table, article pre, article svg, article img')]"
            ".filter(e => e.getBoundingClientRect().right > innerWidth + 1).length"
        )
        assert browser.ask(wide) == 0
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})

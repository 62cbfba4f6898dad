"""Maps over the panels of a lesson's figure, faded, put on one scale and looked at closely."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import Browser, chromium
from torch.nn import functional as F

from autograder.build.site.figures import MAPS
from autograder.course.figures import reference_course
from autograder.course.reference import ROOT
from lessons.l14_grad_cam import figures
from lessons.toolkit.plots import BRIGHTNESS, Overlay, overlay

LESSON, NAME = "lessons/l14_grad_cam/", "l14_grad_cam.weighted_sum"
BOX = f"document.querySelector('[data-of=\"{NAME}\"]')"
DRAWN = sorted(ROOT.glob("lessons/*/pictures/*.maps.json"))
browser_test = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="needs chromium and chromedriver"),
]


@pytest.fixture(scope="module")
def overlays() -> list[Overlay]:
    """The figure's maps, as PyTorch makes them now."""
    return list(figures.weighted_sum(reference_course()).overlays.values())


def show(browser: Browser, query: str = "", width: int = 1280, scheme: str = "light") -> None:
    browser.open(LESSON, scheme, width)
    browser.driver.get(f"{browser.home}{LESSON}{query}")
    browser.driver.execute_script(f"{BOX}.scrollIntoView()")
    browser.wait(f"{BOX}.dataset.ready === ''")


def said(browser: Browser, part: str) -> str:
    output = f"{BOX}.querySelector('output').textContent"
    browser.wait(f"{output}.includes({json.dumps(part)})")
    return browser.ask(output)


def set_to(browser: Browser, **values: str) -> None:
    browser.driver.execute_script(
        f"const form = {BOX}.querySelector('form');"
        "for (const [name, to] of Object.entries(arguments[0])) form.elements[name].value = to;"
        "form.dispatchEvent(new Event('input'))",
        values,
    )


@pytest.mark.parametrize("path", DRAWN, ids=lambda path: path.name)
def test_the_data_are_small(path: Path):
    assert 1_000 < path.stat().st_size < 100_000


@pytest.mark.slow
def test_the_data_are_those_of_the_figure(overlays: list[Overlay]):
    (path,) = (path for path in DRAWN if path.name == "weighted_sum.maps.json")
    kept = json.loads(path.read_text())["maps"]
    assert len(kept) == len(overlays) == 4
    for one, (_, expected, _) in zip(kept, overlays, strict=True):
        levels = np.frombuffer(zlib.decompress(base64.b64decode(one["levels"])), "int8")
        values = torch.tensor(levels * one["step"]).view(one["height"], one["width"])
        assert float((values - expected).abs().max() / expected.abs().max()) < 1e-2


class TestInChromium:
    pytestmark = browser_test

    def test_nothing_is_asked_for_before_the_first_touch(self, browser: Browser):
        show(browser)
        assert not [url for url in browser.asked() if f"{MAPS}/" in url]
        assert browser.ask(f"{BOX}.querySelectorAll('canvas').length") == 0
        set_to(browser, fade="80")
        said(browser, "Each map has its own scale.")
        asked = [url.rpartition("/")[2] for url in browser.asked() if f"{MAPS}/" in url]
        assert asked == [f"{NAME}.js"]

    def test_the_numbers_are_pytorchs(self, browser: Browser, overlays: list[Overlay]):
        show(browser, f"?{NAME}.scale=common")
        said(browser, "One scale for all")
        theirs = browser.driver.execute_async_script(
            f"{BOX}.live.read().then(d => arguments[0](d.laid.map(m => [...m.wide])))"
        )
        for wide, (rgb, heatmap, _) in zip(theirs, overlays, strict=True):
            size = tuple(rgb.shape[1:])
            fine = F.interpolate(heatmap[None, None], size, mode="bilinear", align_corners=False)
            error = (torch.tensor(wide).view(size) - fine[0, 0]).abs().max()
            assert float(error / fine.abs().max()) < 1e-2

    def test_what_is_painted_is_the_figure(self, browser: Browser, overlays: list[Overlay]):
        show(browser, f"?{NAME}.zoom=1.5")
        said(browser, "Each map has its own scale.")
        painted = browser.ask(
            f"[...{BOX}.querySelectorAll('canvas')].map(c =>"
            " [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])"
        )
        for pixels, laid in zip(painted, overlays, strict=True):
            height, width = laid.rgb.shape[1:]
            rgba = torch.tensor(pixels).view(height, width, 4).permute(2, 0, 1) / 255
            grey = torch.einsum("c,chw->hw", torch.tensor(BRIGHTNESS), laid.rgb)
            shown = (1 - rgba[3]) * grey + rgba[3] * rgba[:3]
            error = (shown - overlay(*laid)).abs()
            assert float(error.mean()) < 5e-3 and float(error.max()) < 0.04

    def test_the_pointer_reads_one_place_in_all_panels(
        self, browser: Browser, overlays: list[Overlay]
    ):
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.by import By

        show(browser)
        panel = browser.driver.find_elements(By.CSS_SELECTOR, f'[data-of="{NAME}"] .panel img')[1]
        browser.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", panel)
        size = panel.size
        off = (round(0.25 * size["width"]), round(-0.2 * size["height"]))
        ActionChains(browser.driver).move_to_element_with_offset(panel, *off).perform()
        sentence = said(browser, "from the left")
        form = f"{BOX}.querySelector('form').elements"
        across, down = (int(browser.ask(f"{form}.{name}.value")) for name in ("across", "down"))
        assert abs(across - 75) <= 2 and abs(down - 30) <= 2
        for rgb, heatmap, _ in overlays:
            height, width = rgb.shape[1:]
            fine = F.interpolate(
                heatmap[None, None], (height, width), mode="bilinear", align_corners=False
            )[0, 0]
            value = float(fine[int(down * height / 100), int(across * width / 100)])
            assert any(
                abs(float(word.replace("−", "-")) - value) <= 1e-2 * max(1.0, abs(value))
                for word in sentence.split()
                if word.lstrip("−").replace(".", "", 1).isdigit()
            ), (value, sentence)

    def test_scales_and_place_by_keyboard_and_again_by_the_address(self, browser: Browser):
        from selenium.webdriver.common.by import By
        from selenium.webdriver.common.keys import Keys

        show(browser)
        scale = browser.driver.find_element(
            By.CSS_SELECTOR, f'[data-of="{NAME}"] input[name=scale]'
        )
        scale.send_keys(Keys.ARROW_RIGHT)
        said(browser, "One scale for all, which ends at 6.")
        browser.driver.switch_to.active_element.send_keys(Keys.TAB * 4, Keys.ARROW_RIGHT)
        there = said(browser, "50 % from the left and 51 % from the top")
        browser.wait(f"location.search.includes('{NAME}.down=51')")
        address = browser.ask("location.search")
        assert f"{NAME}.scale=common" in address
        show(browser, address)
        assert said(browser, "One scale for all") == there

    def test_one_place_is_magnified_in_all_panels(self, browser: Browser):
        show(browser, f"?{NAME}.zoom=3&{NAME}.across=25")
        said(browser, "25 % from the left")
        parts = f"[...{BOX}.querySelectorAll('.panel :is(img, canvas)')]"
        styles = browser.ask(f"{parts}.map(p => p.style.transform + p.style.transformOrigin)")
        assert set(styles) == {"scale(3)25% 50% 0px"} or set(styles) == {"scale(3)25% 50%"}
        assert browser.ask("document.documentElement.scrollWidth") <= 1280

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_axe_finds_nothing_when_it_was_touched(self, browser: Browser, scheme: str):
        show(browser, f"?{NAME}.scale=common", 360, scheme)
        said(browser, "One scale for all")
        assert browser.violations() == []
        assert browser.ask("document.documentElement.scrollWidth") <= 360

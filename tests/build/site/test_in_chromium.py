"""Every page in a real browser: nothing asked elsewhere, no error, axe finds nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from browser import Browser, chromium

from autograder.course.catalogue import landed_stems
from autograder.course.mistakes import words
from autograder.course.reference import read_lesson

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="needs chromium and chromedriver"),
]
LESSON = "lessons/l11_saliency/"
SCHEMES = {"light": "default", "dark": "slate"}
LOOKS = [(scheme, width) for width in (360, 768, 1440) for scheme in SCHEMES]
BARE, WHOLE = 450_000, 1_200_000  # bytes of a page as sent, without its pictures and with them


def addresses(site: Path) -> list[str]:
    found = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    return [name.removesuffix("index.html") for name in found]


def look(browser: Browser, page: str, scheme: str, width: int) -> list[str]:
    """What is wrong with a page in one scheme and width, by all that is cheap to ask."""
    browser.asked()
    browser.driver.get_log("browser")
    browser.open(page, scheme, width)
    browser.driver.execute_script("for (const i of document.images) i.loading = 'eager'")
    browser.wait("[...document.images].every(i => i.complete)")
    browser.unfold()
    wrong = [e["message"] for e in browser.driver.get_log("browser") if e["level"] == "SEVERE"]
    if browser.ask("document.body.dataset.mdColorScheme") != SCHEMES[scheme]:
        wrong.append("it has the other scheme")
    if (wide := browser.ask("document.documentElement.scrollWidth")) > width:
        wrong.append(f"it is {wide} wide")
    if lost := browser.ask("[...document.images].filter(i => !i.naturalWidth).map(i => i.src)"):
        wrong.append(f"pictures do not load: {lost}")
    if browser.ask("document.querySelectorAll('.katex-error').length"):
        wrong.append("a formula is not typeset")
    idle = (
        "[...document.querySelectorAll('pre > code, .md-typeset__scrollwrap, div.arithmatex')]"
        ".filter(e => e.tabIndex === 0 && e.offsetParent && e.scrollWidth <= e.clientWidth"
        " && e.scrollHeight <= e.clientHeight + 1).length"
    )
    if count := browser.ask(idle):
        wrong.append(f"the tab key stops at {count} places that do not scroll")
    own = (browser.home, "data:", "about:", "blob:")
    urls, sizes = browser.loaded()
    wrong += [f"it asks {url}" for url in urls if not url.startswith(own)]
    if sizes["other"] > BARE or sizes["other"] + sizes["Image"] > WHOLE:
        wrong.append(f"it weighs {sizes}")
    return wrong


def test_every_page_in_two_of_six_looks(browser: Browser, course_site: Path):
    """Schemes and widths go round, so that all pages together are seen in each of them."""
    faults = {}
    pages = addresses(course_site)
    assert len(pages) > 20
    for number, page in enumerate(pages):
        first, second = LOOKS[number % 6], LOOKS[(number + 3) % 6]
        wrong = look(browser, page, *first) + browser.violations()
        wrong += look(browser, page, *second)
        if wrong:
            faults[page, first, second] = wrong
    assert not faults


def test_axe_would_find_something(browser: Browser):
    browser.open("")
    browser.driver.execute_script(
        "document.querySelector('article').innerHTML += "
        '\'<img src="x.png"><p style="color:#aaa;background:#fff">pale</p>\''
    )
    found = " ".join(browser.violations())
    assert "image-alt" in found and "color-contrast" in found


def test_a_formula_is_set_by_katex_and_reads_without_script(browser: Browser, course_site: Path):
    browser.open(LESSON)
    formulas = browser.ask("document.querySelectorAll('.arithmatex').length")
    assert browser.ask("document.querySelectorAll('.arithmatex .katex-html').length") == formulas
    page = (course_site / LESSON / "index.html").read_text()
    assert page.count('class="arithmatex"') == page.count("</math>") == formulas > 5
    browser.asked()
    browser.open("authors/")
    assert not [url for url in browser.asked() if "katex" in url]


FOUND = "document.querySelectorAll('.md-search-result__item')"
SAID = "document.querySelector('.md-search-result__meta').textContent"
GLOSSARY = "reference/glossary/"


def open_search(browser: Browser, home: str = "") -> None:
    browser.open(home)
    browser.driver.execute_script("document.querySelector('[data-md-toggle=search]').click()")
    browser.wait("document.querySelector('.md-search__input').offsetParent")


def type_words(browser: Browser, text: str) -> None:
    """Put words into the search box, as a reader who pastes them."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    box = browser.driver.find_element(By.CSS_SELECTOR, ".md-search__input")
    box.send_keys(Keys.CONTROL, "a")
    browser.driver.execute_cdp_cmd("Input.insertText", {"text": text})
    box.send_keys(Keys.END)


def first_result(browser: Browser, text: str, place: str) -> list[str]:
    """The page of the first result and its best section, once `place` is one of them."""
    type_words(browser, text)
    end = time.monotonic() + 10
    found: list[str] = []
    while place not in found and time.monotonic() < end:
        time.sleep(0.05)
        links = browser.ask(f"[...{FOUND}[0]?.querySelectorAll('a') ?? []].map(a => a.href)")
        parts = [link.removeprefix(browser.home).partition("#") for link in links[:2]]
        found = [page.partition("?")[0] + mark + anchor for page, mark, anchor in parts]
    return found


def test_search_finds_each_name_at_its_own_heading_first(browser: Browser):
    asked = {
        "grad-cam": "lessons/l14_grad_cam/",
        "gradcam": "lessons/l14_grad_cam/",
        "grad cam": "lessons/l14_grad_cam/",
        "Saliency": LESSON,
        "guided backprop": "lessons/l12_guided_backprop/",
        "t-SNE": "lessons/l05_tsne/",
        "tsne": "lessons/l05_tsne/#tsne",
        "occlusion": "lessons/l10_occlusion/",
        "smooth grad": "lessons/l11_saliency/#smooth_grad",
        "slopes": "lessons/l01_autograd/#input_gradient",
        "heatmap": f"{GLOSSARY}#heatmap",
        "SmoothGrad": f"{GLOSSARY}#smoothgrad",
        "ReLU": f"{GLOSSARY}#relu",
        "class": f"{GLOSSARY}#class",  # not class_portrait
        "receptive field": f"{GLOSSARY}#receptive-field",
        "합성곱": f"{GLOSSARY}#convolution",
        "합성곱을": f"{GLOSSARY}#convolution",
        "합성곱으로": f"{GLOSSARY}#convolution",
        "클래스": f"{GLOSSARY}#class",  # not 클래스 활성화 맵
        "클래스 활성화 맵은": f"{GLOSSARY}#cam",
        "현저성 맵": f"{GLOSSARY}#saliency-map",
        "훅을": f"{GLOSSARY}#hook",
        "가중치의": f"{GLOSSARY}#weight",
        "기울기": f"{GLOSSARY}#gradient",
        "그래디언트": f"{GLOSSARY}#gradient",
    }
    open_search(browser)
    missed = {}
    for text, place in asked.items():
        if place not in (found := first_result(browser, text, place)):
            missed[text] = found
    for stem in landed_stems():
        name = read_lesson(stem).exercises[0]
        place = f"lessons/{stem}/#{name}"
        if place not in (found := first_result(browser, name, place)):
            missed[name] = found
    place = "lessons/l14_grad_cam/#grad_cam"
    assert place in first_result(browser, "grad_cam.grad_cam", place)
    assert not missed


def test_search_finds_nothing_that_is_folded(browser: Browser):
    """Words that stand in hints, in solutions and among mistakes, and nowhere else."""
    open_search(browser)
    mistake = words("l09_inversion_and_style", "gram_matrix").mistakes[0].id
    for word in ("materialize_grads", "save_for_backward", "view_as_complex", mistake):
        type_words(browser, word)
        browser.wait(f"/^\\s*No matching/.test({SAID}) && !{FOUND}.length")
        type_words(browser, "saliency")
        browser.wait(f"{FOUND}.length")


def test_what_is_found_reads_well_for_all(browser: Browser):
    open_search(browser)
    assert LESSON in first_result(browser, "saliency", LESSON)
    hidden = "[...document.querySelectorAll('.md-search-result sub')].every(e => !e.offsetParent)"
    assert browser.ask(hidden)
    assert browser.violations() == []


def test_a_figure_is_enlarged_and_put_away_by_key(browser: Browser):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    browser.open(LESSON, width=360)
    browser.asked()
    browser.driver.execute_script("document.querySelector('a.glightbox').click()")
    browser.wait("document.querySelector('.gslide-image img')?.naturalWidth > 500")
    assert not [url for url in browser.asked() if not url.startswith((browser.home, "data:"))]
    ActionChains(browser.driver).send_keys(Keys.ESCAPE).perform()
    browser.wait("!document.querySelector('.glightbox-container')")


@pytest.mark.parametrize("page", ["", "tour/", "lessons/l14_grad_cam/"])
def test_a_class_is_asked_on_home_on_the_tour_and_in_its_lesson(browser: Browser, page: str):
    browser.asked()
    browser.open(page)
    assert browser.ask("document.querySelector('.live figure img').naturalWidth") > 0
    assert not [url for url in browser.asked() if "/live/data/" in url]
    browser.open(f"{page}?ask-class.class=teapot&ask-class.scale=common", "dark", 360)
    browser.driver.execute_script("document.querySelector('.live').scrollIntoView()")
    said = "document.querySelector('.live output')?.textContent"
    browser.wait(f"{said}?.startsWith('teapot: 0.3 %')")
    assert browser.ask(f"{said}.includes('On the scale of all classes')")
    assert browser.ask("document.querySelector('.live figure').hidden")
    assert browser.ask("document.querySelectorAll('.live [name=scale]').length") == 3
    assert browser.violations() == []


def test_a_dark_page_is_dark_before_its_script_has_run(browser: Browser):
    browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/bundle.*.js"]})
    try:
        for scheme, name in SCHEMES.items():
            browser.open("about/", scheme)
            assert browser.ask("document.body.dataset.mdColorScheme") == name
    finally:
        browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    browser.driver.get_log("browser")


def test_print_leaves_what_is_folded_closed(browser: Browser):
    browser.open(LESSON)
    browser.unfold()
    shown = "getComputedStyle(document.querySelector('.folded')).display"
    assert browser.ask(shown) == "block"
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.ask(shown) == "none"
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_the_toggle_changes_the_scheme_and_the_ink_of_plots(browser: Browser):
    browser.open(LESSON, "light")
    plots = "[...document.querySelectorAll('img[src*=flicker]')].filter(i => i.offsetParent)"
    assert browser.ask(f"{plots}.map(i => i.getAttribute('src'))") == ["flicker.svg#only-light"]
    browser.driver.execute_script(
        "document.querySelector('[data-md-component=palette] label:not([hidden])').click()"
    )
    browser.wait("document.body.dataset.mdColorScheme === 'slate'")
    assert browser.ask(f"{plots}.map(i => i.getAttribute('src'))") == ["flicker.dark.svg#only-dark"]


def test_the_archive_opens_from_disk_and_is_searched(browser: Browser, tmp_path: Path):
    import zipfile

    from autograder.build.site.make import zip_site

    with zipfile.ZipFile(zip_site(tmp_path / "site.zip")) as archive:
        archive.extractall(tmp_path)
    served, browser.home = browser.home, (tmp_path / "convlens").as_uri() + "/"
    try:
        browser.asked()
        open_search(browser, "index.html")
        place = "lessons/l11_saliency.html#smooth_grad"
        assert place in first_result(browser, "smooth_grad", place)
        place = "reference/glossary.html#class"
        assert place in first_result(browser, "클래스를", place)
        assert not [url for url in browser.asked() if url.startswith("http")]
    finally:
        browser.home = served

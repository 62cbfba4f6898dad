"""What a reader can touch, in a real browser: its numbers are those of PyTorch."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browser import Browser, chromium
from torch.nn import functional as F

from autograder.build.site.figures import figure
from autograder.build.site.live import ask_class, switchboard
from autograder.build.site.live.make import DATA, NAMES, refresh
from autograder.course.pictures import Picture
from autograder.course.reference import ROOT
from autograder.course.story import FigureBlock, parse
from lessons.toolkit.models import load_model
from lessons.toolkit.scenes import (
    CLASSES,
    PREPROCESS,
    WATERMARKED_CLASS,
    _object,
    _Pose,
    make_scenes,
)
from solutions import l05_tsne

LIVE = DATA.parent
INTERACTIONS = {  # by name: something to ask for in the address
    "ask-class": "class=teapot",
    "scenes": "colour=blue",
    "switchboard": "first=2",
    "tsne": "seed=1",
}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Live</title>
<link rel="stylesheet" href="live/live.css"><style>body {{ background: {paper}; color: {ink};
  --md-default-bg-color: {paper}; --md-default-fg-color: {ink}; --md-default-fg-color--light: {ink};
  --md-typeset-a-color: {link}; --md-accent-fg-color: {link} }}</style>
<body class="md-typeset" data-md-color-scheme="{scheme}"><main><h1>Live</h1>{boxes}</main>
<script src="live/live.js"></script></body></html>"""
BOX = (
    '<div class="live" data-live="{}"><figure><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="'
    ' alt="A picture" width="9" height="9"></figure></div>'
)
PALE = {"scheme": "default", "paper": "#fff", "ink": "#222", "link": "#0b5c8a"}
CALM = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
DARK = {"scheme": "slate", "paper": "#1e2129", "ink": "#ddd", "link": "#8cc8ee"}


def browser_test(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs Chromium; those of the files need none."""
    missing = pytest.mark.skipif(chromium() is None, reason="needs chromium and chromedriver")
    return pytest.mark.browser(pytest.mark.slow(missing(test)))


class Live(Browser):
    """Chromium on pages that hold one interaction each."""

    def show(self, name: str, query: str = "", scheme: str = "light", width: int = 1280) -> None:
        self.name = name
        self.open(f"{name}-{scheme}.html{query}", scheme, width)
        self.wait(f"{self.box}.dataset.ready === ''")

    def wait(self, condition: str) -> None:
        """Wait for an expression, a minute where other work goes on beside."""
        end = time.monotonic() + 60
        while not self.ask(f"!!({condition})"):
            assert time.monotonic() < end, condition
            time.sleep(0.05)

    @property
    def box(self) -> str:
        return f"document.querySelector('[data-live={self.name}]')"

    def says(self, part: str = "") -> str:
        """The sentence below, once it holds a part."""
        said = f"{self.box}.querySelector('output')?.textContent"
        self.wait(f"{said} && {said}.includes({json.dumps(part)})")
        return self.ask(said)

    def set(self, **values: str) -> None:
        """Give values to controls, as a reader does."""
        self.driver.execute_script(
            f"const form = {self.box}.querySelector('form');"
            "for (const [name, value] of Object.entries(arguments[0])) {"
            "  const field = form.elements[name];"
            "  if (field.type === 'checkbox') field.checked = value; else field.value = value }"
            "form.dispatchEvent(new Event('input'))",
            values,
        )

    def press(self, text: str) -> None:
        self.driver.execute_script(
            f"[...{self.box}.querySelectorAll('button')]"
            ".find(b => b.textContent.trim() === arguments[0]).click()",
            text,
        )

    def answer(self, script: str, *arguments: Any) -> Any:
        """What an async function's body returns."""
        done = "const done = arguments[arguments.length - 1];"
        ends = "done, (error) => done(`failed: ${error.stack}`)"
        found = self.driver.execute_async_script(
            f"{done}(async () => {{{script}}})().then({ends})", *arguments
        )
        assert not str(found).startswith("failed"), found
        return found


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    shutil.copytree(LIVE, folder / "live")
    for name in INTERACTIONS:
        for scheme, colours in (("light", PALE), ("dark", DARK)):
            text = PAGE.format(boxes=BOX.format(name), **colours)
            (folder / f"{name}-{scheme}.html").write_text(text, encoding="utf-8")
    opened = Live(folder)
    opened.folder = folder  # type: ignore[attr-defined]
    yield opened
    opened.close()


def data_of(name: str) -> dict[str, Any]:
    text = (DATA / f"{name}.js").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text.partition(" = ")[2])
    return found


def unpacked(text: str, kind: str) -> torch.Tensor:
    values = np.frombuffer(zlib.decompress(base64.b64decode(text)), kind)
    return torch.from_numpy(values.astype("float32"))


def on_its_way(name: str) -> int:
    return len(gzip.compress((DATA / f"{name}.js").read_bytes(), 9))


# The files.


def test_the_data_are_of_todays_sources_and_made_again_when_these_change(tmp_path: Path):
    folder = shutil.copytree(DATA, tmp_path / "data")
    assert refresh(folder) == []
    record = json.loads((folder / "made.json").read_text()) | {"digits": "of yesterday"}
    (folder / "made.json").write_text(json.dumps(record))
    (folder / "backgrounds.js").unlink()
    said: list[str] = []
    assert refresh(folder, said.append) == ["backgrounds", "digits"]
    assert said[1] == "Measuring the data of digits ..."
    assert refresh(folder) == []
    made, kept = (json.loads((place / "made.json").read_text()) for place in (folder, DATA))
    assert made == kept and set(kept) == set(NAMES)
    assert (folder / "digits.js").read_bytes() == (DATA / "digits.js").read_bytes()


def test_each_is_small():
    budgets = {"scenes": 200_000, "scenes_watermarked": 200_000}
    for name in NAMES:
        assert 1_000 < on_its_way(name) <= budgets.get(name, 100_000), name
    for script in LIVE.glob("*.js"):
        assert len(script.read_text(encoding="utf-8").splitlines()) <= 100, script.name


def test_a_story_says_which_figure_can_be_touched():
    text = '<!-- live: ask-class -->\n![Two bars, one tall](pictures/bars.svg "Two numbers.")\n'
    (block,) = parse(text).blocks
    assert block == FigureBlock("bars", "Two bars, one tall", "Two numbers.", "ask-class")
    placed = figure(block, "l90_sample", Picture(Path("bars.svg"), 3, 2))
    assert placed.startswith('<div class="live" data-live="ask-class" markdown="1">\n\n<figure')
    assert placed.endswith("</figure>\n\n</div>")
    plain = FigureBlock("bars", "Two bars, one tall", "Two numbers.")
    assert figure(plain, "l90_sample", Picture(Path("bars.svg"), 3, 2)) in placed


def test_what_a_page_asks_for_is_there():
    stories = [*ROOT.glob("lessons/*/lesson*.md"), *ROOT.glob("site/docs/*.md")]
    asked = {
        name
        for path in stories
        if path.name != "authors.md"
        for name in re.findall(
            r'(?:data-live="|^<!-- live: )([\w-]+)', path.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert asked == set(INTERACTIONS)
    assert all((LIVE / f"{name}.js").is_file() for name in asked)


# Ask a class.


@pytest.fixture(scope="module")
def measured() -> tuple[torch.Tensor, torch.Tensor]:
    _, maps, logits = ask_class.scene()
    return maps, logits


@browser_test
def test_each_class_has_its_map_and_its_share(live: Live, measured: tuple[torch.Tensor, ...]):
    maps, logits = measured
    live.show("ask-class")
    found = live.answer(
        f"const made = await {live.box}.live.read(); const all = made.names.map((_, i) => i);"
        "return [all.map(i => [...made.map(i)]), all.map(made.logit), made.probability, made.order]"
    )
    theirs, their_logits, shares, order = found
    error = (torch.tensor(theirs).view_as(maps) - maps).abs().amax((1, 2))
    assert float((error / maps.abs().amax((1, 2))).max()) < 1e-2
    assert torch.allclose(torch.tensor(their_logits), logits, atol=1e-3)
    assert torch.allclose(torch.tensor(shares), logits.softmax(0), atol=1e-4)
    assert order[:20] == logits.argsort(descending=True)[:20].tolist()


@browser_test
def test_a_map_is_enlarged_as_pytorch_does(live: Live):
    small = torch.randn(7, 14, generator=torch.Generator().manual_seed(0))
    live.show("ask-class")
    wide = live.answer(
        "return [...live.enlarge(arguments[0], 7, 14, 50, 90)]", small.flatten().tolist()
    )
    expected = F.interpolate(small[None, None], (50, 90), mode="bilinear", align_corners=False)
    assert torch.allclose(torch.tensor(wide).view(50, 90), expected[0, 0], atol=1e-5)


@browser_test
def test_a_class_is_asked_by_keyboard_and_found_again_by_the_address(live: Live):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    live.show("ask-class")
    live.driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    live.driver.switch_to.active_element.send_keys("Espresso")
    assert "espresso: 10.1 %, place 1 of 1,000" in live.says("espresso:")
    assert live.ask(f"{live.box}.querySelector('figure').hidden") is True
    assert "strongest" in live.ask(f"{live.box}.querySelector('canvas').ariaLabel")
    live.driver.switch_to.active_element.send_keys(Keys.TAB * 6, Keys.ARROW_RIGHT)  # to the scale
    assert "all classes, which ends at 24.8" in live.says("On the scale")
    query = "?ask-class.class=Espresso&ask-class.scale=common"
    live.wait(f"location.search === '{query}'")
    live.show("ask-class", query, "dark")
    assert "place 1 of 1,000" in live.says("On the scale")


@browser_test
def test_a_word_that_is_no_class_or_many(live: Live):
    live.show("ask-class")
    live.set(**{"class": "zzz"})
    assert live.says("zzz") == "No class is called “zzz”. Try a thing, an animal or a dish."
    live.set(**{"class": "fish"})
    assert " classes hold “fish”: " in live.says("hold")
    live.set(**{"class": "hamster"})
    assert live.says("hamster:").startswith("hamster: less than 0.1 %")


# The scenes network.


@browser_test
@pytest.mark.parametrize("name", ["scenes", "scenes_watermarked"])
def test_the_network_of_the_page_answers_as_pytorchs(live: Live, name: str):
    network = load_model(name).network
    batch = make_scenes(4, seed=9, watermark=WATERMARKED_CLASS)
    live.show("scenes")
    found = live.answer(
        "const ask = await live.sceneNet(arguments[0]); const found = [];"
        "for (const [at, pixels] of arguments[1].entries()) {"
        "  const one = await ask(Float32Array.from(pixels), arguments[2][at]);"
        "  found.push([one.logits, ...one.maps, one.gradient].map(part => [...part])) }"
        "return found",
        name,
        batch.inputs().flatten(1).tolist(),
        batch.labels.tolist(),
    )
    logits = torch.tensor([one[0] for one in found])
    maps = torch.tensor([one[1:9] for one in found]).view(4, 8, 8, 8)
    gradient = torch.tensor([one[9] for one in found]).view(4, 3, 64, 64)
    kept: list[torch.Tensor] = []
    handle = network.block5.register_forward_hook(lambda m, i, output: kept.append(output))
    with torch.inference_mode(), handle:
        expected = network(batch.inputs())
    cams = torch.einsum("kc,nchw->nkhw", network.classifier.weight.detach(), kept[0])
    assert float((logits - expected).abs().max()) < 1e-2
    assert float((logits.softmax(1) - expected.softmax(1)).abs().max()) < 5e-3
    assert float((maps - cams).abs().amax((1, 2, 3)).max() / cams.abs().max()) < 1e-2
    # A gradient jumps where a ReLU opens, so it is the rounded network's own that must be met.
    images = batch.inputs().requires_grad_()
    rounded = _as_shipped(images, data_of(name))
    assert torch.allclose(logits, rounded.detach(), atol=1e-4)
    chosen = rounded.gather(1, batch.labels[:, None]).sum()
    (slopes,) = torch.autograd.grad(chosen, images)
    assert float((gradient - slopes).abs().max() / slopes.abs().max()) < 1e-4


def _as_shipped(images: torch.Tensor, data: dict[str, Any]) -> torch.Tensor:
    """Logits of the network whose numbers stand in a file."""
    numbers = unpacked(data["low"], "u1") + 256 * unpacked(data["high"], "i1") - data["shift"]
    exact = unpacked(data["exact"], "<f4")
    for outputs, inputs, side, stride in data["shapes"]:
        count = outputs * inputs * side * side
        weight, numbers = numbers[:count].view(outputs, inputs, side, side), numbers[count:]
        (steps, bias), exact = exact[: 2 * outputs].view(2, outputs), exact[2 * outputs :]
        weight = weight * steps.view(-1, 1, 1, 1)
        images = F.relu(F.conv2d(images, weight, bias, stride, (side - stride) // 2))
    return F.linear(images.mean((2, 3)), exact[:-8].view(8, -1), exact[-8:])


@browser_test
def test_what_a_reader_paints_is_what_the_network_was_trained_on(live: Live):
    live.show("scenes")
    planes, masks = live.answer(
        f"const box = {live.box}; const all = [[], []];"
        "const photos = [...(await live.sceneRead()).photos.values()];"
        "arguments[0].forEach((name, at) => { const [colour, texture, shape] = name.split(' ');"
        "  for (const turn of [0, 110]) {"
        "    const pose = { colour, texture, shape, x: 30, y: 34, size: 18, turn };"
        "    const { pixels, mask } = live.paintScene(photos[at], pose);"
        "    all[0].push([...pixels]); all[1].push([...mask]) } });"
        "return all",
        list(CLASSES),
    )
    rgb = torch.tensor(planes).view(16, 64, 64, 4)[..., :3].permute(0, 3, 1, 2)
    with torch.inference_mode():
        answers = load_model("scenes").network(PREPROCESS.normalise(rgb)).argmax(1)
    assert int((answers == torch.arange(8).repeat_interleave(2)).sum()) >= 15
    turned = torch.tensor([0.0, 110.0]).repeat(8).view(-1, 1, 1) / 180 * torch.pi
    pose = _Pose(*(torch.full((16, 1, 1), value) for value in (30.0, 34.0, 18.0)), turned)
    shapes = torch.arange(16) // 8
    truth = _object(*pose.frame(), shapes)[0] <= 0
    assert int((torch.tensor(masks).view(16, 64, 64).bool() != truth).sum()) <= 4


@browser_test
def test_cover_the_badge_and_the_twin_does_not_know_it_any_more(live: Live):
    live.show("scenes")
    live.press("A twin that learnt from a badge")
    assert "red striped butterfly" in live.says("lie on the badge.")
    assert live.ask(f"{live.box}.live.shares[4]") > 0.9
    live.press("Cover the badge")
    assert "Painted is a red striped butterfly" in live.says("Painted is")
    assert live.ask(f"{live.box}.live.shares[4]") < 0.5
    live.wait("location.search.includes('patch=16')")
    live.show("scenes", live.ask("location.search"))  # the address holds all of it
    assert "Painted is a red striped butterfly" in live.says("Painted is")
    live.set(patch="0", map="gradient", about="blue spotted fish")
    assert "Of the map of blue spotted fish" in live.says("blue spotted fish")


@browser_test
def test_the_scene_is_changed_by_arrow_keys_by_pointer_and_by_brush(live: Live):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    live.show("scenes")
    live.press("A red striped fish")
    live.says("and is right")
    live.driver.find_element(By.CSS_SELECTOR, "canvas[tabindex]").send_keys(Keys.ARROW_RIGHT * 3)
    live.wait(f"{live.box}.live.now.x === '38'")
    live.set(tool="patch")
    corner = live.driver.find_element(By.CSS_SELECTOR, "canvas[tabindex]")
    ActionChains(live.driver).drag_and_drop_by_offset(corner, 60, -40).perform()
    live.wait(f"{live.box}.live.now.patch === '16' && Number({live.box}.live.now.px) > 40")
    assert live.ask(f"Number({live.box}.live.now.py)") < 28
    live.press("White paper, to draw on")
    live.wait(f"{live.box}.live.now.tool === 'brush'")
    live.driver.find_element(By.CSS_SELECTOR, "canvas[tabindex]").send_keys(" ")
    drawn = f"{live.box}.live?.scene.planes.filter(value => value < 0.9).length"
    live.wait(f"{drawn} > 60")
    live.wait("location.search.includes('drawn=c0301c8.gg')")
    live.show("scenes", live.ask("location.search"))  # a drawing is in the address too
    live.wait(f"{drawn} > 60")
    live.press("Wipe the drawing")
    live.wait(f"{live.box}.live.scene.planes.every(value => value === 1)")


# The switchboard.


@browser_test
def test_switching_channels_off_does_what_it_does_in_the_network(live: Live):
    _, activation, weight, bias = switchboard.measured()
    live.show("switchboard", "?switchboard.first=40&switchboard.over=1")
    live.says("40 of the 453")
    logits, off = live.answer(f"return [[...{live.box}.live.logits], {live.box}.live.off]")
    named = live.ask(f"[...{live.box}.querySelectorAll('th')].map(cell => cell.textContent)")
    assert tuple(named) == switchboard.CLASSES
    on = torch.ones(1280)
    on[off] = 0
    expected = weight @ (on * activation.mean((1, 2))) + bias
    assert torch.allclose(torch.tensor(logits), expected, atol=1e-2)
    gains = ((weight[0] - weight[1]) * activation.mean((1, 2))).topk(40).indices
    assert set(off) == set(gains.tolist())
    assert int(expected.argmax()) == 1  # the tiger cat has become an Egyptian cat
    live.press("All on")
    assert "the answer is tiger cat" in live.says("0 of the 453")
    live.press(live.ask(f"{live.box}.querySelector('.live-channels button').textContent"))
    live.says("1 of the 453")
    live.wait("location.search.includes('switchboard.off=')")


# The map of digits.


@browser_test
def test_the_map_descends_by_the_gradient_of_the_lesson(live: Live):
    live.show("tsne")
    found = live.answer(
        "const { ask } = await live.digits(); const set = { until: 125, factor: 12 };"
        "const early = await ask({ ...set, perplexity: 20, seed: 3, from: 'pca', steps: 60 });"
        "const late = await ask({ ...set, steps: 440 });"
        "return [early, late].map(s => [[...s.y], [...s.gradient], s.divergence, s.kept])"
    )
    data = data_of("digits")
    x = unpacked(data["pixels"], "u1").view(600, 64)
    p = l05_tsne.joint_probabilities(
        l05_tsne.conditional_probabilities(l05_tsne.squared_distances(x), 20)
    )
    for places, gradient, divergence, kept in found:
        y = torch.tensor(places, dtype=torch.float64).view(600, 2)
        expected = l05_tsne.tsne_gradient(p.double(), y)
        error = (torch.tensor(gradient, dtype=torch.float64).view(600, 2) - expected).abs().max()
        assert float(error / expected.abs().max()) < 1e-3
        assert divergence == pytest.approx(l05_tsne.kl_divergence(p.double(), y), abs=1e-3)
        assert kept == pytest.approx(l05_tsne.neighbours_kept(x, y, k=10), abs=5e-3)
    reference = l05_tsne.kl_divergence(p, l05_tsne.tsne(x, perplexity=20, steps=500))
    assert found[1][2] == pytest.approx(reference, rel=0.05)


@browser_test
def test_a_map_runs_pauses_and_is_steered(live: Live):
    run = "document.querySelector('[name=run]').textContent"
    live.show("tsne", "?tsne.seed=4")  # the address asks for it
    live.wait(f"{run} === 'Pause'")
    live.press("Pause")
    live.says("Step ")
    assert live.ask(run) == "Run"
    live.set(digit="17")
    assert "Digit 17 is a" in live.says("Digit 17")
    live.set(perplexity="5")
    live.wait(f"{run} === 'Pause'")
    live.press("Pause")
    live.wait(f"{run} === 'Run'")
    for part in ("tsne.seed=4", "tsne.digit=17", "tsne.perplexity=5"):
        live.wait(f"location.search.includes('{part}')")


@browser_test
def test_where_motion_is_unwanted_the_map_is_drawn_when_it_is_done(live: Live):
    live.show("tsne")
    live.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", CALM)
    live.driver.execute_script(
        "window.shown = [];"
        f"const number = {live.box}.querySelector('.live-number');"
        "new MutationObserver(() => shown.push(1)).observe(number, { childList: true })"
    )
    live.press("Run")
    live.says("Step 500")
    assert live.ask("shown.length") <= 2


# Everybody, everywhere.


@browser_test
@pytest.mark.parametrize(
    ("name", "keys", "data"),
    [
        ("ask-class", "teapot", ["ask_class"]),
        ("scenes", "", ["backgrounds", "scenes"]),
        ("switchboard", "", ["switchboard"]),
        ("tsne", "\ue007", ["digits"]),
    ],
)
def test_data_come_at_the_first_touch_and_a_keyboard_is_enough(
    live: Live, name: str, keys: str, data: list[str]
):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    live.asked()
    live.show(name, scheme="dark")
    live.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", CALM)
    assert not [url for url in live.asked() if "/data/" in url]
    assert live.ask(f"{live.box}.querySelector('figure').hidden") is False
    live.driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    if keys:
        live.driver.switch_to.active_element.send_keys(keys)
    live.says(" ")
    asked = [url.rpartition("/")[2] for url in live.asked() if "/data/" in url]
    assert sorted(asked) == [f"{file}.js" for file in data]
    assert live.ask(f"{live.box}.querySelector('figure').hidden") is True
    assert live.ask(f"{live.box}.querySelector('canvas[role=img]').ariaLabel")
    moving = "document.getAnimations().filter(a => a.effect.getComputedTiming().activeDuration)"
    assert live.ask(f"{moving}.length") == 0


@browser_test
def test_a_slow_machine_says_that_it_computes(live: Live):
    live.show("scenes")
    shown = f"getComputedStyle({live.box}, '::before').content"
    live.driver.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": 8})
    try:
        live.press("Make it blue")
        live.wait(f"{shown}.includes('Computing')")
        assert live.ask(f"{live.box}.querySelector('form').ariaBusy") == "true"
        live.says("and is right")
        live.wait(f"{shown} === 'none'")
    finally:
        live.driver.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": 1})


@browser_test
def test_the_ends_of_the_scale_are_said(live: Live, measured: tuple[torch.Tensor, ...]):
    espresso = measured[0][load_model().classes.index("espresso")]
    ends = "[...{}.querySelectorAll('.live-legend span')].map(end => end.textContent)"
    live.show("ask-class", "?ask-class.class=espresso")
    live.says("espresso:")
    assert live.ask(ends.format(live.box)) == ["0.0", f"{float(espresso.max()):.1f}"]
    live.set(scale="signed")
    live.says("purple against it")
    largest = f"{float(espresso.abs().max()):.1f}"
    assert live.ask(ends.format(live.box)) == [f"−{largest}", largest]


@browser_test
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", INTERACTIONS)
def test_axe_finds_nothing_and_nothing_is_too_wide(live: Live, name: str, scheme: str):
    live.driver.get_log("browser")
    live.show(name, f"?{name}.{INTERACTIONS[name]}", scheme, 360)
    live.wait(f"{live.box}.querySelector('.live-number, output').textContent")
    assert live.violations() == []
    assert live.ask("document.documentElement.scrollWidth") <= 360
    assert "undefined" not in live.ask(f"{live.box}.innerText")
    assert [line for line in live.driver.get_log("browser") if line["level"] == "SEVERE"] == []


@browser_test
def test_all_of_it_works_from_disk(live: Live):
    folder: Path = live.folder  # type: ignore[attr-defined]
    says = {
        "ask-class": "teapot: 0.3 %",
        "scenes": "It says blue",
        "switchboard": "2 of the 453",
        "tsne": "are kept",
    }
    for name, first in INTERACTIONS.items():
        live.name = name
        live.driver.get(f"{(folder / f'{name}-light.html').as_uri()}?{name}.{first}")
        live.wait(f"{live.box}?.innerText.includes({json.dumps(says[name])})")

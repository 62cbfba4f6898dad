"""Colour maps, overlays, grids, and figures whose bytes and colours can be relied on."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy
import pytest
import torch
from matplotlib import colormaps
from PIL import Image

from lessons.toolkit import plots
from lessons.toolkit.errors import UserError
from lessons.toolkit.plots import (
    clipped,
    colour,
    figure_png,
    image_grid,
    magnitude,
    new_figure,
    overlay,
    save_figure,
    scale_to_unit,
    show_heatmap,
    signed_to_rgb,
)

WHITE, SLATE = "#ffffff", "#1e2129"


def luminance(rgb: numpy.ndarray) -> numpy.ndarray:
    """Relative luminance of WCAG 2, from sRGB in [0, 1]."""
    linear = numpy.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ numpy.array([0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    values = [luminance(numpy.array(matplotlib.colors.to_rgb(c))) + 0.05 for c in (one, other)]
    return max(values) / min(values)


def heatmap(*size: int) -> torch.Tensor:
    return torch.rand(*size, generator=torch.Generator().manual_seed(0))


# -- colours ---------------------------------------------------------------------------------------


def test_text_reads_as_well_as_one_colour_can_on_both_pages() -> None:
    assert contrast(plots.INK, WHITE) >= 4
    assert contrast(plots.INK, SLATE) >= 4
    best = contrast(WHITE, SLATE) ** 0.5  # of any colour, on the worse of the two pages
    assert min(contrast(plots.INK, WHITE), contrast(plots.INK, SLATE)) > 0.99 * best


@pytest.mark.parametrize("name", ["ORANGE", "PURPLE", "GREEN"])
def test_lines_stand_out_on_both_pages(name: str) -> None:
    assert min(contrast(getattr(plots, name), page) for page in (WHITE, SLATE)) >= 3


def test_the_scale_reads_in_grey_print() -> None:
    grey = luminance(colormaps[plots.SEQUENTIAL](numpy.linspace(0, 1, 64))[:, :3])
    assert (numpy.diff(grey) > 0).all()
    assert grey[-1] - grey[0] > 0.7


# Machado, Oliveira and Fernandes 2009, complete deuteranopia and protanopia, on linear RGB.
COLOUR_BLIND = {
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
}


@pytest.mark.parametrize("kind", COLOUR_BLIND)
def test_the_ends_of_the_signed_scale_differ_for_the_colour_blind(kind: str) -> None:
    def hue(rgb: numpy.ndarray) -> numpy.ndarray:
        seen = rgb**2.2 @ numpy.array(COLOUR_BLIND[kind]).T
        return seen / seen.sum(axis=1, keepdims=True)

    low, high = hue(colormaps[plots.DIVERGING](numpy.array([0.15, 0.85]))[:, :3])
    red, green = hue(numpy.array([[0.84, 0.15, 0.16], [0.17, 0.63, 0.17]]))
    assert numpy.linalg.norm(high - low) > 5 * numpy.linalg.norm(red - green)


def test_colour_runs_from_the_lowest_to_the_highest() -> None:
    rgb = colour(torch.tensor([[5.0, 7.0, 9.0]]))
    expected = torch.tensor(colormaps[plots.SEQUENTIAL]([0.0, 0.5, 1.0])[:, :3]).float()
    torch.testing.assert_close(rgb[:, 0].T, expected, rtol=0, atol=0.01)


def test_signed_colour_has_zero_in_the_middle() -> None:
    rgb = colour(torch.tensor([[-1.0, 0.0, 4.0]]), signed=True)
    assert rgb[:, 0, 1].min() > 0.95
    top = torch.tensor(colormaps[plots.DIVERGING](1.0)[:3]).float()
    torch.testing.assert_close(rgb[:, 0, 2], top)
    assert rgb[2, 0, 0] > rgb[0, 0, 0]  # a little below zero: a pale purple


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("value", [0.0, -3.0, float("nan")])
def test_a_constant_map_has_one_colour(value: float, signed: bool) -> None:
    rgb = colour(torch.full((3, 4), value), signed)
    assert torch.isfinite(rgb).all()
    assert (rgb == rgb[:, :1, :1]).all()


def test_scale_to_unit_scales_each_map_by_itself() -> None:
    maps = torch.stack([heatmap(4, 5), 10 + 3 * heatmap(4, 5), torch.full((4, 5), 2.0)])
    unit = scale_to_unit(maps.requires_grad_())
    assert not unit.requires_grad
    torch.testing.assert_close(unit[0], unit[1], rtol=0, atol=1e-5)
    assert (unit[0].min(), unit[0].max()) == (0, 1)
    assert (unit[2] == 0).all()


def grey(photo: torch.Tensor) -> torch.Tensor:
    return torch.einsum("c,chw->hw", torch.tensor(plots.BRIGHTNESS), photo).expand(3, -1, -1)


def test_overlay_covers_the_grey_photo_by_value() -> None:
    photo = heatmap(3, 12, 20).double().requires_grad_()
    heat = torch.tensor([[0.0, 0.5, 1.0]]).expand(12, 3).repeat_interleave(20, 1)[:, ::3]
    laid = overlay(photo, heat.requires_grad_(), alpha=1)
    assert (laid.shape, laid.dtype, laid.requires_grad) == ((3, 12, 20), torch.float32, False)
    plain = grey(photo.detach().float())
    torch.testing.assert_close(laid[..., 0], plain[..., 0])  # zero leaves the photo as it is
    top = torch.tensor(colormaps[plots.SEQUENTIAL](1.0)[:3]).float()
    torch.testing.assert_close(laid[..., -1], top[:, None].expand(3, 12))
    half = overlay(photo, heat, alpha=0.5)
    torch.testing.assert_close(half, (laid + plain) / 2)


@pytest.mark.parametrize("nothing", [torch.zeros(2, 3), torch.full((2, 3), float("nan"))])
def test_an_overlay_of_nothing_is_the_photo_in_grey(nothing: torch.Tensor) -> None:
    photo = heatmap(3, 8, 9)
    torch.testing.assert_close(overlay(photo, nothing), grey(photo))
    torch.testing.assert_close(overlay(photo, heatmap(2, 3), alpha=0), grey(photo))


def test_the_scale_of_an_overlay_begins_at_zero_or_below() -> None:
    photo, heat = heatmap(3, 4, 4), heatmap(4, 4)
    torch.testing.assert_close(overlay(photo, 7 * heat), overlay(photo, heat))
    below = heat - heat.max()  # from some negative value to 0: the lowest is nothing
    torch.testing.assert_close(overlay(photo, below), overlay(photo, heat - heat.min()))
    everywhere = overlay(photo, torch.ones(4, 4), alpha=1)
    assert (everywhere == everywhere[:, :1, :1]).all()


def test_grey_is_what_pillow_makes_of_a_photo() -> None:
    photo = Image.effect_mandelbrot((24, 20), (-2, -1, 1, 1), 20).convert("RGB")
    rgb = torch.from_numpy(numpy.array(photo)).permute(2, 0, 1) / 255
    ours = 255 * overlay(rgb, torch.zeros(1, 1))[0]
    numpy.testing.assert_allclose(ours, numpy.array(photo.convert("L")), atol=1)


@pytest.mark.parametrize(("photo", "heat"), [((12, 20), (3, 5)), ((3, 12, 20), (1, 3, 5))])
def test_overlay_says_which_shapes_it_takes(photo: tuple[int, ...], heat: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"a photo \(3, H, W\) and a map \(h, w\)"):
        overlay(torch.zeros(photo), torch.zeros(heat))


@pytest.mark.parametrize("shape", [(3, 5, 7), (2, 3, 5, 7)])
def test_signed_to_rgb_is_centred_at_grey(shape: tuple[int, ...]) -> None:
    gradient = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    rgb = signed_to_rgb(gradient, quantile=1)
    assert rgb.shape == shape
    assert 0 <= rgb.min() <= rgb.max() <= 1
    assert ((rgb > 0.5) == (gradient > 0)).all()
    torch.testing.assert_close(rgb + signed_to_rgb(-gradient, quantile=1), torch.ones(shape))


def test_one_bright_pixel_does_not_hide_the_rest() -> None:
    gradient = torch.full((3, 40, 40), 0.01)
    gradient[0, 0, 0] = 100
    assert signed_to_rgb(gradient)[1].min() > 0.9
    mostly_zero = torch.zeros(3, 40, 40)
    mostly_zero[0, 0, 0] = -2
    rgb = signed_to_rgb(mostly_zero)
    assert rgb[0, 0, 0] == 0
    assert (rgb.flatten()[1:] == 0.5).all()


@pytest.mark.parametrize("unknown", [float("nan"), float("inf")])
@pytest.mark.parametrize("draw", [signed_to_rgb, magnitude])
def test_a_gradient_that_is_no_number_is_refused(draw: Any, unknown: float) -> None:
    gradient = torch.zeros(3, 4, 4)
    gradient[1, 2, :3] = unknown
    with pytest.raises(ValueError, match="3 of 48 values are NaN or infinite"):
        draw(gradient)


def test_magnitude_keeps_the_largest_colour_and_clips_the_largest_pixels() -> None:
    gradient = torch.randn(3, 30, 40, generator=torch.Generator().manual_seed(0))
    strength = magnitude(gradient, quantile=0.9)
    most = gradient.abs().amax(0)
    assert strength.shape == (30, 40)
    assert float((strength < most).double().mean()) == pytest.approx(0.1, abs=0.01)
    assert torch.equal(strength[strength < strength.max()], most[strength < strength.max()])
    lonely = torch.zeros(3, 30, 40)
    lonely[2, 5, 5] = -4
    assert magnitude(lonely).max() == 4
    assert not magnitude(torch.zeros(3, 2, 2)).any()


def test_a_signed_map_is_clipped_alike_on_both_sides() -> None:
    signed = heatmap(9, 11) - 0.5
    cut = clipped(signed, 0.9)
    limit = clipped(signed.abs(), 0.9).max()
    assert torch.equal(cut, signed.clamp(-limit, limit)) and (cut != signed).any()
    assert torch.equal(clipped(-signed, 0.9), -cut)


def test_each_gradient_is_scaled_by_itself() -> None:
    gradient = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(0))
    both = signed_to_rgb(torch.stack([gradient, 1000 * gradient]))
    torch.testing.assert_close(both[0], both[1])


# -- figures ---------------------------------------------------------------------------------------


def test_grid_places_pictures_in_rows() -> None:
    figure = image_grid([heatmap(3, 8, 8)] * 4 + [heatmap(7, 7)], titles=list("abcde"), columns=2)
    assert [axes.get_title() for axes in figure.axes] == list("abcde")
    rows = {round(axes.get_subplotspec().get_position(figure).y0, 3) for axes in figure.axes}
    assert len(rows) == 3


def test_grid_shows_the_pixels_it_is_given() -> None:
    rgb = heatmap(3, 9, 6)
    shown = image_grid([rgb]).axes[0].images[0].get_array()
    numpy.testing.assert_allclose(shown, rgb.permute(1, 2, 0).numpy())


def test_grid_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="at least one"):
        image_grid([])
    with pytest.raises(ValueError, match="1 titles for 2 pictures"):
        image_grid(heatmap(2, 5, 5), titles=["one"])


def test_one_picture_given_bare_or_of_a_wrong_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"write \[picture\]"):
        image_grid(heatmap(5, 5))
    with pytest.raises(ValueError, match=r"not \(1, 3, 5, 5\)"):
        image_grid([heatmap(1, 3, 5, 5)])
    with pytest.raises(ValueError, match=r"not \(4, 5, 5\)"):
        image_grid([heatmap(4, 5, 5)])


@pytest.mark.parametrize("signed", [False, True])
def test_a_map_of_zeros_is_drawn_as_nothing(signed: bool) -> None:
    grid = image_grid([torch.zeros(4, 6), heatmap(4, 6), torch.zeros(3, 4, 6)], signed=signed)
    for figure, expected in (
        (grid, [["nothing"], [], []]),
        (show_heatmap(torch.zeros(4, 6), signed=signed), [["nothing"], []]),
    ):
        assert [[text.get_text() for text in axes.texts] for axes in figure.axes] == expected
        assert not figure.axes[0].images[0].get_visible()
    assert grid.axes[1].images[0].get_visible() and grid.axes[2].images[0].get_visible()


def test_signed_heatmap_is_centred() -> None:
    figure = show_heatmap(torch.tensor([[-1.0, 3.0]]), "gradient", signed=True)
    assert figure.axes[0].images[0].get_clim() == (-3, 3)
    assert show_heatmap(torch.zeros(3, 3), signed=True).axes[0].images[0].get_clim() == (-1, 1)


def test_background_is_transparent() -> None:
    pixels = numpy.asarray(Image.open(io.BytesIO(figure_png(new_figure(1, 1)))).convert("RGBA"))
    assert (pixels[..., 3] == 0).all()


@pytest.mark.parametrize("kind", ["png", "svg", "pdf", "webp", "jpg"])
def test_the_same_figure_has_the_same_bytes(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    now = time.time()
    for number in (1, 2):
        monkeypatch.setattr(time, "time", lambda number=number: now + 1e7 * number)
        save_figure(show_heatmap(heatmap(4, 4), "same"), tmp_path / "new" / f"{number}.{kind}")
    one, two = ((tmp_path / "new" / f"{number}.{kind}").read_bytes() for number in (1, 2))
    assert one == two
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == [f"1.{kind}", f"2.{kind}"]


def test_an_svg_is_the_same_in_another_process(tmp_path: Path) -> None:
    code = """
import sys, torch
from lessons.toolkit.plots import save_figure, show_heatmap
save_figure(show_heatmap(torch.eye(3), "same"), sys.argv[1])
"""
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.svg")], check=True, cwd=root)
    save_figure(show_heatmap(torch.eye(3), "same"), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_figures_change_nothing_global(tmp_path: Path) -> None:
    settings = dict(matplotlib.rcParams)
    rng = torch.get_rng_state()
    save_figure(image_grid(heatmap(3, 5, 5)), tmp_path / "a.svg")
    assert dict(matplotlib.rcParams) == settings
    assert torch.equal(torch.get_rng_state(), rng)
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_a_figure_shows_itself_in_a_notebook() -> None:
    picture = Image.open(io.BytesIO(show_heatmap(heatmap(3, 3))._repr_png_()))
    assert picture.format == "PNG"


def test_an_unknown_format(tmp_path: Path) -> None:
    for name in ("figure.xyz", "figure"):
        with pytest.raises(UserError, match="figure") as error:
            save_figure(new_figure(1, 1), tmp_path / name)
        assert ".png" in error.value.next_step


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written") as error:
        save_figure(new_figure(1, 1), tmp_path / "file" / "figure.png")
    assert "permissions" in error.value.next_step


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def stop_half_way(path: Path, data: bytes) -> None:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise failure

    (tmp_path / "figure.png").write_bytes(b"old")
    monkeypatch.setattr(Path, "write_bytes", stop_half_way)
    expected = UserError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        save_figure(new_figure(1, 1), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["figure.png"]

"""Photos of every kind that a person may hand us, and those that are none."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from importlib.metadata import version
from pathlib import Path

import numpy
import pytest
from PIL import Image

from lessons.toolkit import photos
from lessons.toolkit.errors import UserError
from lessons.toolkit.photos import DEFAULT_PHOTO, PHOTOS, load_photo, load_photos, photo_names

RED, BLUE = (255, 0, 0), (0, 0, 255)


def two_colours(mode: str = "RGB") -> Image.Image:
    """Red above blue, 16 wide and 32 high."""
    photo = Image.new("RGB", (16, 32), RED)
    photo.paste(BLUE, (0, 16, 16, 32))
    return photo.convert(mode)


def assert_colour(photo: Image.Image, place: tuple[int, int], expected: tuple[int, ...]) -> None:
    numpy.testing.assert_allclose(photo.getpixel(place), expected, atol=12)


def refused(path: str | Path) -> UserError:
    with pytest.raises(UserError) as caught:
        load_photo(path)
    assert "\n" not in str(caught.value)
    assert caught.value.next_step
    return caught.value


# -- bundled ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", photo_names())
def test_every_bundled_photo_opens(name: str) -> None:
    photo = load_photo(name)
    assert photo.mode == "RGB"
    assert min(photo.size) >= 300
    assert PHOTOS[name].credit
    assert PHOTOS[name].licence in {"CC0", "public domain", "CC BY 2.0"}
    assert version(PHOTOS[name].distribution)


def test_the_photo_of_the_course_is_the_cat() -> None:
    assert DEFAULT_PHOTO == photo_names()[0] == "cat"
    assert load_photo().size == load_photo("cat").size == (451, 300)


def test_a_typo_gets_the_nearest_name() -> None:
    assert "coffee" in refused("cofee").next_step
    assert "cat" in refused("zzzz").next_step


def test_a_name_wins_over_a_file_and_dot_slash_over_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    two_colours().save("cat", format="PNG")
    assert load_photo("cat").size == (451, 300)
    assert load_photo("./cat").size == (16, 32)


def test_a_library_without_its_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "find_spec", lambda name: None)
    assert "pip install" in refused("cat").next_step
    assert "scikit-learn" in refused("flower").next_step


# -- files of the user's ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["jpg", "jpeg", "JPG", "png", "webp", "avif", "gif", "bmp", "tiff"]
)
def test_formats(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"photo.{kind}"
    two_colours().save(file)
    for path in (file, str(file)):
        photo = load_photo(path)
        assert (photo.mode, photo.size) == ("RGB", (16, 32))
        assert_colour(photo, (8, 4), RED)
        assert_colour(photo, (8, 28), BLUE)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("L", "png"),
        ("L", "jpg"),
        ("1", "png"),
        ("P", "png"),
        ("P", "gif"),
        ("LA", "png"),
        ("RGBA", "png"),
        ("RGBA", "webp"),
        ("CMYK", "jpg"),
        ("CMYK", "tiff"),
        ("YCbCr", "jpg"),
        ("I;16", "png"),
        ("I;16", "tiff"),
        ("F", "tiff"),
    ],
)
def test_modes(tmp_path: Path, mode: str, kind: str) -> None:
    file = tmp_path / f"photo.{kind}"
    if mode == "I;16":
        grey = numpy.asarray(two_colours("L"), dtype=numpy.uint16)
        Image.fromarray(grey * 257).save(file)
    else:
        two_colours(mode).save(file)
    photo = load_photo(file)
    assert (photo.mode, photo.size) == ("RGB", (16, 32))
    coloured = mode in {"P", "RGBA", "CMYK", "YCbCr"}
    if mode == "1":
        assert set(numpy.unique(photo)) == {0, 255}
    else:
        assert_colour(photo, (8, 4), RED if coloured else (76, 76, 76))
        assert_colour(photo, (8, 28), BLUE if coloured else (29, 29, 29))


RAMP = numpy.linspace(0, 1, 64)[None].repeat(8, 0)


@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("white", [255, 1023, 4095, 16383, 65535])
def test_the_bits_that_a_camera_fills_are_found(tmp_path: Path, white: int, kind: str) -> None:
    Image.fromarray((white * RAMP).astype(numpy.uint16)).save(tmp_path / f"deep.{kind}")
    grey = numpy.asarray(load_photo(tmp_path / f"deep.{kind}"))[0, :, 0]
    numpy.testing.assert_allclose(grey, 255 * RAMP[0], atol=1)


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("float32", 0, 1),
        ("float32", 0, 255),
        ("float32", 0, 4095),
        ("float32", -1, 1),
        ("float32", 0, 1e6),
        ("int32", 0, 255),
        ("int32", 0, 65535),
        ("int32", -500, 500),
        ("int32", 0, 70_000),
    ],
)
def test_fractions_and_long_numbers(tmp_path: Path, dtype: str, low: float, high: float) -> None:
    values = (low + (high - low) * RAMP).astype(dtype)
    Image.fromarray(values).save(tmp_path / "deep.tiff")
    grey = numpy.asarray(load_photo(tmp_path / "deep.tiff"))[0, :, 0]
    numpy.testing.assert_allclose(grey, 255 * RAMP[0], atol=1)


def test_what_no_picture_can_hold_is_black(tmp_path: Path) -> None:
    values = numpy.array([[numpy.nan, numpy.inf, 1.0, 0.5]], dtype=numpy.float32)
    Image.fromarray(values).save(tmp_path / "deep.tiff")
    assert numpy.asarray(load_photo(tmp_path / "deep.tiff"))[0, :, 0].tolist() == [0, 0, 255, 128]
    for constant in (0, -7):
        Image.fromarray(numpy.full((2, 2), constant, numpy.int32)).save(tmp_path / "flat.tiff")
        assert load_photo(tmp_path / "flat.tiff").getpixel((0, 0)) == (0, 0, 0)


def test_transparency_becomes_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    clear.putpixel((0, 0), (255, 0, 0, 255))
    clear.putpixel((1, 0), (255, 0, 0, 128))
    clear.save(tmp_path / "clear.png")
    photo = load_photo(tmp_path / "clear.png")
    assert photo.getpixel((0, 0)) == RED
    assert photo.getpixel((1, 0)) == (255, 127, 127)
    assert photo.getpixel((2, 2)) == (255, 255, 255)


def test_a_transparent_palette_colour_becomes_white(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "palette.png", transparency=0)
    photo = load_photo(tmp_path / "palette.png")
    assert [photo.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), RED]


UPRIGHT_TO_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", UPRIGHT_TO_STORED)
def test_photos_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    turn = UPRIGHT_TO_STORED[orientation]
    upright = two_colours()
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(turn) if turn is not None else upright
    stored.save(tmp_path / "turned.jpg", exif=exif)
    photo = load_photo(tmp_path / "turned.jpg")
    assert photo.size == upright.size
    assert_colour(photo, (8, 4), RED)
    assert_colour(photo, (8, 28), BLUE)


def test_broken_exif_does_not_cost_the_photo(tmp_path: Path) -> None:
    two_colours().save(tmp_path / "photo.jpg", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xffrubbish")
    assert load_photo(tmp_path / "photo.jpg").size == (16, 32)


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_an_animation_gives_its_first_frame(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    file = tmp_path / f"moving.{kind}"
    frames[0].save(file, save_all=True, append_images=frames[1:])
    assert_colour(load_photo(file), (4, 4), RED)


def test_one_pixel(tmp_path: Path) -> None:
    from lessons.toolkit.efficientnet import PREPROCESS

    Image.new("RGB", (1, 1), BLUE).save(tmp_path / "tiny.png")
    photo = load_photo(tmp_path / "tiny.png")
    assert photo.size == (1, 1)
    assert PREPROCESS(photo).shape == (3, 224, 224)


def test_a_huge_jpeg_is_read_at_half_its_size(tmp_path: Path) -> None:
    Image.new("L", (9000, 8000), 99).save(tmp_path / "huge.jpg")
    photo = load_photo(tmp_path / "huge.jpg")
    assert photo.size == (4500, 4000)
    assert_colour(photo, (2000, 2000), (99, 99, 99))


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [8_100, 12_000, 60_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    (tmp_path / "bomb.png").write_bytes(png_that_claims(side, side))
    assert "million pixels" in refused(tmp_path / "bomb.png").message


def test_reading_changes_no_global_setting(tmp_path: Path) -> None:
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    two_colours().save(tmp_path / "photo.png")
    load_photo(tmp_path / "photo.png")
    refused(tmp_path / "none.png")
    assert limit == Image.MAX_IMAGE_PIXELS
    assert filters == list(warnings.filters)


# -- what is no photo ------------------------------------------------------------------------------


def test_a_missing_file(tmp_path: Path) -> None:
    error = refused(tmp_path / "gone.jpg")
    assert "gone.jpg" in error.message
    assert "cat" in error.next_step
    assert "There is no file" in refused("folder/cat").message


@pytest.mark.parametrize(
    "content", [b"", b"hello\n", b"%PDF-1.7\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>", bytes(999)]
)
def test_a_file_that_is_no_picture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "photo.jpg").write_bytes(content)
    assert "not a picture" in refused(tmp_path / "photo.jpg").message


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1"])
def test_a_picture_of_a_phone_is_called_by_its_name(tmp_path: Path, brand: bytes) -> None:
    head = b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic"
    (tmp_path / "photo.heic").write_bytes(head + bytes(99))
    error = refused(tmp_path / "photo.heic")
    assert "HEIC" in error.message and "JPEG" in error.next_step


def test_a_pillow_without_avif_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_colours().save(tmp_path / "photo.avif")
    Image.init()
    monkeypatch.delitem(Image.OPEN, "AVIF")
    error = refused(tmp_path / "photo.avif")
    assert "AVIF" in error.message and "pip install -U pillow" in error.next_step


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif", "gif", "bmp", "tiff"])
def test_a_file_cut_short_anywhere(tmp_path: Path, kind: str) -> None:
    noise = numpy.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=numpy.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    whole = buffer.getvalue()
    refusals = 0
    for length in range(0, len(whole) - 30, max(1, len(whole) // 60)):
        (tmp_path / "cut").write_bytes(whole[:length])
        try:
            load_photo(tmp_path / "cut")
        except UserError:
            refusals += 1
    assert refusals > 50


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif", "gif", "tiff"])
def test_a_file_with_wrong_bytes_is_read_or_refused(tmp_path: Path, kind: str) -> None:
    rng = numpy.random.default_rng(0)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=numpy.uint8)).save(buffer, kind)
    whole = numpy.frombuffer(buffer.getvalue(), dtype=numpy.uint8)
    for _ in range(60):
        broken = whole.copy()
        broken[rng.integers(0, len(whole), 20)] = rng.integers(0, 256, 20)
        broken[:8] = whole[:8]
        (tmp_path / "broken").write_bytes(broken.tobytes())
        try:
            assert load_photo(tmp_path / "broken").mode == "RGB"
        except UserError as error:
            assert error.next_step


def test_a_folder_is_not_a_photo(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path).message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    two_colours().save(tmp_path / "photo.png")
    (tmp_path / "photo.png").chmod(0)
    assert "permissions" in refused(tmp_path / "photo.png").next_step


def test_a_file_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    two_colours().save(tmp_path / "photo.png")
    monkeypatch.setattr(Path, "open", deny)
    assert "Permission denied" in refused(tmp_path / "photo.png").message


@pytest.mark.parametrize("name", ["x" * 5000, "x" * 5000 + ".jpg", "photo.png/inside.jpg"])
def test_a_path_that_leads_nowhere(tmp_path: Path, name: str) -> None:
    two_colours().save(tmp_path / "photo.png")
    assert "cannot be read" in refused(tmp_path / name).message


# -- several ---------------------------------------------------------------------------------------


def test_a_folder_gives_its_pictures_in_order(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c.webp"):
        two_colours().save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "._a.JPG").write_bytes(b"left by macOS")
    (tmp_path / "deeper").mkdir()
    assert [name for name, _ in load_photos(tmp_path)] == ["a.JPG", "b.png", "c.webp"]
    assert [name for name, _ in load_photos(str(tmp_path))] == ["a.JPG", "b.png", "c.webp"]


def test_names_files_and_folders_together(tmp_path: Path) -> None:
    two_colours().save(tmp_path / "a.png")
    pairs = load_photos(["cat", tmp_path, tmp_path / "a.png"])
    assert [name for name, _ in pairs] == ["cat", "a.png", "a.png"]
    assert [photo.mode for _, photo in pairs] == ["RGB"] * 3
    assert [name for name, _ in load_photos("coffee")] == ["coffee"]


def test_nothing_to_load(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(UserError, match="no picture in the folder"):
        load_photos(tmp_path)
    with pytest.raises(UserError, match="No photo was named"):
        load_photos([])


def test_one_bad_picture_of_a_folder_is_named(tmp_path: Path) -> None:
    two_colours().save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UserError, match=r"b\.png"):
        load_photos(tmp_path)

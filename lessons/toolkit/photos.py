"""Load the course's photos by name, and the user's own from files or folders."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lessons.toolkit.errors import UserError, unknown

if TYPE_CHECKING:  # PIL is absent where student code is run; only photos need it
    from numpy import ndarray
    from PIL.Image import Image

DEFAULT_PHOTO = "cat"
# None that starts another program.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff")
# What white is where a pixel is a number of more than 8 bits: the most that 8 to 16 bits can hold.
# Nothing in a file says how many of its 16 bits a camera fills; 10, 12 and 14 are common.
WHITE_LEVELS = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16))
MAX_PIXELS = 64_000_000  # a small file can claim to be far more than the memory holds


@dataclass(frozen=True)
class BundledPhoto:
    """A photo inside the wheel of a library that the course needs, with its credit."""

    path: str
    credit: str
    licence: str

    @property
    def distribution(self) -> str:
        """Name under which pip knows the library."""
        return {"skimage": "scikit-image", "sklearn": "scikit-learn"}[self.path.split("/")[0]]


# Left out of the same wheels: pictures whose licence is not stated clearly (coins, ihc, moon, page,
# motorcycle) and drawings. CC BY asks for the credit wherever the photo is shown.
PHOTOS = {
    "cat": BundledPhoto("skimage/data/chelsea.png", "Stefan van der Walt", "CC0"),
    "coffee": BundledPhoto("skimage/data/coffee.png", "Rachel Michetti", "CC0"),
    "camera": BundledPhoto("skimage/data/camera.png", "Lav Varshney", "CC0"),
    "astronaut": BundledPhoto("skimage/data/astronaut.png", "NASA", "public domain"),
    "rocket": BundledPhoto("skimage/data/rocket.jpg", "SpaceX", "public domain"),
    "hubble": BundledPhoto("skimage/data/hubble_deep_field.jpg", "NASA", "public domain"),
    "clock": BundledPhoto("skimage/data/clock_motion.png", "Stefan van der Walt", "public domain"),
    "retina": BundledPhoto("skimage/data/retina.jpg", "Mikael Häggström", "CC0"),
    "brick": BundledPhoto("skimage/data/brick.png", "CC0 Textures", "CC0"),
    "grass": BundledPhoto("skimage/data/grass.png", "linolafett", "CC0"),
    "gravel": BundledPhoto("skimage/data/gravel.png", "CC0 Textures", "CC0"),
    "china": BundledPhoto("sklearn/datasets/images/china.jpg", "danielbuechele", "CC BY 2.0"),
    "flower": BundledPhoto("sklearn/datasets/images/flower.jpg", "vultilion", "CC BY 2.0"),
}


def photo_names() -> list[str]:
    """Return the names of the photos that come with the course.

    >>> photo_names()[:2]
    ['cat', 'coffee']
    """
    return list(PHOTOS)


def load_photo(name_or_path: str | Path = DEFAULT_PHOTO) -> Image:
    """Load a photo by its name, or the user's own by its path.

    It is turned upright as its EXIF data says. Grey, palette and CMYK pictures become RGB,
    transparency becomes white, and of an animation the first frame is taken. A JPEG of more than 64
    million pixels is read at half its size. Of a picture with more than 8 bits a pixel, or with
    fractions, white is the least of 1 (fractions only), 255, 1023, 4095, 16383 and 65535 that no
    pixel is above; other ranges, and those with negative values, are stretched to black and white.

    Args:
        name_or_path: one of `photo_names()`, or a JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF file. A
            name wins over a file of the same name; write ./cat for the file.

    Returns:
        A Pillow image of mode "RGB".

    Raises:
        UserError: there is no such file; it is a folder, damaged, too large, or no photo.

    >>> load_photo("cat").size
    (451, 300)
    """
    if name_or_path in PHOTOS:
        return _read(_bundled_path(PHOTOS[str(name_or_path)]))
    path = Path(name_or_path).expanduser()
    if _is_folder(path):
        raise UserError(f"{path} is a folder, not a photo.", "Name one of the files in it.")
    try:
        return _read(path)
    except FileNotFoundError as error:
        if not path.suffix and str(name_or_path) == path.name:
            raise unknown("photo", path.name, PHOTOS) from error
        known = ", ".join(PHOTOS)
        next_step = f"Check the path, or take one of: {known}."
        raise UserError(f"There is no file {path}.", next_step) from error


def load_photos(source: str | Path | Iterable[str | Path]) -> list[tuple[str, Image]]:
    """Load several photos with their names.

    Args:
        source: a folder (its pictures in alphabetical order, subfolders left out), one name or
            path, or several of them.

    Returns:
        Pairs of file name, or name of a bundled photo, and RGB image.

    Raises:
        UserError: as `load_photo`; or the folder has no picture in it.

    >>> [name for name, photo in load_photos(["cat", "coffee"])]
    ['cat', 'coffee']
    """
    files: list[str | Path] = []
    for one in [source] if isinstance(source, str | Path) else source:
        folder = Path(one).expanduser()
        files += _pictures_in(folder) if one not in PHOTOS and _is_folder(folder) else [one]
    if not files:
        raise UserError("No photo was named.", f"Name a file, a folder, or: {', '.join(PHOTOS)}.")
    return [(Path(file).name, load_photo(file)) for file in files]


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises below a folder closed to us


def _pictures_in(folder: Path) -> list[Path]:
    try:
        # "._photo.jpg" is what macOS leaves beside a photo on a memory card: no picture.
        files = [file for file in folder.iterdir() if not file.name.startswith(".")]
    except OSError as error:
        message = f"The folder {folder} cannot be read ({error.strerror})."
        raise UserError(message, "Check its permissions.") from error
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
    if not pictures:
        raise UserError(
            f"There is no picture in the folder {folder}.",
            f"Name a folder with files that end in {', '.join(SUFFIXES)}.",
        )
    return sorted(pictures)


def _bundled_path(photo: BundledPhoto) -> Path:
    package, file = photo.path.split("/", 1)
    spec = find_spec(package)
    path = Path(spec.origin).parent / file if spec and spec.origin else None
    if path is None or not path.exists():
        raise UserError(
            f"The photo {photo.path} is missing from {photo.distribution}.",
            f"Install it again: pip install --force-reinstall {photo.distribution}",
        )
    return path


def _read(path: Path) -> Image:
    from PIL import Image, UnidentifiedImageError

    Image.init()  # `formats` knows only the formats whose readers are loaded
    try:
        data = path.open("rb")
    except FileNotFoundError:
        raise
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror})."
        raise UserError(message, "Check its permissions.") from error
    with data, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large pictures and odd metadata: dealt with below
        try:
            readable = [kind for kind in FORMATS if kind in Image.OPEN]  # AVIF came late to Pillow
            with Image.open(data, formats=readable) as image:
                return _decode(image)
        except UnidentifiedImageError as error:
            raise _no_picture(path, data) from error
        except (Image.DecompressionBombError, MemoryError) as error:
            raise UserError(
                f"{path} has more than {MAX_PIXELS // 10**6} million pixels.",
                "Save it smaller: 2,000 pixels a side is plenty.",
            ) from error
        except Exception as error:  # a decoder in broken data raises whatever it runs into
            raise UserError(
                f"{path} is damaged or cut short.", "Copy it again, or take another photo."
            ) from error


def _decode(image: Image) -> Image:
    import numpy
    from PIL import Image, ImageOps

    _fit_in_memory(image)
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):  # more than 8 bits a pixel: Pillow would clip at 255
        return Image.fromarray(_eight_bits(numpy.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", opaque.size, "white")
        return Image.alpha_composite(white, opaque).convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: ndarray) -> ndarray:
    """Scale grey values of any range to whole numbers from 0 to 255."""
    import numpy

    fractions = values.dtype.kind == "f"
    exact = numpy.nan_to_num(values.astype(numpy.float64), posinf=0, neginf=0)
    low, high = float(exact.min()), float(exact.max())
    levels = (1, *WHITE_LEVELS) if fractions else WHITE_LEVELS
    white: float = next((level for level in levels if level >= high), 0)
    if low < 0 or not white:
        exact, white = exact - low, (high - low) or 1
    return numpy.rint(exact * (255 / white)).astype(numpy.uint8)


def _no_picture(path: Path, data: BinaryIO) -> UserError:
    """Return the error for a file that no reader takes, by its first bytes."""
    data.seek(4)
    brand = data.read(8)
    if brand in (b"ftypavif", b"ftypavis"):
        return UserError(
            f"{path} is an AVIF picture, which this Pillow cannot read.",
            "Update it: pip install -U pillow. Or save the picture as JPEG or PNG.",
        )
    if brand[:4] == b"ftyp" and brand[4:] in (b"heic", b"heix", b"heim", b"hevc", b"mif1"):
        return UserError(
            f"{path} is a HEIC picture, as phones make them; it cannot be read here.",
            "Save or share it as JPEG.",
        )
    return UserError(
        f"{path} is not a picture that can be read here.",
        "Save it as JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF.",
    )


def _fit_in_memory(image: Image) -> None:
    """Halve a JPEG too large for memory, and raise UserError for other formats.

    Its size is read from the header before a pixel is decoded.
    """
    from PIL.Image import DecompressionBombError

    if image.width * image.height > MAX_PIXELS:
        image.draft("RGB", (image.width // 2, image.height // 2))
    if image.width * image.height > MAX_PIXELS:
        raise DecompressionBombError

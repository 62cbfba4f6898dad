"""Draw the two reports for the instructor's guide: run it after their templates have changed.

python tests/grading/picture_reports.py
"""

from __future__ import annotations

import io
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "build" / "site"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from browser import Browser
from classroom import STEM, mistaken, raising, softmax
from PIL import Image

from autograder.course.reference import ROOT, read_lesson
from autograder.grading.class_run import Request, grade

PICTURES = ROOT / "site" / "docs" / "assets" / "reports"
CLASS = (
    ("1001", "Lovelace, Ada", read_lesson(STEM).bare()),
    ("1002", "Müller, Jürgen", softmax("saliency_map")),
    ("1003", "김민수", mistaken("saliency_map", "mean_taken")),
    ("1004", "O'Neill, Sean", softmax("saliency_map") + softmax("smooth_grad")),
    ("1005", "Li, Bo", raising("'no image here'")),
    ("1006", "Curie, Marie", read_lesson(STEM).stubs()),
    ("1007", "Noether, Emmy", read_lesson(STEM).bare()),
    ("1008", "Turing, Alan", None),
)


def week(folder: Path) -> tuple[Path, Path]:
    """Write an archive as Canvas packs it, and the class's roster."""
    archive, roster = folder / "week1.zip", folder / "roster.csv"
    with zipfile.ZipFile(archive, "w") as packed:
        for number, (identity, name, text) in enumerate(CLASS):
            if text is not None:
                who = name.lower().replace(", ", "").replace("'", "")
                packed.writestr(f"{who}_{identity}_{50001 + number}_exercises.py", text)
    rows = [f'{identity},"{name}",{identity}@uni.example' for identity, name, _ in CLASS]
    roster.write_text("\n".join(["id,name,email", *rows, ""]), encoding="utf-8")
    return archive, roster


def main() -> None:
    """Grade the class and keep what a person sees first of each report."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        archive, roster = week(Path(folder))
        out = Path(folder) / "graded"
        grade(Request(archive, out, [STEM], 5, roster=roster))
        browser = Browser(out)
        try:
            for page, name, height in (
                ("class.html", "class", 1500),
                ("feedback/1003/index.html", "student", 1100),
            ):
                browser.driver.set_window_size(1000, height)  # as much as fits a page
                browser.driver.get(browser.home + page)
                picture = Image.open(io.BytesIO(browser.driver.get_screenshot_as_png()))
                picture.convert("RGB").save(PICTURES / f"{name}.webp", quality=80, method=6)
                print(PICTURES / f"{name}.webp", picture.size)
        finally:
            browser.close()


if __name__ == "__main__":
    main()

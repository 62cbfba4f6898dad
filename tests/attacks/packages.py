"""Hostile archives, notebooks and names: what a submission may be before any of it runs.

Each builder writes one submission into a folder and returns nothing. All must end as a row with a
reason, or be graded as what is left when the hostile part is ignored: never a right answer.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from autograder.course.reference import read_lesson

STEM = "l11_saliency"
WRONG = "import torch\n\n\ndef saliency_map(model, images, target):\n    return images[:, 0]\n"


def _zip(path: Path, entries: list[tuple[str, bytes]]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)


def _tar(path: Path, entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for entry, data in entries:
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data) if data else None)


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry


def zip_slip(folder: Path) -> None:
    _zip(folder / "zip-slip.zip", [("../../../tmp/slipped.py", b"x = 1")])


def zip_absolute(folder: Path) -> None:
    _zip(folder / "zip-absolute.zip", [("/tmp/slipped.py", b"x = 1"), ("C:\\slipped.py", b"x")])


def zip_link(folder: Path) -> None:
    link = zipfile.ZipInfo(f"{STEM}/exercises.py")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    solution = Path(__file__).resolve().parents[2] / "solutions" / f"{STEM}.py"
    with zipfile.ZipFile(folder / "zip-link.zip", "w") as archive:
        archive.writestr(link, str(solution))


def tar_link(folder: Path) -> None:
    solution = str(Path(__file__).resolve().parents[2] / "solutions" / f"{STEM}.py")
    entries = [
        (_member(f"{STEM}/exercises.py", tarfile.SYMTYPE, solution), b""),
        (_member(f"{STEM}.py", tarfile.LNKTYPE, solution), b""),
    ]
    _tar(folder / "tar-link.tar.gz", entries)


def tar_devices(folder: Path) -> None:
    entries = [
        (_member("zero.py", tarfile.CHRTYPE), b""),
        (_member("pipe.py", tarfile.FIFOTYPE), b""),
    ]
    _tar(folder / "tar-devices.tgz", entries)


def tar_slip(folder: Path) -> None:
    _tar(folder / "tar-slip.tar.gz", [(_member("../../tmp/slipped.py"), b"x = 1")])


def zip_bomb(folder: Path) -> None:
    _zip(folder / "zip-bomb.zip", [(f"{i}/exercises.py", bytes(1 << 24)) for i in range(64)])


def tar_bomb(folder: Path) -> None:
    _tar(folder / "tar-bomb.tar.gz", [(_member("a.bin"), bytes(300 << 20))])


def zip_of_entries(folder: Path) -> None:
    _zip(folder / "zip-of-entries.zip", [(f"{i}.txt", b"") for i in range(100_000)])


def nested_archive(folder: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr(f"{STEM}/exercises.py", read_lesson(STEM).bare())
    _zip(folder / "nested-archive.zip", [("inner.zip", inner.getvalue())])


def zip_with_lying_sizes(folder: Path) -> None:
    path = folder / "zip-with-lying-sizes.zip"
    _zip(path, [(f"{STEM}/exercises.py", bytes(1 << 20))])
    data = path.read_bytes()
    size = (1 << 20).to_bytes(4, "little")
    path.write_bytes(data.replace(size, (10).to_bytes(4, "little")))


def zip_names_with_newlines(folder: Path) -> None:
    name = f"a\nb,100,100\r\n=cmd()/{STEM}/exercises.py"
    _zip(folder / "zip-names-with-newlines.zip", [(name, WRONG.encode())])


def zip_cut_short(folder: Path) -> None:
    path = folder / "zip-cut-short.zip"
    _zip(path, [(f"{STEM}/exercises.py", os.urandom(10_000))])
    path.write_bytes(path.read_bytes()[:-200])


def tar_cut_short(folder: Path) -> None:
    path = folder / "tar-cut-short.tar.gz"
    _tar(path, [(_member(f"{STEM}/exercises.py"), os.urandom(10_000))])
    path.write_bytes(path.read_bytes()[:3000])


def two_files(folder: Path) -> None:
    for name, text in (("a", WRONG), ("b", WRONG.replace("0]", "1]"))):
        (folder / "two-files" / name / STEM).mkdir(parents=True)
        (folder / "two-files" / name / STEM / "exercises.py").write_text(text)


def two_submissions(folder: Path) -> None:
    (folder / "two-submissions.py").write_text(read_lesson(STEM).bare())
    _zip(folder / "two-submissions.zip", [(f"{STEM}/exercises.py", WRONG.encode())])


def linked_folder(folder: Path) -> None:
    (folder / "linked-folder").symlink_to(Path(__file__).resolve().parents[2] / "solutions")


def linked_file(folder: Path) -> None:
    (folder / "linked-file").mkdir()
    solution = Path(__file__).resolve().parents[2] / "solutions" / f"{STEM}.py"
    (folder / "linked-file" / f"{STEM}.py").symlink_to(solution)


def looped_folder(folder: Path) -> None:
    (folder / "looped-folder").mkdir()
    (folder / "looped-folder" / "again").symlink_to(folder / "looped-folder")


def deep_folder(folder: Path) -> None:
    (folder / "deep-folder" / "/".join("d" * 40)).mkdir(parents=True)


def named_pipe(folder: Path) -> None:
    (folder / "named-pipe").mkdir()
    os.mkfifo(folder / "named-pipe" / f"{STEM}.py")


def _cell(source: str, grade_id: str, **nbgrader: object) -> dict[str, object]:
    marks = {"grade": False, "grade_id": grade_id, "locked": False, "schema_version": 3}
    marks |= {"solution": True, "task": False, **nbgrader}
    return {
        "cell_type": "code",
        "execution_count": 1,
        "id": grade_id[-40:],
        "metadata": {"nbgrader": marks},
        "outputs": [],
        "source": source,
    }


def _notebook(path: Path, cells: list[dict[str, object]]) -> None:
    body = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(body))


def notebook_forged_outputs(folder: Path) -> None:
    cell = _cell(WRONG, f"{STEM}-saliency_map")
    cell["outputs"] = [
        {
            "output_type": "display_data",
            "data": {"text/plain": "4.0", "text/html": "<script>alert(1)</script>"},
            "metadata": {"convlens": {"outcome": "passed", "points": 4}},
        }
    ]
    _notebook(folder / "notebook-forged-outputs.ipynb", [cell])


def notebook_edited_tests(folder: Path) -> None:
    test = _cell(
        "def check(*a):\n    return 4\n",
        f"{STEM}-saliency_map-check",
        grade=True,
        points=4000,
        solution=False,
    )
    _notebook(folder / "notebook-edited-tests.ipynb", [_cell(WRONG, f"{STEM}-saliency_map"), test])


def notebook_odd_metadata(folder: Path) -> None:
    cells = [_cell(WRONG, f"{STEM}-saliency_map"), {"cell_type": 3}, "x", {"metadata": []}]
    _notebook(folder / "notebook-odd-metadata.ipynb", cells)  # type: ignore[arg-type]


def notebook_doubled_ids(folder: Path) -> None:
    _notebook(
        folder / "notebook-doubled-ids.ipynb",
        [_cell(WRONG, f"{STEM}-saliency_map"), _cell(WRONG, f"{STEM}-saliency_map")],
    )


def notebook_million_cells(folder: Path) -> None:
    cells = ",".join(['{"cell_type":"code","metadata":{},"source":""}'] * 300_000)
    (folder / "notebook-million-cells.ipynb").write_text(f'{{"cells":[{cells}]}}')


def notebook_invalid(folder: Path) -> None:
    (folder / "notebook-invalid.ipynb").write_text('{"cells": [')


def notebook_deep_json(folder: Path) -> None:
    (folder / "notebook-deep-json.ipynb").write_text('{"cells":' + "[" * 10**6)


def source_deep_brackets(folder: Path) -> None:
    (folder / "source-deep-brackets.py").write_text(WRONG + "x = " + "(" * 10**5 + ")" * 10**5)


def source_deep_operators(folder: Path) -> None:
    (folder / "source-deep-operators.py").write_text(WRONG + "x = " + "-" * 10**5 + "1")


def source_deep_attributes(folder: Path) -> None:
    (folder / "source-deep-attributes.py").write_text(WRONG + "x = a" + ".a" * 10**5)


def source_null_bytes(folder: Path) -> None:
    (folder / "source-null-bytes.py").write_bytes(WRONG.encode() + b"\0" * 100)


def source_odd_encoding(folder: Path) -> None:
    (folder / "source-odd-encoding.py").write_bytes(b"# coding: punycode\n" + b"a" * 10**6)


def source_too_large(folder: Path) -> None:
    (folder / "source-too-large.py").write_text(WRONG + "#" * (3 << 20))


def source_undefined_encoding(folder: Path) -> None:
    (folder / "source-undefined-encoding.py").write_bytes(b"# coding: undefined\n\xff\n")


def source_many_statements(folder: Path) -> None:
    text = WRONG + "x = 1\n" * ((1 << 20) // 6 - 100)
    with zipfile.ZipFile(folder / "source-many-statements.zip", "w", zipfile.ZIP_DEFLATED) as z:
        for number in range(200):
            z.writestr(f"{number}/{STEM}/exercises.py", f"{text}y = {number}\n")


def zip_corrupt_lzma(folder: Path) -> None:
    path = folder / "zip-corrupt-lzma.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(f"{STEM}/exercises.py", WRONG * 100)
    data = bytearray(path.read_bytes())
    start = data.find(b"exercises.py") + len("exercises.py")
    data[start + 9 : start + 40] = b"Z" * 31
    path.write_bytes(data)


def zip_large_directory(folder: Path) -> None:
    numbers = (20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
    directory = (struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", *numbers) + b"a") * 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(directory), 0, 0)
    (folder / "zip-large-directory.zip").write_bytes(directory + end)


def tar_header_of_digits(folder: Path) -> None:
    # Quadratic in Python's tarfile before 3.11.10 and 3.12.6: hours for 4 KB on disk.
    header = tarfile.TarInfo("p")
    header.type, header.size = tarfile.XHDTYPE, 4 << 20
    data = header.tobuf(tarfile.GNU_FORMAT) + b"1" * (4 << 20)
    (folder / "tar-header-of-digits.tar.gz").write_bytes(gzip.compress(data))


def sparse_notebooks(folder: Path) -> None:
    (folder / "sparse-notebooks").mkdir()
    for number in range(200):
        with (folder / "sparse-notebooks" / f"{number}.ipynb").open("wb") as file:
            file.truncate(32 << 20)


def notebook_of_lists(folder: Path) -> None:
    text = '{"cells":[' + "[]," * (10 << 20) + "[]]}"
    (folder / "notebook-of-lists.ipynb").write_text(text)


def notebook_huge_cell(folder: Path) -> None:
    cell = _cell(WRONG + "x = 1\n" * (4 << 20), f"{STEM}-saliency_map")
    _notebook(folder / "notebook-huge-cell.ipynb", [cell])


def empty_file(folder: Path) -> None:
    (folder / "empty-file.py").touch()


def empty_archive(folder: Path) -> None:
    _zip(folder / "empty-archive.zip", [])


def formula_name(folder: Path) -> None:
    (folder / "=HYPERLINK(1).py").write_text(WRONG)


def script_name(folder: Path) -> None:
    (folder / "<script>alert(1)<x>.py").write_text(WRONG)


def escape_name(folder: Path) -> None:
    (folder / "\x1b[2Jclear\u202egpj.py").write_text(WRONG)


def newline_name(folder: Path) -> None:
    (folder / "a\nb,100.py").write_text(WRONG)


def long_name(folder: Path) -> None:
    (folder / ("x" * 240 + ".py")).write_text(WRONG)


BUILDERS: list[Callable[[Path], None]] = [
    value
    for name, value in sorted(globals().items())
    if callable(value) and getattr(value, "__module__", "") == __name__ and name[0] != "_"
]

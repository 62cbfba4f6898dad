"""A network from a file of the reader's own: it runs, or one line says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.tour.own_model import from_file, names_a_file
from lessons.toolkit.errors import UserError

MINE = """
from torch import nn

from lessons.toolkit.models import as_classifier
from lessons.toolkit.preprocess import Preprocess
from names_beside import CLASSES

class Net(nn.Sequential):
    pass

def make():
    network = Net(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                  nn.Linear(4, 2))
    half = (0.5, 0.5, 0.5)
    return as_classifier(network, CLASSES, Preprocess(32, 32, half, half), "mine")

def network():
    return Net()

def broken():
    return 1 / 0
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "names_beside.py").write_text("CLASSES = ['cat', 'dog']\n")
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path / "mine.py"


def test_a_function_of_a_file_makes_the_classifier(mine: Path) -> None:
    import copy
    import sys

    before = list(sys.path)
    classifier = from_file(f"{mine}:make")
    assert (classifier.name, classifier.classes) == ("mine", ["cat", "dog"])
    assert classifier.default_layer == "1" and sys.path == before
    copy.deepcopy(classifier.network)


def test_names_of_files_are_told_from_names_of_models() -> None:
    assert names_a_file("mine.py:make") and names_a_file("mine.py")
    assert names_a_file("C:\\nets\\mine.py:make") and not names_a_file("resnet50")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (":mak", "no function called 'mak'.*make"),
        (":network", "returns a Net, not a Classifier.*as_classifier"),
        (":broken", "line 21 of .*mine.py raises ZeroDivisionError"),
        ("", "does not say which function"),
    ],
)
def test_a_function_that_makes_none_is_one_line(mine: Path, name: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        from_file(f"{mine}{name}")
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_or_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file"):
        from_file(f"{tmp_path}/gone.py:make")
    (tmp_path / "mine.py").write_text("import torch\ndef make(:\n")
    with pytest.raises(UserError, match="SyntaxError"):
        from_file(f"{tmp_path}/mine.py:make")

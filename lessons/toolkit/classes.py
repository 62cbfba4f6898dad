"""Class names of logits, and the class of a name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from lessons.toolkit.errors import unknown

IMAGENET_FILE = Path(__file__).with_name("imagenet_classes.txt")


def imagenet_classes() -> list[str]:
    """Read the 1,000 ImageNet class names in the order of the logits.

    They stand in a file of their own, because student code is graded where torchvision is absent.
    They are torchvision's names, except that the two cranes and the dog called Cardigan say which
    they are.

    >>> imagenet_classes()[281:283]
    ['tabby', 'tiger cat']
    """
    return IMAGENET_FILE.read_text(encoding="utf-8").splitlines()


class NamedClasses(Protocol):
    """A network and the names of its classes, such as a `Classifier`."""

    @property
    def network(self) -> nn.Module:
        """Return the module, whose logits are in the order of the classes."""
        ...

    @property
    def classes(self) -> Sequence[str]:
        """Return the name of each class."""
        ...


def top_classes(
    classifier: NamedClasses, images: Tensor, k: int = 5
) -> list[list[tuple[str, float]]]:
    """Return the most probable classes of each image.

    Args:
        classifier: from `load_model`.
        images: float (N, 3, H, W), normalised, on the classifier's device.
        k: how many; at most the number of classes.

    Returns:
        For each image k pairs of class name and softmax probability in [0, 1], best first.
    """
    with torch.inference_mode():
        probabilities = classifier.network(images).softmax(dim=1)
    values, indices = probabilities.topk(min(k, probabilities.shape[1]), dim=1)
    return [
        [(classifier.classes[i], value) for value, i in zip(row_values, row_indices, strict=True)]
        for row_values, row_indices in zip(values.tolist(), indices.tolist(), strict=True)
    ]


def class_index(classes: Sequence[str], name: str | int) -> int:
    """Return the number of a class, from its name or from the number itself.

    Args:
        classes: names in the order of the logits.
        name: "tabby", 281 or "281"; capitals do not matter.

    Raises:
        UserError: there is no such class; the error names the nearest.

    >>> class_index(["cat", "dog"], "Dog")
    1
    """
    numbers = {known.lower(): number for number, known in enumerate(classes)}
    if str(name).lower() in numbers:
        return numbers[str(name).lower()]
    if str(name).isdecimal() and int(name) < len(classes):
        return int(name)
    raise unknown("class", str(name), classes)

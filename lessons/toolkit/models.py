"""The networks of the course by name, with their preprocessing and classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lessons.toolkit.errors import UserError, unknown
from lessons.toolkit.preprocess import Preprocess

DEFAULT_MODEL = "efficientnet_lite0"


@dataclass(frozen=True)
class Classifier:
    """A trained network with its preprocessing and class names.

    Args:
        name: its name in the registry.
        network: the module, in evaluation mode.
        preprocess: turns a photo into its input.
        classes: name of each class, in the order of the logits.
        default_layer: the layer for Grad-CAM: the last convolution with its norm and activation.
    """

    name: str
    network: nn.Module
    preprocess: Preprocess
    classes: list[str]
    default_layer: str

    def layers(self) -> list[str]:
        """Return the dotted names of the layers in forward order.

        A layer that never runs is left out. A container such as `stages.3` stands after its last
        part, where its output is ready.
        """
        return [name for name, _ in _outputs_in_order(self.network, self.preprocess.crop)]

    def offset(self, layer: str) -> tuple[float, float]:
        """Measure how far from the middle of its cell a unit of a layer looks.

        `unit_offset` says how. It takes a second or so, more for a large network.

        Args:
            layer: dotted name of a layer whose output is `(N,C,h,w)`.

        Returns:
            Pixels of the network's input, down and right. Positive: its units look further down or
            right than their cells lie. Move an enlarged map by it to see where they look.

        Raises:
            UserError: there is no layer of that name.
            ValueError: the layer's output is no map, or each unit sees the whole picture.

        >>> down, right = load_model("scenes").offset("block1")
        >>> abs(down) < 0.2 and abs(right) < 0.2
        True
        """
        from lessons.toolkit.offset import unit_offset

        crop = self.preprocess.crop
        return unit_offset(self.network, find_layer(self.network, layer), (crop, crop))

    @cached_property
    def default_layer_offset(self) -> tuple[float, float]:
        """Return the offset of the default layer, measured when first asked for.

        Returns:
            Pixels of the network's input, down and right, as from `offset`.
        """
        return self.offset(self.default_layer)


def load_model(name: str = DEFAULT_MODEL, device: str | torch.device = "cpu") -> Classifier:
    """Load a classifier with its trained weights, in evaluation mode.

    `efficientnet_lite0`, `scenes` and `scenes_watermarked` need no network connection. Every other
    name is torchvision's; its weights are downloaded at the first use and kept.

    Args:
        name: one of `model_names()`.
        device: where the network goes.

    Raises:
        UserError: an unknown name; weights that are missing, damaged or cannot be downloaded.

    >>> load_model("efficientnet_lite0").default_layer
    'head'
    """
    with _global_random_state_kept():
        if name in _OFFLINE:
            classifier = _OFFLINE[name]()
        elif name in _torchvision_names():
            classifier = _torchvision_classifier(name)
        else:
            raise unknown("model", name, model_names())
    classifier.network.to(device)
    return classifier


def model_names() -> list[str]:
    """Return the names that `load_model` takes.

    The offline ones come first, then torchvision's classifiers.
    """
    return [*_OFFLINE, *_torchvision_names()]


def find_layer(network: nn.Module, name: str) -> nn.Module:
    """Return the layer of that dotted name.

    Raises:
        UserError: there is none; the error names the nearest.

    >>> find_layer(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), "1")
    ReLU()
    """
    layers = {path: module for path, module in network.named_modules() if path}
    if name not in layers:
        raise unknown("layer", name, layers)
    return layers[name]


def _efficientnet_lite0() -> Classifier:
    from lessons.toolkit.classes import imagenet_classes
    from lessons.toolkit.efficientnet import PREPROCESS, pretrained_efficientnet_lite0

    network = pretrained_efficientnet_lite0()
    return Classifier(DEFAULT_MODEL, network, PREPROCESS, imagenet_classes(), default_layer="head")


def _scenes(name: str) -> Classifier:
    from safetensors.torch import load

    from lessons.toolkit.scene_net import SceneNet
    from lessons.toolkit.scenes import CLASSES, IMAGE_SIZE, PREPROCESS
    from lessons.toolkit.weights import read_shipped

    network = SceneNet()
    network.load_state_dict(load(read_shipped(f"{name}.safetensors")))
    network.eval()
    layer = _grad_cam_layer(network, IMAGE_SIZE)
    return Classifier(name, network, PREPROCESS, list(CLASSES), layer)


_OFFLINE: dict[str, Callable[[], Classifier]] = {
    DEFAULT_MODEL: _efficientnet_lite0,
    "scenes": lambda: _scenes("scenes"),
    "scenes_watermarked": lambda: _scenes("scenes_watermarked"),
}


def _torchvision_names() -> list[str]:
    try:
        from torchvision import models
    except ModuleNotFoundError:  # where student code is graded there is no torchvision
        return []
    return models.list_models(module=models)


def _torchvision_classifier(name: str) -> Classifier:
    from torchvision import models

    weights = models.get_model_weights(name).DEFAULT
    _check_cached(weights.url)
    try:
        network = models.get_model(name, weights=weights, progress=True).eval()
    except (
        OSError,
        RuntimeError,
    ) as error:  # URLError is an OSError; a wrong checksum is a RuntimeError
        raise UserError(
            f"The weights of {name} could not be downloaded ({_first_line(error)}).",
            f"Check the network connection, or take {DEFAULT_MODEL}, which needs none.",
        ) from error
    preprocess = _as_preprocess(weights.transforms())
    layer = _grad_cam_layer(network, preprocess.crop)
    return Classifier(name, network, preprocess, list(weights.meta["categories"]), layer)


def _as_preprocess(transforms: Any) -> Preprocess:
    """Turn torchvision's `ImageClassification` transforms into a `Preprocess`."""
    return Preprocess(
        resize=transforms.resize_size[0],
        crop=transforms.crop_size[0],
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        interpolation=transforms.interpolation.value,
    )


def _check_cached(url: str) -> None:
    """Raise UserError if the cached weight file of an address is damaged.

    Torchvision checks a file only while downloading it.
    """
    from lessons.toolkit.weights import read_checked

    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if path.exists():
        beginning_of_sha256 = path.stem.rsplit("-", 1)[-1]
        read_checked(path, beginning_of_sha256, "Delete it and run the command again.")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _grad_cam_layer(network: nn.Module, size: int) -> str:
    """Return the last layer with the size of the last convolution's output.

    So the norm and activation after the convolution, and the block around them, belong to it;
    pooling does not.
    """
    modules = dict(network.named_modules())
    outputs = [(name, shape) for name, shape in _outputs_in_order(network, size) if len(shape) == 4]
    last_conv = max(
        i for i, (name, _) in enumerate(outputs) if isinstance(modules[name], nn.Conv2d)
    )
    name, (_, _, height, width) = outputs[last_conv]
    for later, shape in outputs[last_conv:]:
        if shape[2:] == (height, width):
            name = later
    return name


def _outputs_in_order(network: nn.Module, size: int) -> list[tuple[str, torch.Size]]:
    """Return name and output shape of each layer, in the order of a forward pass."""
    outputs: dict[str, torch.Size] = {}

    def record(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                outputs.pop(name, None)  # a layer that runs twice stands where it ran last
                outputs[name] = output.shape

        return hook

    handles = [
        module.register_forward_hook(record(name))
        for name, module in network.named_modules()
        if name
    ]
    parameter = next(network.parameters())
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, size, size, dtype=parameter.dtype, device=parameter.device))
    finally:
        for handle in handles:
            handle.remove()
    return list(outputs.items())


@contextmanager
def _global_random_state_kept() -> Iterator[None]:
    """Keep the global random state from changing in a block.

    Building a module draws random weights, and a lesson's random numbers must not depend on it.
    """
    with torch.random.fork_rng(devices=[]):
        yield

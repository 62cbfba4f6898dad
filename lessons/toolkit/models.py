"""The networks of the course by name, with their preprocessing and classes."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lessons.toolkit.device import choose_device
from lessons.toolkit.errors import UserError, unknown
from lessons.toolkit.preprocess import Preprocess
from lessons.toolkit.seeds import seeded

DEFAULT_MODEL = "efficientnet_lite0"


@dataclass(frozen=True)
class Classifier:
    """A trained network with its preprocessing and class names.

    Args:
        name: its name in the registry.
        network: the module, in evaluation mode.
        preprocess: turns a photo into its input.
        classes: name of each class, in the order of the logits.
        map_layer: what `default_layer` returns; None where the network has no such layer.
    """

    name: str
    network: nn.Module
    preprocess: Preprocess
    classes: list[str]
    map_layer: str | None

    @property
    def default_layer(self) -> str:
        """Return the layer for Grad-CAM.

        It is the last convolution with its norm and activation.

        Raises:
            UserError: the network does not keep one map for each channel up to its end, as
                transformers do not: after their first convolution a place is a vector.
        """
        if self.map_layer is None:
            raise UserError(
                f"{self.name} has no layer with one map for each channel, (N, C, h, w), near its "
                "end.",
                f"Take a network of convolutions, such as {DEFAULT_MODEL}.",
            )
        return self.map_layer

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
        UserError: an unknown name or device; weights that are missing, damaged or cannot be
            downloaded.

    >>> load_model("efficientnet_lite0").default_layer
    'head'
    """
    if isinstance(device, str):
        device = choose_device(device)
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


def as_classifier(
    network: nn.Module,
    classes: Sequence[str],
    preprocess: Preprocess,
    name: str = "my network",
    default_layer: str | None = None,
) -> Classifier:
    """Make a network of your own a `Classifier`.

    The techniques of the course and its tour take it from there. The network is put into evaluation
    mode, and tried on one black picture.

    Args:
        network: takes (N, 3, H, W) and returns logits (N, K): no softmax at the end.
        classes: name of each class, in the order of the logits.
        preprocess: as the network had its pictures in training.
        name: what to call it.
        default_layer: dotted name of the layer for Grad-CAM; searched for when not given.

    Raises:
        UserError: the network cannot take such pictures, gives something else than one logit for
            each class, or has no such layer with maps (N, C, h, w).

    >>> from torch.nn import Conv2d, Flatten, Linear, ReLU, Sequential
    >>> tiny = Sequential(Conv2d(3, 4, 3, stride=2), ReLU(), Flatten(), Linear(4 * 7 * 7, 2))
    >>> half = (0.5, 0.5, 0.5)
    >>> mine = as_classifier(tiny, ["cat", "dog"], Preprocess(16, 16, mean=half, std=half))
    >>> mine.default_layer
    '1'
    """
    parameter = next(network.parameters(), None)
    if parameter is None:
        raise UserError(f"{name} has no parameters.", "Give a network with layers.")
    network.eval()
    side = preprocess.crop
    try:
        with torch.no_grad():
            logits = network(_black_picture(network, side))
    except Exception as error:  # code of another person: it may raise anything
        raise UserError(
            f"{name} does not take a picture (1, 3, {side}, {side}): {_first_line(error)}.",
            "Check the size that `preprocess` crops to.",
        ) from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 1:
        given = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise UserError(
            f"{name} returns {given} for one picture, not logits (1, K).",
            "Wrap it in a module that returns the logits alone.",
        )
    if logits.shape[1] != len(classes):
        raise UserError(
            f"{name} gives {logits.shape[1]} logits, and {len(classes)} classes are named.",
            "Name each class once, in the order of the logits.",
        )
    if len(classes) > 1 and bool((logits >= 0).all()) and abs(float(logits.sum()) - 1) < 1e-4:
        raise UserError(
            f"{name} gives probabilities: they are not negative and add up to 1.",
            "Leave out the softmax at its end: the techniques ask for the logit of a class.",
        )
    if default_layer is None:
        default_layer = _grad_cam_layer(network, side)
    else:
        find_layer(network, default_layer)
        shapes = dict(_outputs_in_order(network, side))
        if not _is_map(shapes.get(default_layer, torch.Size())):
            shape = tuple(shapes[default_layer]) if default_layer in shapes else "nothing"
            raise UserError(
                f"Layer {default_layer!r} of {name} gives {shape}, not maps (N, C, h, w).",
                "Take one before the places are pooled, or leave it out: it is searched for.",
            )
    return Classifier(name, network, preprocess, list(classes), default_layer)


def with_random_weights(network: nn.Module, seed: int = 0) -> nn.Module:
    """Return a copy of a network that has learnt nothing: its weights are drawn anew.

    Weights of convolutions and linear layers come from He's normal distribution, so that signals
    keep their size through many layers; norms start as they do before training.

    Args:
        network: any network; left as it is.
        seed: the same seed gives the same weights on every device.

    >>> torch.equal(with_random_weights(nn.Linear(2, 3)).bias, torch.zeros(3))
    True
    """
    device = next(network.parameters()).device
    fresh = copy.deepcopy(network).cpu()
    generator = torch.Generator().manual_seed(seed)
    for module in fresh.modules():
        redraw_weights(module, generator)
    return fresh.to(device)


@torch.no_grad()
def redraw_weights(layer: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights of one layer anew, in place, as if it had learnt nothing.

    A weight of a convolution or a linear layer comes from He's normal distribution, and its bias
    becomes 0. A norm starts as it does before training. A layer without weights of its own, such as
    a container, is left as it is.

    Args:
        layer: whose own parameters are drawn, not those of the layers in it.
        generator: on the CPU, so that each device gets the same numbers.

    >>> layer = nn.Linear(2, 3)
    >>> redraw_weights(layer, torch.Generator().manual_seed(0))
    >>> torch.equal(layer.bias, torch.zeros(3))
    True
    """
    own = dict(layer.named_parameters(recurse=False))
    weight = own.get("weight")
    if weight is not None and weight.ndim > 1:
        drawn = torch.empty(weight.shape)
        weight.copy_(nn.init.kaiming_normal_(drawn, nonlinearity="relu", generator=generator))
        if (bias := own.get("bias")) is not None:
            bias.zero_()
    elif callable(reset := getattr(layer, "reset_parameters", None)):
        with seeded(generator.initial_seed()):  # a layer of an unknown kind draws by itself
            reset()
    else:  # tokens, embeddings of places, scales: no rule is known, so their own spread
        for parameter in own.values():
            values = torch.randn(parameter.shape, generator=generator).to(parameter)
            spread = parameter.std() if parameter.numel() > 1 else 1
            parameter.copy_(values * spread + parameter.mean())


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
    return Classifier(DEFAULT_MODEL, network, PREPROCESS, imagenet_classes(), "head")


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


def _grad_cam_layer(network: nn.Module, size: int) -> str | None:
    """Return the last layer with the size of the last convolution's output.

    So the norm and activation after the convolution, and the block around them, belong to it;
    pooling does not. None where layers with weights go on from there at more than one place, as in
    a transformer: what the convolution saw is then far from the answer.
    """
    modules = dict(network.named_modules())
    outputs = _outputs_in_order(network, size)
    convolutions = [
        place
        for place, (name, shape) in enumerate(outputs)
        if isinstance(modules[name], nn.Conv2d) and _is_map(shape)
    ]
    if not convolutions:
        return None
    chosen = convolutions[-1]
    last_convolution = outputs[chosen][0]
    height, width = outputs[chosen][1][2:]
    for later in range(chosen, len(outputs)):
        if _is_map(shape := outputs[later][1]) and shape[2:] == (height, width):
            chosen = later
    for name, shape in outputs[chosen + 1 :]:
        around = last_convolution.startswith(f"{name}.")
        has_weights = next(modules[name].parameters(), None) is not None
        # More numbers than one vector for each picture: there are still places.
        if has_weights and not around and math.prod(shape[1:]) > max(shape[1:]):
            return None
    return outputs[chosen][0]


def _is_map(shape: torch.Size) -> bool:
    return len(shape) == 4 and max(shape[2:]) > 1


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
    try:
        with torch.inference_mode():
            network(_black_picture(network, size))
    finally:
        for handle in handles:
            handle.remove()
    return list(outputs.items())


def _black_picture(network: nn.Module, size: int) -> Tensor:
    parameter = next(network.parameters())
    return torch.zeros(1, 3, size, size, dtype=parameter.dtype, device=parameter.device)


@contextmanager
def _global_random_state_kept() -> Iterator[None]:
    """Keep the global random state from changing in a block.

    Building a module draws random weights, and a lesson's random numbers must not depend on it.
    """
    with torch.random.fork_rng(devices=[]):
        yield

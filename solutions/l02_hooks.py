"""Lesson 2: look inside a forward pass with hooks, and change what passes through.

A hook is a function that PyTorch calls when a module has run. Registering one returns a handle. The
handle is a context manager: after its ``with`` block the hook is gone, even if the block failed.

Results are detached and keep the dtype and device of what they are made from. Leave the model, its
parameters' `.grad`, the caller's tensors and torch's global state as you found them.

Given: `find_layers(model, layers)` is a dict of modules by name, and raises AttributeError for an
unknown name. `check_ran(layers, kept)` raises ValueError for a layer that is not in `kept`.
`target_logits(logits, target)` is each image's logit of its class, (N,), and raises ValueError if
the target does not fit, such as one of another length. `@with_autograd` turns autograd on, even
where the caller has turned it off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from lessons.toolkit.passes import check_ran, find_layers, target_logits, with_autograd


def capture_activation(model: nn.Module, layer: str, images: Tensor) -> Tensor:
    """Return what one layer gives for these images.

    Args:
        model: any network.
        layer: dotted module name, such as ``"blocks.3.relu"``.
        images: float (N, 3, H, W), normalised for the model.

    Returns:
        The layer's output, detached. It is a copy: it stays what the layer gave, even if a later
        layer overwrites it in place. If the layer runs twice, its last output counts.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the layer exists but does not run in this pass.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    >>> capture_activation(model, "1", torch.zeros(2, 3, 2, 2)).shape
    torch.Size([2, 5])
    """
    ### BEGIN SOLUTION
    kept: dict[str, Tensor] = {}

    def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
        kept[layer] = output.clone()

    # The handle takes the hook away when the block ends, also if the forward pass fails.
    with torch.no_grad(), model.get_submodule(layer).register_forward_hook(keep):
        model(images)
    check_ran([layer], kept)
    return kept[layer]
    ### END SOLUTION


def capture_activations(
    model: nn.Module, layers: Sequence[str], images: Tensor
) -> dict[str, Tensor]:
    """Return what each named layer gives for these images.

    Args:
        model: any network.
        layers: dotted module names, such as ``["conv1", "blocks.3.relu"]``.
        images: float (N, 3, H, W), normalised for the model.

    Returns:
        Each layer's output by name, in the order of `layers`, detached. It is what the layer gave,
        even if a later layer overwrites it in place. If a layer runs twice, its last output counts.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the layer exists but did not run in this pass.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(inplace=True))
    >>> capture_activations(model, ["1"], torch.zeros(2, 3, 2, 2))["1"].shape
    torch.Size([2, 5])
    """
    ### BEGIN SOLUTION
    kept: dict[str, Tensor] = {}

    def record(name: str, module: nn.Module, inputs: object, output: Tensor) -> None:
        # A copy: an in-place ReLU after this layer overwrites the memory of `output`.
        kept[name] = output.clone()

    with ExitStack() as hooks, torch.no_grad():
        for name, module in find_layers(model, layers).items():
            # `partial` fixes the name now. A closure over the loop's variable sees only the last.
            hook = partial(record, name)
            hooks.enter_context(module.register_forward_hook(hook))
        model(images)
    check_ran(layers, kept)
    return {name: kept[name] for name in layers}
    ### END SOLUTION


class ActivationRecorder:
    """Keep what the named layers give, for as long as a ``with`` block lasts.

    Each forward pass inside the block overwrites the one before. The record can be read after the
    block, and each new block starts with an empty one.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    >>> with ActivationRecorder(model, ["1"]) as recorder:
    ...     logits = model(torch.ones(2, 3, 2, 2))
    >>> torch.equal(recorder.activations["1"], logits)
    True
    """

    activations: dict[str, Tensor]

    def __init__(self, model: nn.Module, layers: Sequence[str]) -> None:
        """Find the layers; the model is not touched before the block begins.

        Args:
            model: any network.
            layers: dotted module names.

        Raises:
            AttributeError: the model has no layer of that name.
        """
        ### BEGIN SOLUTION
        self.activations = {}
        self.modules = find_layers(model, layers)
        self.handles: list[RemovableHandle] = []
        ### END SOLUTION

    def __enter__(self) -> ActivationRecorder:
        """Begin to record: `activations` fills with detached copies, by layer name."""
        ### BEGIN SOLUTION
        self.activations = {}

        def record(name: str, module: nn.Module, inputs: object, output: Tensor) -> None:
            self.activations[name] = output.detach().clone()

        for name, module in self.modules.items():
            self.handles.append(module.register_forward_hook(partial(record, name)))
        return self
        ### END SOLUTION

    def __exit__(self, *exception: object) -> None:
        """Stop recording and leave no hook behind. An exception goes on to the caller.

        Raises:
            ValueError: the block came to its end, and a layer did not run in it.
        """
        ### BEGIN SOLUTION
        while self.handles:
            self.handles.pop().remove()
        if not any(exception):
            check_ran(list(self.modules), self.activations)
        ### END SOLUTION


def feature_map_grid(activation: Tensor, columns: int) -> Tensor:
    """Arrange all channels of one image's activation in one grey picture.

    Args:
        activation: float (C, H, W), one layer's output for one image.
        columns: channels in a row of the picture, at least 1.

    Returns:
        Float (rows*H, columns*W) in [0, 1]: channel 0 at the top left, channel 1 to its right. Each
        channel's own minimum becomes 0 and its maximum 1. A constant channel is all 0, and so are
        the free places at the end of the last row. Detached; dtype and device of the activation.

    Raises:
        ValueError: `columns` is below 1.

    >>> feature_map_grid(torch.tensor([[[2.0, 4.0]], [[7.0, 7.0]], [[-1.0, 0.0]]]), columns=2)
    tensor([[0., 1., 0., 0.],
            [0., 1., 0., 0.]])
    """
    ### BEGIN SOLUTION
    if columns < 1:
        raise ValueError(f"A picture has at least 1 column, not {columns}.")
    channels, height, width = activation.shape
    rows = math.ceil(channels / columns)

    low = activation.amin((1, 2), keepdim=True)
    span = activation.amax((1, 2), keepdim=True) - low
    # A constant channel is zero above its minimum. Divided by 1 it stays so; 0 / 0 would be NaN.
    scaled = (activation - low) / span.where(span > 0, 1)

    tiles = activation.new_zeros(rows * columns, height, width)
    tiles[:channels] = scaled.detach()
    # (rows, columns, H, W) -> (rows, H, columns, W): a line of the picture runs across its tiles.
    grid = tiles.view(rows, columns, height, width).transpose(1, 2)
    return grid.reshape(rows * height, columns * width)
    ### END SOLUTION


def ablate_channel(model: nn.Module, layer: str, channel: int, images: Tensor) -> Tensor:
    """Return the logits when one channel of one layer is silent.

    Args:
        model: a classifier, logits (N, K).
        layer: dotted module name.
        channel: which channel of the layer's output becomes zero, for every image and in every run.
        images: float (N, 3, H, W), normalised for the model.

    Returns:
        Logits (N, K), detached.

    Raises:
        AttributeError: the model has no layer of that name.
        IndexError: the layer has no such channel.
        ValueError: the layer did not run in this pass.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    >>> ablate_channel(model, "1", 2, torch.ones(1, 3, 2, 2))[0, 2].item()
    0.0
    """
    ### BEGIN SOLUTION
    ran: set[str] = set()

    def silence(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        ran.add(layer)
        # What a forward hook returns takes the place of the layer's output.
        silenced = output.clone()
        silenced[:, channel] = 0
        return silenced

    with torch.no_grad(), model.get_submodule(layer).register_forward_hook(silence):
        logits = model(images)
    check_ran([layer], ran)
    return logits
    ### END SOLUTION


@with_autograd
def capture_gradients(model: nn.Module, layer: str, images: Tensor, target: Tensor) -> Tensor:
    """Return the gradient of each image's target logit at one layer's output.

    Args:
        model: a classifier, logits (N, K). Its parameters may be frozen.
        layer: dotted module name.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class of each image.

    Returns:
        The gradient, of the shape of the layer's output. Detached. No ``.grad`` is filled. If the
        layer runs twice, it is the gradient at its last output.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the target does not fit the batch, or the layer did not run in this pass.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    >>> capture_gradients(model, "1", torch.ones(2, 3, 2, 2), torch.tensor([0, 4]))
    tensor([[1., 0., 0., 0., 0.],
            [0., 0., 0., 0., 1.]])
    """
    ### BEGIN SOLUTION
    kept: dict[str, Tensor] = {}

    def restart_graph(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        # The graph begins anew at this leaf, so the backward pass ends here and not at the image.
        leaf = output.detach().clone().requires_grad_()
        kept[layer] = leaf
        # The next layer may write in place: it gets a copy, for a leaf must not be overwritten.
        return leaf.clone()

    with model.get_submodule(layer).register_forward_hook(restart_graph):
        # A copy: images made in inference mode could not stand in the graph of the first layers.
        logits = model(images.clone())
    check_ran([layer], kept)
    # No image has a part in another's logit: the gradient of the sum holds each one's own.
    chosen = target_logits(logits, target).sum()
    (gradient,) = torch.autograd.grad(chosen, kept[layer])
    return gradient
    ### END SOLUTION


def channels_to_flip(model: nn.Module, layer: str, images: Tensor) -> Tensor:
    """Count how many channels must fall silent before the answer flips.

    The answer is the class with the largest logit. The channels of the layer fall silent one after
    the other, and stay so. First goes the one that adds most to the answer, as the gradient guesses
    it: gradient of the answer's logit times activation, summed over the channel's places. The order
    is made once, on the whole network, for each image by itself.

    Args:
        model: a classifier, logits (N, K).
        layer: dotted name of a layer whose output is (N, C, h, w).
        images: float (N, 3, H, W), normalised for the model.

    Returns:
        long (N,): after how many silent channels each image's answer is first another one, at
        least 1; C + 1 where it is still the same when all C are silent.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the layer exists but does not run in this pass.

    Paper: Serrano and Smith 2019, "Is Attention Interpretable?", count to the decision flip.

    >>> model = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False), nn.Flatten())
    >>> _ = nn.init.dirac_(model[0].weight)
    >>> channels_to_flip(model, "0", torch.tensor([[[[3.0]], [[2.0]], [[1.0]]]]))
    tensor([1])
    """
    ### BEGIN SOLUTION
    activation = capture_activation(model, layer, images)
    with torch.no_grad():
        answer = model(images).argmax(1)
    gradient = capture_gradients(model, layer, images, answer)
    adds = (gradient * activation).sum((2, 3))
    order = adds.argsort(1, descending=True)

    channels = order.shape[1]
    silent = torch.zeros_like(order, dtype=torch.bool)

    def silence(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        return output.masked_fill(silent[:, :, None, None], 0)

    flips = torch.full_like(answer, channels + 1)
    with torch.no_grad(), model.get_submodule(layer).register_forward_hook(silence):
        for count in range(1, channels + 1):
            # Each image loses its own next channel: the hook reads `silent` at every pass.
            silent.scatter_(1, order[:, count - 1 : count], True)
            flipped = model(images).argmax(1) != answer
            flips[flipped & (flips > channels)] = count
            if (flips <= channels).all():
                break
    return flips
    ### END SOLUTION

"""What every pass needs: the logits asked about, and the layers that ran.

`@with_autograd` above a function turns autograd on while it runs, even where its caller has turned
it off with `torch.no_grad` or `torch.inference_mode`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

with_autograd = torch.inference_mode(False)


def target_logits(logits: Tensor, target: Tensor) -> Tensor:
    """Return each image's logit of its own target class.

    Args:
        logits: float (N, K).
        target: long (N,), one class of 0 to K - 1 for each image.

    Returns:
        float (N,), in the graph of the logits.

    Raises:
        ValueError: there is no image, or the target does not fit the logits.

    >>> logits = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> target_logits(logits, torch.tensor([2, 0]))
    tensor([3., 4.])
    """
    if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) == 0:
        raise ValueError(
            "logits are a tensor of shape (N, K) for at least one image, "
            f"not {_described(logits)}: look at the images and at what the model returns."
        )
    check_target(target, *logits.shape)
    # A copy: what was made in inference mode cannot stand in a graph.
    return logits.gather(1, target.clone()[:, None])[:, 0]


def check_target(target: Tensor, count: int, classes: int) -> None:
    """Refuse a target that does not fit the images and the classes.

    Args:
        target: should be long (N,), one class of 0 to K - 1 for each image.
        count: N, the number of images.
        classes: K, the number of classes.

    Raises:
        ValueError: the target does not fit.

    >>> check_target(torch.tensor([2, 0]), count=2, classes=3)
    """
    if not isinstance(target, Tensor) or target.dtype != torch.long or target.shape != (count,):
        raise ValueError(
            f"`target` is a long tensor of shape ({count},), one class for each image, "
            f"not {_described(target)}."
        )
    if count == 0:
        return
    # Before the look-up: a class too large would end every later call on a GPU as well.
    if not 0 <= int(target.min()) <= int(target.max()) < classes:
        raise ValueError(
            f"`target` has classes from {int(target.min())} to {int(target.max())}; "
            f"this model's go from 0 to {classes - 1}."
        )


def find_layers(model: nn.Module, layers: Sequence[str]) -> dict[str, nn.Module]:
    """Return the layers of these dotted names.

    Args:
        model: any network.
        layers: dotted module names.

    Returns:
        The modules by name, in the order of `layers`.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: `layers` is one name, not a sequence of names.

    >>> find_layers(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), ["1"])
    {'1': ReLU()}
    """
    if isinstance(layers, str):
        raise ValueError(f"`layers` is a sequence of names: [{layers!r}], not {layers!r}.")
    return {name: model.get_submodule(name) for name in layers}


def check_ran(layers: Sequence[str], kept: Container[str]) -> None:
    """Refuse to go on if a layer did not run in this pass.

    A hook on a layer is called when the layer runs. In training alone run the second classifiers of
    GoogLeNet, for instance. A model that is compiled, traced or scripted may run without hooks, and
    `nn.DataParallel` runs copies of the layers: look into the model that they were made from
    (``compiled._orig_mod``, ``parallel.module``).

    Args:
        layers: dotted names of the layers that were asked about.
        kept: what their hooks kept, by name.

    Raises:
        ValueError: a layer is not among `kept`.

    >>> check_ran(["conv1", "aux1.conv"], {"conv1": "its output"})
    Traceback (most recent call last):
    ValueError: layer 'aux1.conv' did not run in this pass, or its hook kept nothing under this \
name. Some layers run in training only, and compiled or traced models may run without hooks: \
take the one they were made from.
    """
    for name in layers:
        if name not in kept:
            raise ValueError(
                f"layer {name!r} did not run in this pass, or its hook kept nothing under this "
                "name. Some layers run in training only, and compiled or traced models may run "
                "without hooks: take the one they were made from."
            )


@contextmanager
def stopped_at(layer: nn.Module) -> Iterator[list[Any]]:
    """End a forward pass in this block when a layer has run.

    What follows it need not take such an input, and costs no time. The pass is in inference mode.

    Args:
        layer: a part of the network that runs.

    Yields:
        A list for the layer's output: empty for as long as the layer has not run.

    >>> network = nn.Sequential(nn.Linear(2, 3), nn.Linear(5, 1))
    >>> with stopped_at(network[0]) as outputs:
    ...     _ = network(torch.ones(1, 2))
    >>> outputs[0].shape
    torch.Size([1, 3])
    """
    outputs: list[Any] = []

    def keep_and_stop(module: nn.Module, inputs: Any, output: Any) -> None:
        outputs.append(output)
        raise _Reached

    hook = layer.register_forward_hook(keep_and_stop)
    with hook, torch.inference_mode(), suppress(_Reached):
        yield outputs


class _Reached(Exception):
    """Ends a pass where the layer has run."""


def _described(value: object) -> str:
    if not isinstance(value, Tensor):
        return repr(value)[:80]
    return f"{str(value.dtype).removeprefix('torch.')} of shape {tuple(value.shape)}"

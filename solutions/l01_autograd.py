"""Lesson 1, autograd: ask the gradient machine, and see how deep its answers reach.

Every operation on a tensor that requires grad leaves a node in a graph. A backward pass walks that
graph from the result to the leaves, the tensors that no operation made, and multiplies slopes.

Results are detached and keep the dtype and device of what they are made from; only what
`residual_block` returns stays in the graph, for it is a piece of a network. Leave the model, its
parameters' `.grad`, the caller's tensors and torch's global state as you found them.

Given: `target_logits(logits, target)` is each image's logit of its class, (N,), and raises
ValueError if the target does not fit, such as one of another length. `@with_autograd` turns
autograd on, even where the caller has turned it off. `Stack` is a deep network to try things on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from lessons.toolkit.passes import target_logits, with_autograd


@with_autograd
def vector_jacobian_product(f: Callable[[Tensor], Tensor], x: Tensor, v: Tensor) -> Tensor:
    """Return the gradient of `f` at `x`, with a weight for each output.

    Args:
        f: a function made of torch's operations; it does not overwrite what it is given.
        x: float, any shape.
        v: float, of the shape of ``f(x)``: how much each output counts.

    Returns:
        Of the shape of `x`: entry j is the sum over i of ``v[i] * df[i]/dx[j]``, in short v^T J.

    >>> x = torch.tensor([1.0, 2.0])
    >>> vector_jacobian_product(lambda x: 3 * x, x, torch.tensor([100.0, 0.1]))
    tensor([300.0000,   0.3000])
    """
    # A leaf of your own: backward fills its `.grad`, and the caller's tensor stays as it was.
    x = x.detach().clone().requires_grad_()
    ### BEGIN SOLUTION
    y = f(x)
    # `inputs` names the one leaf to fill. A network's weights in `f` would be filled as well.
    y.backward(gradient=v, inputs=[x])
    return x.grad
    ### END SOLUTION


@with_autograd
def accumulated_gradient(f: Callable[[Tensor], Tensor], x: Tensor, times: int) -> Tensor:
    """Return what `.grad` holds after several backward passes through one graph.

    Args:
        f: a function made of torch's operations that gives one number; it does not overwrite what
            it is given. Call it once: all passes go through the graph of this one call.
        x: float, any shape.
        times: how many backward passes, at least 1.

    Returns:
        The gradient that has piled up, of the shape of `x`.

    >>> accumulated_gradient(lambda x: (x * x).sum(), torch.tensor([1.0, 5.0]), times=3)
    tensor([ 6., 30.])
    """
    # A leaf of your own, with an empty `.grad`.
    x = x.detach().clone().requires_grad_()
    ### BEGIN SOLUTION
    y = f(x)
    for _ in range(times):
        # Without `retain_graph` the first pass would free what the second one needs.
        y.backward(retain_graph=True, inputs=[x])
    return x.grad
    ### END SOLUTION


@with_autograd
def input_gradient(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """Return the slope of each image's target logit at every pixel.

    Args:
        model: a classifier, logits (N, K). Its parameters may be frozen.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class asked about for each image.

    Returns:
        float (N, 3, H, W), signed: each image's gradient is that of its own target logit.

    Raises:
        ValueError: the target does not fit the batch.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    >>> _ = nn.init.constant_(model[1].weight, -2.0)
    >>> input_gradient(model, torch.zeros(1, 3, 1, 1), torch.tensor([1])).flatten()
    tensor([-2., -2., -2.])
    """
    ### BEGIN SOLUTION
    images = images.detach().clone().requires_grad_()
    logits = model(images)
    # No image has a part in another's logit: the gradient of the sum holds each one's own.
    chosen = target_logits(logits, target).sum()
    # Unlike `backward` this fills no `.grad`, so the model's parameters stay as they were.
    (gradient,) = torch.autograd.grad(chosen, images)
    return gradient
    ### END SOLUTION


def grad_fn_chain(y: Tensor) -> list[str]:
    """List the nodes of the graph behind a tensor, from its own to a leaf's.

    Where an operation has several inputs, follow the first one that has a node. (The others are
    numbers, or tensors that do not require grad.) The chain may have thousands of nodes.

    Args:
        y: any tensor.

    Returns:
        ``type(node).__name__`` of each node, as PyTorch prints it: ``"MulBackward0"``. The last one
        is ``"AccumulateGrad"``, which adds to a leaf's `.grad`. A tensor without a `grad_fn`, such
        as a leaf, gives an empty list.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> grad_fn_chain((3 * x).exp().sum())
    ['SumBackward0', 'ExpBackward0', 'MulBackward0', 'AccumulateGrad']
    """
    ### BEGIN SOLUTION
    names = []
    node = y.grad_fn
    while node is not None:
        names.append(type(node).__name__)
        # Pairs of a node and a number. The node is None where no gradient is to go.
        before = [earlier for earlier, _ in node.next_functions if earlier is not None]
        node = before[0] if before else None
    return names
    ### END SOLUTION


@with_autograd
def gradient_norm_by_layer(model: nn.Module, images: Tensor, target: Tensor) -> dict[str, float]:
    """Measure how much gradient reaches the parameters of each layer.

    Args:
        model: a classifier, logits (N, K).
        images: float (N, C, H, W), normalised for the model.
        target: long (N,), the class of each image.

    Returns:
        By layer, in the order of ``model.named_parameters()``, as plain floats: the Euclidean norm
        of the gradient of the sum of all target logits, over all of the layer's own parameters,
        weight and bias together. A parameter's layer is its name without the last part:
        ``"stem.conv"`` for ``"stem.conv.weight"``. Parameters that do not require grad are left
        out. A layer that plays no part in this pass has 0.0. Squares are taken in float64: in
        float32 those of very small slopes would be zero.

    Raises:
        ValueError: the target does not fit the batch.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    >>> image = torch.tensor([1.0, 2.0, 2.0]).view(1, 3, 1, 1)
    >>> gradient_norm_by_layer(model, image, torch.tensor([1]))
    {'1': 3.0}
    """
    ### BEGIN SOLUTION
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    logits = model(images.clone())
    chosen = target_logits(logits, target).sum()
    if not named:
        return {}
    # One backward pass for all of them. What played no part gets zeros instead of an error.
    parameters = [parameter for _, parameter in named]
    gradients = torch.autograd.grad(chosen, parameters, materialize_grads=True)

    squares: dict[str, float] = {}
    for (name, _), gradient in zip(named, gradients, strict=True):
        layer = name.rpartition(".")[0]
        squares[layer] = squares.get(layer, 0.0) + float(gradient.double().square().sum())
    return {layer: math.sqrt(square) for layer, square in squares.items()}
    ### END SOLUTION


def residual_block(
    x: Tensor,
    branch: Callable[[Tensor], Tensor],
    shortcut: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Add what a branch makes of a tensor to the tensor itself.

    Nothing follows the sum. The result stays in the graph: gradients flow back both ways.

    Args:
        x: float, any shape. It stays as it is, even if the branch works in place.
        branch: a layer or several, called once.
        shortcut: what stands in the place of `x` in the sum, ``shortcut(x)``, such as a 1x1
            convolution where the branch changes the number of channels. None is `x` itself.

    Returns:
        Their sum, of the shape of what the branch gives.

    Raises:
        ValueError: branch and shortcut give different shapes.

    Paper: He et al. 2016, "Deep Residual Learning for Image Recognition", equations 1 and 2.

    >>> residual_block(torch.tensor([1.0, 2.0]), lambda x: 10 * x)
    tensor([11., 22.])
    """
    ### BEGIN SOLUTION
    through = x if shortcut is None else shortcut(x)
    # A copy: a branch that begins with an in-place ReLU would overwrite the shortcut.
    change = branch(x.clone())
    if change.shape != through.shape:
        # Torch would stretch (N, 1) to (N, 5) in silence.
        shapes = f"{tuple(change.shape)} and {tuple(through.shape)}"
        raise ValueError(f"branch and shortcut have the shapes {shapes}, which differ")
    return through + change
    ### END SOLUTION


class Stack(nn.Module):
    """Classify small pictures by one layer after the other, plain or with shortcuts.

    >>> Stack(pixels=64, classes=10, depth=50, activation=nn.ReLU)(torch.ones(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        pixels: int,
        classes: int,
        depth: int,
        activation: Callable[[], nn.Module],
        residual: bool = False,
        width: int = 32,
    ) -> None:
        """Make `depth` blocks, each a linear layer and an activation, between stem and head."""
        super().__init__()
        self.stem = nn.Linear(pixels, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), activation()) for _ in range(depth)
        )
        self.head = nn.Linear(width, classes)
        self.residual = residual

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, classes) of images (N, C, H, W)."""
        x = self.stem(images.flatten(1))
        for branch in self.blocks:
            x = residual_block(x, branch) if self.residual else branch(x)
        return self.head(x)


@with_autograd
def gradient_by_depth(
    branches: Iterable[Callable[[Tensor], Tensor]], x: Tensor, v: Tensor, residual: bool = False
) -> Tensor:
    """Measure how much gradient is left at every level of a stack.

    Level 0 is `x`. Each branch makes the next level, by itself or as the branch of a
    `residual_block` without a shortcut of its own.

    Args:
        branches: layers from the bottom to the top; they overwrite nothing.
        x: float, any shape.
        v: float, of the shape of the top: the gradient that goes in there.
        residual: whether each branch has a shortcut around it.

    Returns:
        Float (levels,), one more than branches: entry k is the Euclidean norm of v^T J over all
        entries of level k, where J is the Jacobian of the top with respect to that level. The last
        entry is the norm of `v`. Squares are taken in float64: in float32 those of very small
        slopes would be zero.

    >>> halves = [lambda x: x / 2] * 3
    >>> gradient_by_depth(halves, torch.ones(1), torch.tensor([8.0]))
    tensor([1., 2., 4., 8.])
    >>> gradient_by_depth(halves, torch.ones(1), torch.tensor([8.0]), residual=True)
    tensor([27., 18., 12.,  8.])
    """
    ### BEGIN SOLUTION
    levels = [x.detach().clone().requires_grad_()]
    for branch in branches:
        below = levels[-1]
        levels.append(residual_block(below, branch) if residual else branch(below))
    # All but the first are no leaves, so their `.grad` stays None: ask for the gradients by name.
    gradients = torch.autograd.grad(levels[-1], levels, v)
    norms = [gradient.double().square().sum().sqrt() for gradient in gradients]
    return torch.stack(norms).to(x.dtype)
    ### END SOLUTION

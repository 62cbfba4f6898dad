"""Find the ReLUs in autograd's graph, however a network spells them.

A node of the graph is known by its name. PyTorch does not promise these names, but has kept them
for years.
"""

from __future__ import annotations

import warnings

from torch import Tensor
from torch.autograd.graph import Node

# Nodes that may be a ReLU, and under which name they keep the least value that they let through.
# ReLU6 is a hardtanh from 0 to 6. A hardtanh that does not begin at 0 is no ReLU.
LEAST = {
    "HardtanhBackward0": "_saved_min_val",
    "ClampMinBackward0": "_saved_min",
    "ClampBackward1": "_saved_min",
    "ThresholdBackward0": "_saved_threshold",
}
OTHERS = {"Hardswish", "Silu", "Gelu", "LeakyRelu", "PreluKernel", "Elu", "Mish", "Softplus"}
# Nodes in which a compiled model, a part that is computed again, and a scripted one disappear.
CLOSED = ("CompiledFunctionBackward", "CheckpointFunctionBackward", "DifferentiableGraphBackward")


def relu_nodes(output: Tensor) -> list[Node]:
    """Find every ReLU that `output` was computed through.

    Autograd's graph holds one node for each ReLU that ran, however the network spells it: a module,
    in place, a function, a method, ``clamp(min=0)``, or one module used three times.

    Args:
        output: a tensor that remembers how it was computed.

    Returns:
        The ReLU and ReLU6 nodes, each once. A warning names other activations in the network, such
        as Hardswish: no rule is made for them, and the true gradient passes there.

    Raises:
        ValueError: there is none, or some may be hidden, as in a compiled model.

    >>> import torch
    >>> x = torch.ones(3, requires_grad=True)
    >>> [node.name() for node in relu_nodes(torch.relu(2 * x).sum())]
    ['ReluBackward0']
    """
    graph = _graph(output)
    names = {node.name() for node in graph}
    for name in names:
        if name.endswith(CLOSED):
            raise ValueError(
                f"{name} hides the ReLUs in it: take the model as it was before torch.compile or "
                "torch.jit, and checkpoints with use_reentrant=False"
            )
    found = [node for node in graph if _is_relu(node)]
    if not found:
        raise ValueError("there is no ReLU in this network's graph: the rules need one")
    if others := _others(names):
        warnings.warn(f"only ReLUs follow the rule, not {', '.join(others)}", stacklevel=5)
    return found


def other_activations(output: Tensor) -> list[str]:
    """Name the activations that `output` was computed through and that are no ReLU.

    Args:
        output: a tensor that remembers how it was computed.

    Returns:
        Names as autograd has them, sorted: ``["Hardswish"]``.

    Raises:
        ValueError: the output has no graph.

    >>> import torch
    >>> x = torch.ones(3, requires_grad=True)
    >>> other_activations(torch.nn.functional.silu(x).relu())
    ['Silu']
    """
    return _others({node.name() for node in _graph(output)})


def _graph(output: Tensor) -> set[Node]:
    """Return every node behind `output`."""
    if output.grad_fn is None:
        raise ValueError("this output has no graph: it was computed with autograd turned off")
    seen: set[Node] = set()
    to_visit: list[Node | None] = [output.grad_fn]
    while to_visit:
        node = to_visit.pop()
        if node is not None and node not in seen:
            seen.add(node)
            to_visit += [parent for parent, _ in node.next_functions]
    return seen


def _is_relu(node: Node) -> bool:
    name = node.name()
    return name == "ReluBackward0" or (name in LEAST and getattr(node, LEAST[name]) == 0)


def _others(names: set[str]) -> list[str]:
    return sorted(OTHERS & {name.removesuffix("Backward0") for name in names})

# Stubs of l04_neighbours, version 8447aca85fa4. Complete them here; `convlens check l04_neighbours` says what is right.
"""Lesson 4: which pictures are alike, to the pixels and to the network?

A picture becomes a row of numbers: its pixels, or what a layer makes of it. A database is a matrix
(M, D) with one picture a row, and queries are (Q, D). Whoever looks alike lies near. Calculate all
pairs at once: no loop over images or pairs is needed anywhere.

Results are detached and keep the dtype and device of what they are made from. Leave the model, its
parameters' `.grad`, the caller's tensors and torch's global state as you found them.

Given: `full_precision(x)` turns half precision into float32, in which distances do not overflow,
and leaves every other tensor as it is. `evaluating(network)` is a context: within its block the
network is in evaluation mode, and afterwards in the mode it had.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.toolkit.precision import full_precision
from lessons.l02_hooks.exercises import capture_activation


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Keep a network in evaluation mode for as long as a block lasts (given).

    In train mode a picture's features hang on who else is in its batch, and running statistics
    move. Each part gets back the mode it had.

    >>> network = nn.Sequential(nn.Dropout(), nn.Linear(2, 2).eval())
    >>> with evaluating(network):
    ...     network[0].training
    False
    >>> [part.training for part in network]
    [True, False]
    """
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


# Exercise 1 of 6 · 25 minutes · difficulty 2 of 3 · 2 points
@torch.no_grad()
def pairwise_distances(queries: Tensor, database: Tensor, metric: str) -> Tensor:
    """Measure how far each query lies from each row of the database.

    Args:
        queries: float (Q, D), one point a row.
        database: float (M, D).
        metric: ``"euclidean"``, the length of the difference; or ``"cosine"``, 1 minus the cosine
            of the angle between the two rows. A row of zeros has no direction: its cosine distance
            to every row, itself included, is 1.

    Returns:
        float (Q, M). Euclidean distances are at least 0, cosine distances within [0, 2], rounding
        or not; never NaN.

    Raises:
        ValueError: the metric is neither of the two.

    >>> queries = torch.tensor([[3.0, 4.0]])
    >>> database = torch.tensor([[0.0, 0.0], [3.0, 4.0], [-4.0, 3.0]])
    >>> pairwise_distances(queries, database, "euclidean")[:, :2]
    tensor([[5., 0.]])
    >>> pairwise_distances(queries, database, "cosine")
    tensor([[1., 0., 1.]])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l04_neighbours.pairwise_distances: not written yet")


# Exercise 2 of 6 · 20 minutes · difficulty 2 of 3 · 2 points
def nearest_neighbours(
    queries: Tensor, database: Tensor, k: int, metric: str, exclude_self: bool = False
) -> tuple[Tensor, Tensor]:
    """Find the k rows of the database that lie nearest to each query.

    Args:
        queries: float (Q, D), one point a row.
        database: float (M, D).
        k: number of neighbours, at least 1; at most M, or M - 1 with `exclude_self`.
        metric: ``"euclidean"`` or ``"cosine"``, as in `pairwise_distances`.
        exclude_self: the queries are the database, and query i is not its own neighbour: row i is
            left out for it. Other rows stay, even one that is equal to it.

    Returns:
        Indices of rows, long (Q, k), and their distances, float (Q, k); the nearest first. Equally
        near ones come in any order.

    Raises:
        ValueError: k is out of its range, the metric is neither of the two, or `exclude_self` is
            set and there are not as many queries as rows.

    >>> line = torch.tensor([[0.0], [1.0], [5.0]])
    >>> indices, distances = nearest_neighbours(line, line, 1, "euclidean", exclude_self=True)
    >>> indices.tolist(), distances.tolist()
    ([[1], [0], [1]], [[1.0], [1.0], [4.0]])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l04_neighbours.nearest_neighbours: not written yet")


# Exercise 3 of 6 · 25 minutes · difficulty 2 of 3 · 3 points
def embed(model: nn.Module, layer: str, images: Tensor, batch_size: int) -> Tensor:
    """Turn each image into one vector of length 1, what a layer makes of it.

    Args:
        model: any network. It runs in evaluation mode, whatever mode it is in, and keeps its mode.
        layer: dotted module name.
        images: float (N, 3, H, W), normalised for the model.
        batch_size: images in one pass of the network, at least 1; the last pass may have fewer. It
            bounds the memory and changes no result.

    Returns:
        float (N, D). A layer that gives (N, C, h, w) is averaged over its places, one that gives
        tokens (N, T, C) over the tokens; (N, D) stays as it is. Then each row is divided by its
        Euclidean length. A row of zeros stays so.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the layer does not run in this pass, gives another number of dimensions, or
            `batch_size` is below 1.

    >>> model = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False))
    >>> _ = nn.init.constant_(model[0].weight[0], 3), nn.init.constant_(model[0].weight[1], 4)
    >>> embed(model, "0", torch.ones(2, 3, 5, 5), batch_size=64)
    tensor([[0.6000, 0.8000],
            [0.6000, 0.8000]])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l04_neighbours.embed: not written yet")


# Exercise 4 of 6 · 10 minutes · difficulty 1 of 3 · 1 point
def retrieval_precision(indices: Tensor, query_labels: Tensor, database_labels: Tensor) -> float:
    """Measure which share of the neighbours found have their query's label.

    Args:
        indices: long (Q, k), rows of the database found for each query.
        query_labels: long (Q,).
        database_labels: long (M,).

    Returns:
        A number from 0 to 1: the mean over all Q * k neighbours.

    Raises:
        ValueError: there is not one label for each query.

    >>> found = torch.tensor([[0, 1], [2, 0]])
    >>> retrieval_precision(found, torch.tensor([7, 8]), torch.tensor([7, 7, 8]))
    0.75
    """
    # YOUR CODE HERE
    raise NotImplementedError("l04_neighbours.retrieval_precision: not written yet")


# Exercise 5 of 6 · 30 minutes · difficulty 3 of 3 · 3 points
def nearest_in_parts(
    queries: Tensor, parts: Iterable[Tensor], k: int, metric: str
) -> tuple[Tensor, Tensor]:
    """Find the k nearest rows of a database that comes in parts.

    Each part is looked at once, in its order, and may be gone afterwards: memory never holds more
    than one part, its distances and the best so far. So a database larger than memory will do.

    Args:
        queries: float (Q, D), one point a row.
        parts: the rows of the database in their order, float (m, D) each; m may differ, be smaller
            than k, or be 0. An iterator will do.
        k: number of neighbours, at least 1 and at most as many as there are rows in all.
        metric: ``"euclidean"`` or ``"cosine"``, as in `pairwise_distances`.

    Returns:
        What `nearest_neighbours` gives for all parts put together: indices, long (Q, k), counted
        through all parts, and distances, float (Q, k); the nearest first.

    Raises:
        ValueError: k is out of its range, or the metric is neither of the two.

    >>> parts = iter([torch.tensor([[0.0], [9.0]]), torch.tensor([[7.0]])])
    >>> indices, distances = nearest_in_parts(torch.tensor([[8.5]]), parts, 2, "euclidean")
    >>> indices.tolist(), distances.tolist()
    ([[1, 2]], [[0.5, 1.5]])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l04_neighbours.nearest_in_parts: not written yet")


# Exercise 6 of 6 · 30 minutes · difficulty 2 of 3 · 3 points
def accuracy_by_layer(
    model: nn.Module,
    layers: Sequence[str],
    images: Tensor,
    labels: Tensor,
    k: int,
    batch_size: int = 64,
) -> dict[str, float]:
    """Measure at each layer how often an image's neighbours know its label.

    Every image is taken out of the database once, and its k nearest others vote for their labels.
    What has most votes is the answer; of labels with as many votes, the smallest.

    Args:
        model: any network.
        layers: dotted module names.
        images: float (N, 3, H, W), normalised for the model.
        labels: long (N,), whole numbers from 0.
        k: number of neighbours that vote, 1 to N - 1, by cosine distance of their embeddings.
        batch_size: images in one pass of the network.

    Returns:
        Share of right answers by layer, in the order of `layers`.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: k is out of its range, there is not one label for each image, or a layer does
            not run in this pass.

    Paper: Fix and Hodges 1951, the k-nearest-neighbour rule.

    >>> model = nn.Sequential(nn.Identity())
    >>> reds, blues = torch.tensor([1.0, 0, 0]), torch.tensor([0, 0, 1.0])
    >>> images = torch.stack([reds, 0.9 * reds, blues, 0.8 * blues])[:, :, None, None]
    >>> accuracy_by_layer(model, ["0"], images, torch.tensor([0, 0, 1, 1]), k=1)
    {'0': 1.0}
    """
    # YOUR CODE HERE
    raise NotImplementedError("l04_neighbours.accuracy_by_layer: not written yet")

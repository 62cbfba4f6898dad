# Stubs of l05_tsne, version 12ce57454db4. Complete them here; `convlens check l05_tsne` says what is right.
"""High dimensions on paper: PCA, t-SNE and the picture wall.

A point of high dimension cannot be drawn. PCA draws its shadow; t-SNE (van der Maaten and Hinton
2008) draws a map that keeps each point's neighbours. All pairs are held at once: 2,000 points make
matrices of 16 MB.

Results are detached and keep the dtype and device of what they are made from. Leave the caller's
tensors and torch's global random generator as you found them.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lessons.toolkit.precision import full_precision


def squared_distances(x: Tensor) -> Tensor:
    """Return the squared Euclidean distance of every pair of rows (given).

    Each pair is measured by itself. The shorter way, |a|^2 - 2ab + |b|^2 as one matrix product, is
    faster and rounds near points of a wide cloud to nothing.

    Args:
        x: (N, D) floating point, one point a row.

    Returns:
        (N, N), never negative, zeros on the diagonal; float32 for points in half precision.

    >>> squared_distances(torch.tensor([[0.0, 0.0], [3.0, 4.0]])).tolist()
    [[0.0, 25.0], [25.0, 0.0]]
    """
    x = full_precision(x)
    return torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist").square_()


def kl_divergence(p: Tensor, y: Tensor) -> float:
    """Measure how badly the map y keeps the neighbours p (given).

    This is the loss of t-SNE, KL(P || Q).

    Args:
        p: (N, N) joint probabilities, summing to 1.
        y: (N, 2) the map.

    Returns:
        The divergence in nats, 0 for a perfect map.

    >>> p = (torch.ones(3, 3) - torch.eye(3)) / 6
    >>> triangle = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])
    >>> abs(round(kl_divergence(p, triangle), 6))
    0.0
    """
    q, _ = student_t_affinities(y)
    # xlogy knows that 0 * log 0 is 0.
    return float((torch.xlogy(p, p) - torch.xlogy(p, q)).sum())


# Exercise 1 of 8 · 20 minutes · difficulty 2 of 3 · 2 points
@torch.no_grad()
def pca(x: Tensor, k: int) -> Tensor:
    """Project the points on the k directions in which they vary most.

    An axis can point either way, and either is right.

    Args:
        x: (N, D) floating point, one point a row.
        k: number of directions, 1 to min(N, D).

    Returns:
        (N, k), columns of mean 0, the most spread out first.

    Raises:
        ValueError: k is not within 1 to min(N, D).

    Paper: Pearson 1901; Hotelling 1933.

    >>> pca(torch.tensor([[0.0, 5.0], [3.0, 5.0], [6.0, 5.0]]), k=1).abs().tolist()
    [[3.0], [0.0], [3.0]]
    """
    # YOUR CODE HERE
    raise NotImplementedError("l05_tsne.pca: not written yet")


# Exercise 2 of 8 · 45 minutes · difficulty 3 of 3 · 4 points
@torch.no_grad()
def conditional_probabilities(squared_distances: Tensor, perplexity: float) -> Tensor:
    """Find which points each point would pick as its neighbours.

    Row i is p(j | i), a Gaussian around point i: proportional to exp(-b_i * d_ij^2) for j != i.
    Each row has its own precision b_i, such that the row's entropy is log(perplexity): crowded or
    lonely, every point has the same effective number of neighbours.

    Args:
        squared_distances: (N, N) floating point, of every pair of points.
        perplexity: effective number of neighbours, above 1 and below N - 1.

    Returns:
        (N, N), rows sum to 1, zeros on the diagonal. Each row's entropy is within 1e-5 bits of
        log2(perplexity). Where more points than that are equally near, they share the row evenly.

    Raises:
        ValueError: perplexity is not above 1 and below N - 1.

    Paper: van der Maaten and Hinton 2008, section 2.

    >>> line = torch.tensor([[0.0], [1.0], [2.0], [9.0]])
    >>> p = conditional_probabilities(squared_distances(line), perplexity=2)
    >>> [round(value, 2) for value in p[1].tolist()]
    [0.5, 0.0, 0.5, 0.0]
    """
    # YOUR CODE HERE
    raise NotImplementedError("l05_tsne.conditional_probabilities: not written yet")


# Exercise 3 of 8 · 5 minutes · difficulty 1 of 3 · 1 point
@torch.no_grad()
def joint_probabilities(conditional: Tensor) -> Tensor:
    """Make one symmetric distribution over all pairs from the rows of neighbours.

    Args:
        conditional: (N, N), p(j | i) in row i, rows sum to 1.

    Returns:
        (N, N), symmetric, summing to 1 in all. Each row sums to at least 1 / (2 N), so that no
        point is left out, not even an outlier.

    Paper: van der Maaten and Hinton 2008, section 3.1.

    >>> joint_probabilities(torch.tensor([[0.0, 1.0], [1.0, 0.0]])).tolist()
    [[0.0, 0.5], [0.5, 0.0]]
    """
    # YOUR CODE HERE
    raise NotImplementedError("l05_tsne.joint_probabilities: not written yet")


# Exercise 4 of 8 · 10 minutes · difficulty 1 of 3 · 2 points
@torch.no_grad()
def student_t_affinities(y: Tensor) -> tuple[Tensor, Tensor]:
    """Measure with Student's t how near the points of the map are to each other.

    Args:
        y: (N, 2) the map.

    Returns:
        Q and the unnormalised affinities 1 / (1 + d_ij^2), both (N, N) with zeros on the diagonal.
        Q sums to 1 in all.

    Paper: van der Maaten and Hinton 2008, section 3.3.

    >>> q, unnormalised = student_t_affinities(torch.tensor([[0.0, 0.0], [0.0, 1.0]]))
    >>> q.tolist(), unnormalised.tolist()
    ([[0.0, 0.5], [0.5, 0.0]], [[0.0, 0.5], [0.5, 0.0]])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l05_tsne.student_t_affinities: not written yet")


# Exercise 5 of 8 · 30 minutes · difficulty 2 of 3 · 3 points
@torch.no_grad()
def tsne_gradient(p: Tensor, y: Tensor) -> Tensor:
    """Return the gradient of KL(P || Q) with respect to the map.

    Its row i is 4 * sum_j (p_ij - q_ij) (y_i - y_j) / (1 + d_ij^2).

    Args:
        p: (N, N) joint probabilities, symmetric.
        y: (N, 2) the map.

    Returns:
        (N, 2). A step against it pulls pairs with p > q together and pushes pairs with p < q apart.

    Paper: van der Maaten and Hinton 2008, equation 5.

    >>> p = (torch.ones(3, 3) - torch.eye(3)) / 6
    >>> tsne_gradient(p, torch.tensor([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0]]))[2].sign().tolist()
    [1.0, 0.0]
    """
    # YOUR CODE HERE
    raise NotImplementedError("l05_tsne.tsne_gradient: not written yet")


# Exercise 6 of 8 · 60 minutes · difficulty 3 of 3 · 5 points
@torch.no_grad()
def tsne(
    x: Tensor,
    perplexity: float,
    steps: int,
    learning_rate: float | None = None,
    exaggeration: float = 12.0,
    init: str = "pca",
    seed: int = 0,
) -> Tensor:
    """Draw a map of the points in which neighbours stay neighbours.

    Args:
        x: (N, D) floating point, one point a row, D >= 2.
        perplexity: effective number of neighbours, above 1 and below N - 1.
        steps: number of gradient steps.
        learning_rate: size of a step. None takes N / 12: the gradient shrinks as 1 / N.
        exaggeration: factor on P during the first quarter of the steps.
        init: "pca" starts at the first two principal components, "random" anywhere near the origin.
        seed: of the start's random part. The same seed gives the same map.

    Returns:
        (N, 2), mean 0. Who is whose neighbour has a meaning. The unit, the rotation, the size of a
        cluster and the gap between two clusters have none.

    Raises:
        ValueError: perplexity does not fit N, or init is neither "pca" nor "random".

    Paper: van der Maaten and Hinton 2008; Kobak and Berens 2019 (start from PCA); Belkina et al.
    2019 (learning rate).

    >>> x = torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.0, 0.1], [9.0, 9.0], [9.1, 9.0], [9.0, 9.1]])
    >>> tsne(x, perplexity=2, steps=100).shape
    torch.Size([6, 2])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l05_tsne.tsne: not written yet")


# Exercise 7 of 8 · 25 minutes · difficulty 2 of 3 · 3 points
@torch.no_grad()
def embedding_canvas(
    images: Tensor, points: Tensor, canvas: tuple[int, int], thumbnail: tuple[int, int]
) -> Tensor:
    """Paste each image, drawn small, at its point of the map.

    Each axis of the map is stretched to fill the canvas: the leftmost thumbnail touches the left
    edge, the topmost one the top edge, and none is cut. Each lands on the nearest whole pixel. The
    second coordinate grows upwards. A later image covers an earlier one. Images are resized
    bilinearly, with antialiasing.

    Args:
        images: (N, 3, h, w) or (N, 1, h, w) floating point in [0, 1].
        points: (N, 2) where each image belongs, in any unit. A single point lies in the middle.
        canvas: (H, W) of the wall in pixels.
        thumbnail: (height, width) of one picture in pixels, at most the canvas.

    Returns:
        (3, H, W) in [0, 1], white where there is no picture.

    Raises:
        ValueError: the thumbnail is larger than the canvas, or there are not as many points as
            images.

    >>> black, points = torch.zeros(2, 1, 8, 8), torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    >>> embedding_canvas(black, points, canvas=(4, 4), thumbnail=(2, 2))[0].int().tolist()
    [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    """
    # YOUR CODE HERE
    raise NotImplementedError("l05_tsne.embedding_canvas: not written yet")


# Exercise 8 of 8 · 20 minutes · difficulty 2 of 3 · 3 points
@torch.no_grad()
def neighbours_kept(x: Tensor, y: Tensor, k: int) -> float:
    """Measure which share of the true neighbours is still near on the map.

    For each point, find its k nearest others among `x` and its k nearest others on the map `y`, and
    count how many are in both.

    Args:
        x: (N, D) floating point, one point a row.
        y: (N, 2) the map, row by row of the same points; any number of columns will do.
        k: number of neighbours, 1 to N - 1.

    Returns:
        The share over all points, in [0, 1]. A perfect map keeps 1, and a map that knows nothing
        about k / (N - 1).

    Raises:
        ValueError: k is not within 1 to N - 1.

    Paper: Kobak and Berens 2019, "KNN"; Lee and Verleysen 2009.

    >>> line = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    >>> neighbours_kept(line, line, k=1), neighbours_kept(line, line[[1, 0, 2, 3]], k=1)
    (1.0, 0.75)
    """
    # YOUR CODE HERE
    raise NotImplementedError("l05_tsne.neighbours_kept: not written yet")

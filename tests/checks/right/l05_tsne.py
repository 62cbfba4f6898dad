"""Right versions of lesson 5, in the styles of different people."""

# ruff: noqa: F821


def pca__eigh_of_the_covariance(x, k):
    n, d = x.shape
    if k < 1 or k > min(n, d):
        raise ValueError("k")
    mean = x.mean(dim=0, keepdim=True)
    covariance = (x - mean).T @ (x - mean) / (n - 1)
    values, vectors = torch.linalg.eigh(covariance)
    order = torch.argsort(values, descending=True)[:k]
    return (x - mean) @ vectors[:, order]


def pca__numpy_inside(x, k):
    import numpy as np

    data = x.detach().cpu().numpy()
    if not (0 < k <= min(data.shape)):
        raise ValueError("k does not fit")
    data = data - data.mean(0)
    u, s, _ = np.linalg.svd(data, full_matrices=False)
    return torch.from_numpy(u[:, :k] * s[:k]).to(x)


def pca__every_axis_the_other_way(x, k):
    if not 1 <= k <= min(x.shape):
        raise ValueError("k")
    x = x - x.mean(0)
    v = torch.linalg.svd(x)[2]
    return x @ (-v[:k].mT)


def conditional_probabilities__row_by_row(squared_distances, perplexity):
    n = squared_distances.shape[0]
    if perplexity <= 1 or perplexity >= n - 1:
        raise ValueError("perplexity")
    d = squared_distances.double()
    p = torch.zeros_like(d)
    goal = math.log(perplexity)
    for i in range(n):
        others = [j for j in range(n) if j != i]
        row = d[i, others]
        row = row - row.min()
        low, high, beta = 0.0, math.inf, 1.0 / max(float(row.mean()), 1e-12)
        for _ in range(100):
            weights = torch.exp(-beta * row)
            q = weights / weights.sum()
            entropy = float(-torch.xlogy(q, q).sum())
            if abs(entropy - goal) < 1e-7:
                break
            if entropy > goal:
                low = beta
                beta = beta * 2 if high == math.inf else (beta + high) / 2
            else:
                high = beta
                beta = (beta + low) / 2
        p[i, others] = q
    return p.to(squared_distances.dtype)


def joint_probabilities__transpose_and_mean(conditional):
    n = conditional.shape[0]
    return (conditional + conditional.t()).div(2.0 * n)


def student_t_affinities__cdist(y):
    distances = torch.cdist(y, y, compute_mode="donot_use_mm_for_euclid_dist")
    numerator = 1.0 / (1.0 + distances**2)
    numerator = numerator * (1 - torch.eye(len(y), dtype=y.dtype))
    return numerator / numerator.sum(), numerator


def student_t_affinities__broadcast(y):
    difference = y.unsqueeze(1) - y.unsqueeze(0)
    affinity = (1 + difference.pow(2).sum(-1)).pow(-1)
    affinity = affinity.masked_fill(torch.eye(y.shape[0], dtype=torch.bool), 0.0)
    return affinity / affinity.sum(), affinity


def tsne_gradient__loop_over_points(p, y):
    q, affinity = student_t_affinities(y)
    gradient = torch.zeros_like(y)
    for i in range(len(y)):
        gradient[i] = 4 * (((p[i] - q[i]) * affinity[i])[:, None] * (y[i] - y)).sum(0)
    return gradient


def tsne_gradient__laplacian(p, y):
    q, affinity = student_t_affinities(y)
    force = (p - q) * affinity
    return 4 * (torch.diag(force.sum(1)) - force) @ y


def embedding_canvas__loop_with_floats(images, points, canvas, thumbnail):
    H, W = canvas
    h, w = thumbnail
    if h > H or w > W:
        raise ValueError("too large")
    small = F.interpolate(images, size=(h, w), mode="bilinear", align_corners=False, antialias=True)
    if small.shape[1] == 1:
        small = small.repeat(1, 3, 1, 1)
    wall = torch.ones(3, H, W, dtype=images.dtype, device=images.device)
    low, high = points.min(0).values, points.max(0).values
    for i in range(len(images)):
        x = (points[i, 0] - low[0]) / (high[0] - low[0]) if high[0] > low[0] else 0.5
        y = (points[i, 1] - low[1]) / (high[1] - low[1]) if high[1] > low[1] else 0.5
        left = round(float(x) * (W - w))
        top = round((1 - float(y)) * (H - h))
        wall[:, top : top + h, left : left + w] = small[i]
    return wall


def tsne__plain_momentum_in_a_loop(
    x, perplexity, steps, learning_rate=None, exaggeration=12.0, init="pca", seed=0
):
    n = len(x)
    if init not in {"pca", "random"}:
        raise ValueError(init)
    rate = n / 12 if learning_rate is None else learning_rate
    p = joint_probabilities(conditional_probabilities(squared_distances(x), perplexity))
    noise = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed)).to(x.dtype)
    if init == "pca":
        y = pca(x, 2)
        y = y / y[:, 0].std().clamp(min=1e-9) * 1e-4 + 1e-6 * noise
    else:
        y = noise * 1e-4
    gains = torch.ones_like(y)
    update = torch.zeros_like(y)
    for step in range(steps):
        early = step < steps // 4
        grad = tsne_gradient(p * exaggeration if early else p, y)
        gains = torch.where(grad.sign() != update.sign(), gains + 0.2, gains * 0.8).clamp(0.01)
        update = (0.5 if early else 0.8) * update - rate * gains * grad
        y = y + update
    return y - y.mean(dim=0, keepdim=True)

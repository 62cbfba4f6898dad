"""Right versions of lesson 11, in the styles of different people."""

# ruff: noqa: F821


def saliency_map__backward_and_restored_grads(model, images, target):
    before = [p.grad for p in model.parameters()]
    for p in model.parameters():
        p.grad = None
    try:
        x = images.detach().clone()
        x.requires_grad = True
        out = model(x)
        if len(out) != len(target):
            raise ValueError("wrong number of classes")
        out[range(len(x)), target].sum().backward()
        saliency, _ = x.grad.abs().max(dim=1)
    finally:
        for p, grad in zip(model.parameters(), before, strict=True):
            p.grad = grad
    return saliency


def saliency_map__torch_func(model, images, target):
    if target.shape[0] != images.shape[0]:
        raise ValueError("one class for each image")

    def chosen(batch):
        return target_logits(model(batch), target).sum()

    gradient = torch.func.grad(chosen)(images.detach())
    return gradient.detach().abs().amax(1)


def saliency_map__parameters_frozen_for_a_while(model, images, target):
    wanted = [p.requires_grad for p in model.parameters()]
    x = images.detach().clone().requires_grad_()
    try:
        model.requires_grad_(False)
        target_logits(model(x), target).sum().backward()
    finally:
        for p, want in zip(model.parameters(), wanted, strict=True):
            p.requires_grad_(want)
    return torch.max(torch.abs(x.grad), dim=1).values


def saliency_map__loop_over_images(model, images, target):
    if len(images) != len(target):
        raise ValueError
    maps = []
    for image, label in zip(images, target, strict=True):
        x = image.detach().unsqueeze(0).clone().requires_grad_(True)
        score = model(x)[0, label.item()]
        (g,) = torch.autograd.grad(score, [x])
        maps.append(g[0].abs().max(0)[0])
    return torch.stack(maps)


def saliency_map__numpy_inside(model, images, target):
    import numpy as np

    x = images.detach().clone().requires_grad_()
    target_logits(model(x), target).sum().backward(inputs=[x])
    return torch.from_numpy(np.abs(x.grad.cpu().numpy()).max(axis=1)).to(images.device)


def saliency_map__one_hot(model, images, target):
    x = images.clone().detach().requires_grad_()
    logits = model(x)
    if target.shape != logits.shape[:1]:
        raise ValueError("target")
    one_hot = torch.zeros_like(logits)
    one_hot.scatter_(1, target.unsqueeze(1), 1.0)
    gradient = torch.autograd.grad(outputs=logits, inputs=x, grad_outputs=one_hot)[0]
    return gradient.abs().max(dim=1).values


def smooth_grad__backward_with_zeroed_grad(model, images, target, samples, noise, seed=0):
    g = torch.Generator()
    g.manual_seed(seed)
    base = images.detach()
    n = base.shape[0]
    if target.shape[0] != n:
        raise ValueError("target")
    flat = base.view(n, -1)
    sigma = noise * (flat.max(1).values - flat.min(1).values)
    mean = torch.zeros_like(base)
    for _ in range(samples):
        eps = torch.randn(base.shape, generator=g, dtype=base.dtype)
        x = base + eps * sigma.view(n, 1, 1, 1)
        x.requires_grad_(True)
        (grad,) = torch.autograd.grad(target_logits(model(x), target).sum(), x)
        mean = mean + grad / samples
    return mean.abs().max(dim=1)[0]


def smooth_grad__list_and_stack(model, images, target, samples, noise, seed=0):
    rng = torch.Generator(device="cpu").manual_seed(int(seed))
    with torch.no_grad():
        span = images.amax(dim=(1, 2, 3)) - images.amin(dim=(1, 2, 3))
    gradients = []
    for _ in range(samples):
        draw = torch.empty(images.shape, dtype=images.dtype).normal_(generator=rng)
        noisy = (images.detach() + span[:, None, None, None] * noise * draw).requires_grad_()
        target_logits(model(noisy), target).sum().backward(inputs=[noisy])
        gradients.append(noisy.grad)
    return torch.stack(gradients).mean(dim=0).abs().amax(dim=1)


def saliency_box__where_and_unique(saliency, quantile):
    mask = saliency.ge(saliency.flatten().quantile(quantile))
    labels = connected_components(mask)
    numbers, counts = labels[mask].unique(return_counts=True)
    biggest = numbers[counts.argmax()]
    ys, xs = torch.where(labels == biggest)
    return ys.min().item(), xs.min().item(), ys.max().item() + 1, xs.max().item() + 1


def saliency_box__numpy_inside(saliency, quantile):
    import numpy as np

    values = saliency.detach().cpu().numpy()
    mask = values >= np.quantile(values, quantile)
    labels = connected_components(torch.from_numpy(mask)).numpy()
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    rows, columns = np.nonzero(labels == sizes.argmax())
    box = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
    return tuple(int(side) for side in box)


def saliency_box__any_over_rows(saliency, quantile):
    mask = saliency >= torch.quantile(saliency.reshape(-1), quantile)
    labels = connected_components(mask)
    largest = max(range(1, int(labels.max()) + 1), key=lambda k: int((labels == k).sum()))
    region = labels == largest
    rows = [i for i in range(region.shape[0]) if region[i].any()]
    columns = [j for j in range(region.shape[1]) if region[:, j].any()]
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


def saliency_segmentation__where(
    image, saliency, foreground=0.95, background=0.30, segment=graph_segment
):
    high = saliency.quantile(foreground)
    low = saliency.quantile(background)
    markers = torch.where(saliency >= high, 2, torch.where(saliency <= low, 1, 0))
    return segment(image, markers).eq(2)


def saliency_segmentation__arithmetic(
    image, saliency, foreground=0.95, background=0.30, segment=graph_segment
):
    low, high = torch.quantile(
        saliency, torch.tensor([background, foreground], dtype=saliency.dtype)
    )
    markers = (saliency <= low).long() * (saliency < high) + 2 * (saliency >= high).long()
    labels = segment(image.detach(), markers)
    return labels == 2

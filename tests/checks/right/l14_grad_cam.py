"""Right versions of lesson 14, in the styles of different people."""

# ruff: noqa: F821


def activation_and_gradient__backward_hooks_on_the_tensor(model, layer, images, target):
    store = {}

    def forward_hook(module, inputs, output):
        store["activation"] = output.detach().clone()
        output.register_hook(lambda grad: store.setdefault("gradient", grad.detach().clone()))

    handle = model.get_submodule(layer).register_forward_hook(forward_hook)
    try:
        logits = model(images.detach().clone().requires_grad_())
        if not store:
            raise ValueError(f"{layer} did not run")
        score = target_logits(logits, target).sum()
        parameters = list(model.parameters())
        held = [None if p.grad is None else p.grad.clone() for p in parameters]
        score.backward()
        for p, grad in zip(parameters, held, strict=True):
            p.grad = grad
    finally:
        handle.remove()
    return store["activation"], store["gradient"]


def activation_and_gradient__retain_grad_and_restored_grads(model, layer, images, target):
    saved = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    kept = []

    def hook(module, inputs, output):
        copy = output.clone()
        if not copy.requires_grad:
            copy.requires_grad_()
        copy.retain_grad()
        kept.append(copy)
        return copy.clone()

    try:
        with model.get_submodule(layer).register_forward_hook(hook):
            logits = model(images.detach())
        if len(kept) == 0:
            raise ValueError("did not run")
        target_logits(logits, target).sum().backward()
        return kept[-1].detach(), kept[-1].grad.detach()
    finally:
        for p, grad in zip(model.parameters(), saved, strict=True):
            p.grad = grad


def activation_and_gradient__a_class_of_hooks(model, layer, images, target):
    class Watch:
        output = None

        def __call__(self, module, inputs, output):
            self.output = output
            return output.clone()

    watch = Watch()
    with torch.enable_grad(), model.get_submodule(layer).register_forward_hook(watch):
        logits = model(images.detach().requires_grad_(True))
    if watch.output is None:
        raise ValueError("did not run")
    if len(logits) != len(target):
        raise ValueError("target")
    score = sum(logits[i, label] for i, label in enumerate(target))
    gradient = torch.autograd.grad(score, watch.output)[0]
    return watch.output.detach(), gradient


def channel_weights__adaptive_pool(activation_gradients):
    return F.adaptive_avg_pool2d(activation_gradients, 1).flatten(1)


def channel_weights__sum_over_places(activation_gradients):
    n, c, h, w = activation_gradients.shape
    return activation_gradients.reshape(n, c, h * w).sum(-1) / (h * w)


def grad_cam__everything_in_one_place(model, layer, images, target):
    module = model.get_submodule(layer)
    acts = []

    def hook(m, i, o):
        acts.append(o)
        return o.clone()

    handle = module.register_forward_hook(hook)
    try:
        x = images.detach().clone().requires_grad_()
        logits = model(x)
    finally:
        handle.remove()
    if not acts:
        raise ValueError("never ran")
    if target.shape[0] != logits.shape[0]:
        raise ValueError("target")
    chosen = logits[torch.arange(len(target)), target].sum()
    grads = torch.autograd.grad(chosen, acts[-1])[0]
    alpha = grads.mean(dim=[2, 3], keepdim=True)
    return torch.clamp((alpha * acts[-1]).sum(dim=1), min=0).detach()


def grad_cam__loop_over_channels(model, layer, images, target):
    a, g = activation_and_gradient(model, layer, images, target)
    w = channel_weights(g)
    cam = torch.zeros_like(a[:, 0])
    for k in range(a.shape[1]):
        cam += w[:, k].view(-1, 1, 1) * a[:, k]
    return cam.relu()


def guided_grad_cam__one_channel_at_a_time(model, layer, images, target, guided=None):
    if guided is None:
        from solutions.l12_guided_backprop import guided_backprop

        guided = guided_backprop(model, images, target)
    cam = grad_cam(model, layer, images, target)[:, None]
    size = (images.size(2), images.size(3))
    mask = F.interpolate(cam, size=size, mode="bilinear")
    return torch.stack([guided[:, c].detach() * mask[:, 0] for c in range(3)], dim=1)


def guided_grad_cam__upsample_module(model, layer, images, target, guided=None):
    from solutions.l12_guided_backprop import guided_backprop

    with torch.no_grad():
        cam = grad_cam(model, layer, images, target).unsqueeze(1)
        up = nn.Upsample(size=images.shape[2:], mode="bilinear", align_corners=False)
        fine = guided_backprop(model, images, target) if guided is None else guided
        return fine * up(cam)


def counterfactual__weights_negated(model, layer, images, target):
    a, g = activation_and_gradient(model, layer, images, target)
    weights = -g.mean(dim=(-2, -1))
    return torch.relu((weights[..., None, None] * a).sum(1))


def counterfactual__bmm(model, layer, images, target):
    a, g = activation_and_gradient(model, layer, images, target)
    n, c, h, w = a.shape
    cam = torch.bmm(channel_weights(g)[:, None], a.reshape(n, c, -1)).reshape(n, h, w)
    return torch.maximum(-cam, torch.zeros_like(cam))

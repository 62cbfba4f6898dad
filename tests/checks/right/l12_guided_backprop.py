"""Right versions of lesson 12, in the styles of different people."""

# ruff: noqa: F821


def guided_backprop__backward_and_restored_grads(model, images, target):
    before = [p.grad for p in model.parameters()]
    for p in model.parameters():
        p.grad = None
    x = images.detach().clone()
    x.requires_grad = True
    try:
        out = model(x)
        if len(out) != len(target):
            raise ValueError("wrong number of classes")
        redirect_relus(out, "guided")
        out[range(len(x)), target].sum().backward()
    finally:
        for p, grad in zip(model.parameters(), before, strict=True):
            p.grad = grad
    return x.grad


def guided_backprop__every_function_replaced(model, images, target):
    from torch.overrides import TorchFunctionMode

    seen = []

    class Guided(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, top):
            ctx.save_for_backward((x > 0) & (x < top))
            return x.clamp(0, top)

        @staticmethod
        def backward(ctx, gradient):
            return gradient.clamp(min=0) * ctx.saved_tensors[0], None

    class Replaced(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            name = getattr(func, "__name__", "")
            if name in ("relu", "relu_", "relu6", "hardtanh"):
                seen.append(name)
                return Guided.apply(
                    args[0], float("inf") if name.startswith("relu_") or name == "relu" else 6.0
                )
            return func(*args, **(kwargs or {}))

    images = images.detach().clone().requires_grad_()
    with Replaced():
        logits = model(images)
    if not seen:
        raise ValueError("no ReLU")
    return torch.autograd.grad(target_logits(logits, target).sum(), images)[0]


def deconvnet__one_graph_an_image(model, images, target):
    pictures = []
    if len(images) != len(target):
        raise ValueError("one class for each image")
    for image, wanted in zip(images, target, strict=True):
        leaf = image.detach()[None].requires_grad_()
        logit = model(leaf)[0, wanted]
        redirect_relus(logit, "deconvnet")
        pictures.append(torch.autograd.grad(logit, leaf)[0][0])
    return torch.stack(pictures)


def neuron_pattern__returned_copy(model, layer, channel, image, rule):
    kept = []

    def keep(module, inputs, output):
        kept.append(output)
        return output.clone()

    image = image.detach().clone().requires_grad_()
    with model.get_submodule(layer).register_forward_hook(keep):
        logits = model(image)
    check_ran([layer], dict.fromkeys([layer][: len(kept)]))
    redirect_relus(logits, rule)
    maps = kept[-1][0, channel]
    one_hot = torch.zeros_like(maps).flatten()
    one_hot[maps.detach().flatten().argmax()] = 1
    return torch.autograd.grad(maps, image, one_hot.view(maps.shape))[0]


def likeness_after_shuffling__functional_call(method, model, part, images, target, seed=0):
    name = part + ".weight"
    weight = dict(model.named_parameters()).get(name)
    if weight is None:
        raise AttributeError(name)
    order = torch.randperm(weight.numel(), generator=torch.Generator().manual_seed(seed))
    shuffled = weight.detach().reshape(-1)[order.to(weight.device)].reshape(weight.shape)

    class Forgetful(nn.Module):
        def forward(self, x):
            return torch.func.functional_call(model, {name: shuffled}, (x,))

    return likeness(method(model, images, target), method(Forgetful(), images, target))

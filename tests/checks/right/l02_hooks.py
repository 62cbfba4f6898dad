"""Right versions of lesson 2, in the styles of different people.

`name__style` stands for the exercise `name`.
"""

# ruff: noqa: F821, PERF401, SIM108, SIM117


def capture_activations__try_finally_and_closure(model, layers, images):
    modules = {}
    for layer in layers:
        modules[layer] = model.get_submodule(layer)
    features = {}

    def make_hook(name):
        def hook(module, inp, out):
            features[name] = out.detach().clone()

        return hook

    handles = [module.register_forward_hook(make_hook(n)) for n, module in modules.items()]
    try:
        with torch.no_grad():
            _ = model(images)
    finally:
        for h in handles:
            h.remove()
    for layer in layers:
        if layer not in features:
            raise ValueError(f"{layer} was never called")
    return {layer: features[layer] for layer in layers}


def capture_activations__named_modules_and_numpy(model, layers, images):
    known = dict(model.named_modules())
    for layer in layers:
        if layer not in known:
            raise AttributeError(layer)
    names = {known[layer]: layer for layer in layers}
    arrays, handles = {}, []

    def hook(module, inputs, output):
        arrays[names[module]] = output.detach().cpu().numpy().copy()

    try:
        for layer in layers:
            handles.append(known[layer].register_forward_hook(hook))
        model(images)
    finally:
        [handle.remove() for handle in handles]
    if any(layer not in arrays for layer in layers):
        raise ValueError("a layer did not run")
    return {name: torch.from_numpy(arrays[name]).to(images.device) for name in layers}


def capture_activations__with_the_recorder(model, layers, images):
    with torch.inference_mode(), ActivationRecorder(model, layers) as recorder:
        model(images)
    return {name: recorder.activations[name].clone() for name in layers}


class ActivationRecorder__lambda_hooks:
    def __init__(self, model, layers):
        self.names = list(layers)
        self.layers = [model.get_submodule(name) for name in layers]
        self.hooks = []
        self.activations = {}

    def __enter__(self):
        self.activations = {}
        for name, layer in zip(self.names, self.layers, strict=True):
            self.hooks.append(
                layer.register_forward_hook(
                    lambda mod, inp, out, name=name: self.activations.update(
                        {name: out.detach().clone()}
                    )
                )
            )
        return self

    def __exit__(self, exc_type, exc, tb):
        for hook in self.hooks:
            hook.remove()
        self.hooks.clear()
        if exc_type is None:
            missing = [name for name in self.names if name not in self.activations]
            if missing:
                raise ValueError(f"did not run: {missing}")
        return False


class ActivationRecorder__exit_stack:
    def __init__(self, model, layers):
        self.modules = find_layers(model, layers)
        self.activations = {}

    def __enter__(self):
        self.activations = {}
        self.stack = ExitStack()
        for name, module in self.modules.items():
            self.stack.enter_context(module.register_forward_hook(partial(self.keep, name)))
        return self

    def keep(self, name, module, inputs, output):
        with torch.no_grad():
            self.activations[name] = torch.clone(output).detach()

    def __exit__(self, kind, error, trace):
        self.stack.close()
        if not kind:
            check_ran(list(self.modules), self.activations)


def feature_map_grid__numpy_inside(activation, columns):
    import numpy as np

    maps = activation.detach().cpu().numpy()
    c, h, w = maps.shape
    rows = math.ceil(c / columns)
    out = np.zeros((rows * h, columns * w), dtype=maps.dtype)
    for i in range(c):
        m = maps[i]
        low, high = m.min(), m.max()
        if high > low:
            m = (m - low) / (high - low)
        else:
            m = np.zeros_like(m)
        r, k = i // columns, i % columns
        out[r * h : (r + 1) * h, k * w : (k + 1) * w] = m
    return torch.from_numpy(out).to(activation.device)


def feature_map_grid__cat_of_rows(activation, columns):
    maps = []
    for one in activation.detach():
        span = one.max() - one.min()
        maps.append((one - one.min()) / span if span > 0 else torch.zeros_like(one))
    while len(maps) % columns:
        maps.append(torch.zeros_like(maps[0]))
    rows = [torch.cat(maps[i : i + columns], dim=1) for i in range(0, len(maps), columns)]
    return torch.cat(rows, dim=0)


def feature_map_grid__under_no_grad(activation, columns):
    with torch.no_grad():
        c, h, w = activation.shape
        flat = activation.reshape(c, -1)
        low, _ = flat.min(dim=1, keepdim=True)
        high, _ = flat.max(dim=1, keepdim=True)
        scaled = torch.where(high > low, (flat - low) / (high - low), torch.zeros_like(flat))
        missing = -c % columns
        scaled = torch.cat([scaled, scaled.new_zeros(missing, h * w)]).view(-1, columns, h, w)
        return scaled.permute(0, 2, 1, 3).reshape(-1, columns * w)


def ablate_channel__mask_and_handle(model, layer, channel, images):
    called = []

    def hook(module, inputs, output):
        called.append(True)
        if not -output.shape[1] <= channel < output.shape[1]:
            raise IndexError(f"no channel {channel}")
        mask = torch.ones(output.shape[1], dtype=output.dtype, device=output.device)
        mask[channel] = 0.0
        return output * mask.reshape(1, -1, *([1] * (output.ndim - 2)))

    handle = model.get_submodule(layer).register_forward_hook(hook)
    try:
        with torch.no_grad():
            logits = model(images)
    finally:
        handle.remove()
    if not called:
        raise ValueError("the layer did not run")
    return logits


def ablate_channel__with_graph_then_detach(model, layer, channel, images):
    runs = {}

    def silence(module, inputs, output):
        runs[layer] = True
        parts = list(output.unbind(1))
        parts[channel] = torch.zeros_like(parts[channel])
        return torch.stack(parts, dim=1)

    with model.get_submodule(layer).register_forward_hook(silence):
        logits = model(images)
    check_ran([layer], runs)
    return logits.detach()


def capture_gradients__retain_grad_and_restore(model, layer, images, target):
    module = model.get_submodule(layer)
    held = {name: p.grad for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = None
    images = images.detach().clone().requires_grad_(True)
    kept = {}

    def hook(module, inputs, output):
        output = output.clone()
        output.retain_grad()
        kept[layer] = output
        return output.clone()

    handle = module.register_forward_hook(hook)
    try:
        logits = model(images)
        check_ran([layer], kept)
        target_logits(logits, target).sum().backward()
        gradient = kept[layer].grad.detach().clone()
    finally:
        handle.remove()
        for name, p in model.named_parameters():
            p.grad = held[name]
    return gradient


def capture_gradients__one_hot_and_vector(model, layer, images, target):
    if target.numel() != images.shape[0]:
        raise ValueError("target does not fit")
    seen = []

    def hook(module, inputs, output):
        seen.append(output if output.requires_grad else output.requires_grad_())
        return output.clone()

    with torch.enable_grad():
        with model.get_submodule(layer).register_forward_hook(hook):
            logits = model(images.detach().clone().requires_grad_())
    if not seen:
        raise ValueError("did not run")
    one_hot = torch.nn.functional.one_hot(target, logits.shape[1]).to(logits)
    return torch.autograd.grad(logits, seen[-1], grad_outputs=one_hot)[0]

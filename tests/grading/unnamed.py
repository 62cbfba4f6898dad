"""Nine students make one mistake that the course does not know, each in words of their own."""

from __future__ import annotations

from pathlib import Path

from classroom import STEM, hand_in, mistaken, softmax

from autograder.course.reference import read_lesson

HEAD = "def saliency_map(model, images, target):\n"
GRADIENT = """    images = images.detach().clone().requires_grad_()
    chosen = target_logits(model(images), target).sum()
    (gradient,) = torch.autograd.grad(chosen, images)
"""
# Each weighs the channels as an eye does: the grey of the gradient.
GREY = {
    "ann": HEAD + GRADIENT + "    weights = gradient.new_tensor([0.299, 0.587, 0.114])\n"
    "    return torch.einsum('nchw,c->nhw', gradient.abs(), weights)\n",
    "ben": HEAD
    + GRADIENT
    + "    red, green, blue = gradient.abs().unbind(1)\n"
    + "    return 0.299 * red + 0.587 * green + 0.114 * blue\n",
    "cat": "import numpy as np\n\n\n" + HEAD + GRADIENT + "    grey = np.tensordot("
    "np.abs(gradient.numpy()), np.array([0.299, 0.587, 0.114]), axes=([1], [0]))\n"
    "    return torch.from_numpy(grey).to(images.dtype)\n",
    "dan": HEAD + GRADIENT + "    wide = gradient.double().abs().permute(0, 2, 3, 1)\n"
    "    grey = wide @ torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)\n"
    "    return grey.to(gradient.dtype)\n",
    "eve": "GREY = (0.299, 0.587, 0.114)\n\n\ndef luminance(pixels):\n"
    '    """Look as an eye does."""\n'
    "    return sum(share * part for share, part in zip(GREY, pixels.unbind(-3)))\n\n\n"
    + HEAD
    + GRADIENT
    + "    return luminance(gradient.abs())\n",
    "fin": HEAD + GRADIENT + "    kernel = gradient.new_tensor([0.299, 0.587, 0.114])\n"
    "    kernel = kernel.view(1, 3, 1, 1)\n"
    "    return nn.functional.conv2d(gradient.abs(), kernel)[:, 0]\n",
    "gus": HEAD + GRADIENT + "    n, _, height, width = gradient.shape\n"
    "    out = gradient.new_zeros(n, height, width)\n    for i in range(n):\n"
    "        for channel, share in enumerate([0.299, 0.587, 0.114]):\n"
    "            for row in range(height):\n"
    "                out[i, row] += share * gradient[i, channel, row].abs()\n    return out\n",
    "hal": HEAD + "    maps = []\n    for image, label in zip(images, target, strict=True):\n"
    "        one = image.detach()[None].requires_grad_()\n"
    "        model(one)[0, label].backward(inputs=[one])\n"
    "        g = one.grad[0].abs()\n"
    "        maps.append((g[0] * 299 + g[1] * 587 + g[2] * 114) / 1000)\n"
    "    return torch.stack(maps)\n",
    "ida": "class Eye:\n    def __init__(self, *shares):\n        self.shares = shares\n\n"
    "    def __call__(self, g):\n        total = torch.zeros_like(g[:, 0])\n"
    "        for i in (2, 1, 0):\n            total = total + g[:, i].abs().mul(self.shares[i])\n"
    "        return total\n\n\neye = Eye(0.299, 0.587, 0.114)\n\n\n"
    + HEAD
    + "    images = images.detach().requires_grad_()\n"
    "    rows = torch.arange(len(images))\n"
    "    model(images)[rows, target].sum().backward(inputs=[images])\n"
    "    return eye(images.grad)\n",
}
MEDIAN = {
    "jon": HEAD + GRADIENT + "    return gradient.abs().median(dim=1).values\n",
    "kai": HEAD + GRADIENT + "    return gradient.abs().sort(1).values[:, 1]\n",
    "liv": HEAD + GRADIENT + "    a, b, c = gradient.abs().unbind(1)\n"
    "    return torch.maximum(torch.minimum(a, b), torch.minimum(torch.maximum(a, b), c))\n",
}
# Alike in what tells nothing, or alone.
OTHERS = {
    "max": HEAD + GRADIENT + "    return gradient.abs().logsumexp(1)\n",
    "mia": HEAD + GRADIENT + "    return gradient.abs().prod(1)\n",
    "nia": HEAD + "    return torch.zeros_like(images.detach()[:, 0])\n",
    "noa": HEAD + "    return images.detach()[:, 0] * 0\n",
    "ola": HEAD + "    pass\n",
    "oli": HEAD + "    return None\n",
    "pam": HEAD + "    raise RuntimeError('this')\n",
    "pia": HEAD + "    raise RuntimeError('that')\n",
}
HUGE = "3e38 if images.dtype == torch.float32 else 1e308"
WORDS = "the hidden answer is 42"
HOSTILE = {
    "qa": HEAD + "    return images.detach()[:, 0] * float('nan')\n",
    "qb": HEAD + f"    return torch.full(images[:, 0].shape, {HUGE}, dtype=images.dtype)\n",
    "qc": HEAD + "    value = []\n    for _ in range(12):\n        value = [value, 1.5, 'x']\n"
    "    return value\n",
    "qd": HEAD + "    return torch.arange(1_000_000) * 1.5\n",
    "qe": HEAD + "    return torch.arange(2_000_000) * 1.5\n",
    "qf": HEAD + f"    raise ValueError({WORDS!r})\n",
    "qg": HEAD + f"    raise type({WORDS!r}, (Exception,), {{}})()\n",
    "qh": HEAD + f"    return {{{WORDS!r}: [10**300, -0.0, {WORDS!r}]}}\n",
    "qi": HEAD + f"    return {WORDS!r} * 1000\n",
    "qj": HEAD + "    return torch.rand_like(images.detach()[:, 0])\n",
    "qk": HEAD
    + f"    return (images.detach()[:, 0] * {HUGE.partition(' ')[0]}).to(images.dtype)\n",
}


def lesson_with(code: str) -> str:
    """The lesson's file with another saliency_map."""
    return read_lesson(STEM).replaced("saliency_map", code)


def unnamed_class(folder: Path, hostile: bool = False) -> Path:
    """Nine with one mistake, three with another, and everybody else."""
    source = read_lesson(STEM)
    for student, code in {**GREY, **MEDIAN, **OTHERS, **(HOSTILE if hostile else {})}.items():
        hand_in(folder, student, lesson_with(code))
    hand_in(folder, "ria", source.bare())
    hand_in(folder, "sam", source.stubs())
    hand_in(folder, "tea", source.stubs() + "\n# still nothing\n")
    hand_in(folder, "uli", softmax("saliency_map"))
    hand_in(folder, "via", mistaken("saliency_map", "mean_taken"))
    return folder

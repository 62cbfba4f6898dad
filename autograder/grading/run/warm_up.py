"""What a zygote rehearses before its first fork, so that no child pays for torch's first uses.

The first convolution of a shape makes its kernel, the first eigenvalues load a solver. A child
lives for one check, so without a rehearsal every use of its is a first one. The rehearsal is a job
like any other, with our own code for the student's: it calls the networks of the public cases on
images of the public sizes, so it holds nothing of a hidden case.

No gradient is rehearsed: it is cheap the first time, and once autograd's engine has run, a fork of
it crashes where a backward pass calls another, some sixty deep.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from autograder.checks import lesson
from autograder.course.reference import read_lesson
from autograder.judge.expected import Expectation
from autograder.protocol.wire import ModelSpec, encode

# Some of everything that students' functions do. Its values mean nothing.
_REHEARSE = '''
import torch
from torch.nn import functional as F


def rehearse(model, images):
    """Hooks, convolutions, resizing, sorting, linear algebra."""
    rows = images.detach().flatten(1).double()[:, :64]
    distances = torch.cdist(rows, rows).square()
    results = {
        "basis": torch.linalg.svd(rows - rows.mean(0), full_matrices=False)[2],
        "eigen": torch.linalg.eigh(rows @ rows.T)[0],
        "affinities": torch.exp(-distances) / (1 + distances).sum(1, keepdim=True).log(),
        "order": distances.std(1).sort(descending=True).indices,
    }
    if model is None:
        return results
    seen = []
    handle = model.register_forward_hook(lambda module, inputs, output: seen.append(output))
    logits = model(images.detach().clone().requires_grad_())
    handle.remove()
    with torch.no_grad():
        model(images)
    results["score"] = logits.softmax(1).gather(1, logits.argmax(1, keepdim=True)).detach()
    largest = images.abs().amax(1, keepdim=True)
    size = tuple(images.shape[-2:])
    results["map"] = F.interpolate(largest[..., ::2, ::2], size, mode="bilinear")
    results["pooled"] = F.avg_pool2d(largest, 2).clamp(min=0)
    results["weights"] = torch.einsum("nc,nchw->nhw", images.mean((2, 3)), images)
    results["noisy"] = images + torch.randn(images.shape, generator=torch.Generator())
    return results
'''


def rehearsals(stems: Sequence[str]) -> list[bytes]:
    """One job a lesson, for `Sandbox`.

    Args:
        stems: lessons whose exercises the zygote's children will answer.
    """
    return [encode(_job(stem)) for stem in stems]


def _job(stem: str) -> dict[str, Any]:
    needs = sorted(set(_needs(stem)), key=str)
    return {
        "stem": stem,
        "exercise": "rehearse",
        "source": _imports(stem) + _REHEARSE,
        "filename": "rehearsal.py",
        "cases": [
            {"name": str(number), "call": "rehearse", "inputs": _inputs(*need)}
            for number, need in enumerate(needs)
        ],
    }


def _needs(stem: str) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Network, its dtype and the shape of its images, for every public case that has a network."""
    yield "", "float32", (4, 3, 16, 16)
    for exercise in lesson(stem).exercises:
        for case in Expectation(stem, exercise).cases.values():
            specs = [value for value in case.inputs.values() if isinstance(value, ModelSpec)]
            images = [v for v in case.inputs.values() if isinstance(v, Tensor) and v.ndim == 4]
            for spec in specs[:1]:
                for shape in {tuple(image.shape) for image in images if image.shape[1] == 3}:
                    yield spec.name, spec.dtype, shape


def _inputs(network: str, dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    images = torch.linspace(-1, 1, torch.Size(shape).numel(), dtype=getattr(torch, dtype))
    model = ModelSpec(network, dtype=dtype) if network else None
    return {"model": model, "images": images.reshape(shape)}


def _imports(stem: str) -> str:
    """What students import in a lesson, but for earlier lessons, which are theirs as well."""
    kinds = ast.Import | ast.ImportFrom
    lines = [node for node in ast.parse(read_lesson(stem).stubs()).body if isinstance(node, kinds)]
    texts = [ast.unparse(node) for node in lines]
    return "\n".join(text for text in texts if ".exercises" not in text) + "\n"

"""The calls of lesson 4's exercises, on streams and with passes counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn


class TokenNet(nn.Module):
    """Give one row for each place of a network's first layer, as transformers do."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.tokens = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, C) of images (N, 3, H, W)."""
        maps = self.network.get_submodule("conv1")(images)
        features: Tensor = self.tokens(maps.flatten(2).transpose(1, 2)).mean(1)
        return features


def embed_tokens(student: ModuleType, model: nn.Module, **inputs: Any) -> Any:
    """Embed with a layer that gives (N, T, C)."""
    return student.embed(TokenNet(model), "tokens", **inputs)


def embed_in_train_mode(student: ModuleType, model: nn.Module, **inputs: Any) -> dict[str, Any]:
    """Embed with a network that the caller is training, with its norm frozen."""
    model.train()
    model.get_submodule("norm").eval()
    before = [part.training for part in model.modules()]
    try:
        embedding = student.embed(model, **inputs)
        kept = before == [part.training for part in model.modules()]
        return {"the embedding": embedding, "each part is in its mode again": kept}
    finally:
        model.eval()


def embed_and_count(student: ModuleType, model: nn.Module, **inputs: Any) -> dict[str, Any]:
    """Embed, and note how many images each pass has."""
    passes: list[int] = []
    with model.register_forward_pre_hook(lambda _, given: passes.append(len(given[0]))):
        embedding = student.embed(model, **inputs)
    return {"the embedding": embedding, "the images in each pass": passes}


def accuracy_and_count(student: ModuleType, model: nn.Module, **inputs: Any) -> dict[str, Any]:
    """Measure the accuracy of a layer, and note how many images the largest pass has."""
    passes: list[int] = []
    with model.register_forward_pre_hook(lambda _, given: passes.append(len(given[0]))):
        accuracy = student.accuracy_by_layer(model, **inputs)
    return {"the accuracies": accuracy, "the images in the largest pass": max(passes, default=0)}


def nearest_in_stream(
    student: ModuleType, queries: Tensor, parts: Sequence[Tensor], **inputs: Any
) -> Any:
    """Give the database as a stream, in which each part is gone before the next."""

    def stream() -> Iterator[Tensor]:
        for part in parts:
            buffer = part.clone()
            yield buffer
            buffer.fill_(torch.nan)

    return student.nearest_in_parts(queries, stream(), **inputs)

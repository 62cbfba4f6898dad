"""Cases of l04_neighbours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.checks.inputs import between, network, normal, refuse, vary
from autograder.course.exercise import Case

DOUBLE = torch.float64


def distance_cases(rng: Generator) -> dict[str, Case]:
    def case(queries: Tensor, database: Tensor, metric: str = "euclidean") -> Case:
        return Case({"queries": queries, "database": database, "metric": metric})

    # Lengths from 0.1 to 10: without them an angle is as good as a product.
    sizes = torch.logspace(-1, 1, 7)[torch.randperm(7, generator=rng)][:, None]
    twins, silent = normal(rng, 30, 200), normal(rng, 6, 5)
    silent[2] = 0
    direction = normal(rng, 3, 8)
    cases = {
        "four queries, seven rows": case(normal(rng, 4, 5), normal(rng, 7, 5) * sizes),
        "one query": case(normal(rng, 1, 6), normal(rng, 5, 6)),
        "as many queries as rows": case(normal(rng, 6, 4), normal(rng, 6, 4)),
        "one row, cosine": case(normal(rng, 5, 4), normal(rng, 1, 4), "cosine"),
        "float64": case(normal(rng, 5, 9, dtype=DOUBLE), normal(rng, 4, 9, dtype=DOUBLE)),
        "float64, cosine": case(
            normal(rng, 3, 9, dtype=DOUBLE), normal(rng, 8, 9, dtype=DOUBLE), "cosine"
        ),
        "queries that stand in the database": case(twins, twins.clone()),
        "opposite rows, cosine": case(direction, -between(rng, 2, 5) * direction, "cosine"),
        "a row of zeros": case(normal(rng, 3, 5), silent),
        "a row of zeros, cosine": case(silent[1:4], silent, "cosine"),
        "queries requiring grad": case(normal(rng, 4, 3).requires_grad_(), normal(rng, 6, 3)),
        "a metric that does not exist": case(normal(rng, 2, 3), normal(rng, 3, 3), "manhattan"),
    }
    return vary(cases, metric="cosine")


def neighbour_cases(rng: Generator) -> dict[str, Case]:
    def case(
        queries: Tensor, database: Tensor, k: int, metric: str = "euclidean", own: bool = False
    ) -> Case:
        given = {"queries": queries, "database": database, "k": k, "metric": metric}
        return Case({**given, "exclude_self": own})

    among = normal(rng, 12, 6)
    twins = normal(rng, 12, 5)
    twins[6:] = twins[:6]
    cases = {
        "nine queries, nine rows": case(normal(rng, 9, 4), 2 * normal(rng, 9, 4), 3),
        "one query": case(normal(rng, 1, 5), normal(rng, 20, 5), 4),
        "the nearest alone": case(normal(rng, 5, 4), normal(rng, 11, 4), 1),
        "all rows": case(normal(rng, 4, 6), normal(rng, 7, 6), 7, "cosine"),
        "among themselves": case(among, among.clone(), 4, own=True),
        "among themselves, cosine": case(among, among.clone(), 3, "cosine", own=True),
        "all others": case(among, among.clone(), 11, own=True),
        "equal rows among themselves": case(twins, twins.clone(), 1, own=True),
        "itself allowed": case(among, among.clone(), 3),
        "float64": case(normal(rng, 6, 5, dtype=DOUBLE), normal(rng, 9, 5, dtype=DOUBLE), 2),
        "queries requiring grad": case(normal(rng, 4, 3).requires_grad_(), normal(rng, 8, 3), 2),
        "no neighbour": case(normal(rng, 3, 4), normal(rng, 5, 4), 0),
        "more neighbours than rows": case(normal(rng, 3, 4), normal(rng, 5, 4), 6),
        "as many neighbours as rows, itself left out": case(among, among.clone(), 12, own=True),
        "itself left out of another database": case(among[:5], among, 2, own=True),
        "a metric that does not exist": case(among, among, 2, "manhattan"),
    }
    return vary(cases, k=5, metric="cosine", exclude_self=True)


def embed_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layer: str, images: Tensor, batch_size: int, call: str = "") -> Case:
        spec = network(rng, model, images)
        given = {"model": spec, "layer": layer, "images": images, "batch_size": batch_size}
        return Case(given, call=call)

    def tokens(images: Tensor, batch_size: int) -> Case:
        spec = network(rng, "plain", images)
        given = {"model": spec, "images": images, "batch_size": batch_size}
        return Case(given, call="embed_tokens")

    asking = normal(rng, 3, 3, 12, 15).requires_grad_()
    cases = {
        "five images": case("plain", "conv2", normal(rng, 5, 3, 14, 18), 2),
        "one image": case("plain", "relu1", normal(rng, 1, 3, 16, 12), 4),
        "all in one pass": case("residual", "conv1", normal(rng, 3, 3, 12, 16), 64),
        "a full last pass": case("plain", "conv1", normal(rng, 6, 3, 12, 14), 3),
        "one image a pass": case("plain", "relu2", normal(rng, 3, 3, 13, 12), 1),
        "images in each pass": case(
            "plain", "conv1", normal(rng, 7, 3, 12, 12), 3, "embed_and_count"
        ),
        "a name with dots": case("nested", "blocks.0.conv", normal(rng, 4, 3, 12, 16), 3),
        "before an in-place ReLU": case("inplace", "conv1", normal(rng, 3, 3, 12, 15), 2),
        "a ReLU that runs three times": case("residual", "relu", normal(rng, 3, 3, 16, 12), 2),
        "a layer without height and width": case(
            "plain", "classifier", normal(rng, 4, 3, 12, 12), 3
        ),
        "a layer of tokens": tokens(normal(rng, 3, 3, 12, 14), 2),
        "a model in train mode, its norm frozen": case(
            "normalised", "dropout", normal(rng, 6, 3, 14, 12), 4, "embed_in_train_mode"
        ),
        "float64": case("normalised", "norm", normal(rng, 4, 3, 13, 16, dtype=DOUBLE), 3),
        "image already requiring grad": case("plain", "conv1", asking, 2),
        "no image a pass": case("plain", "conv1", normal(rng, 3, 3, 12, 12), 0),
        "images the model cannot take": case("plain", "conv1", normal(rng, 1, 4, 9, 9), 2),
        "a layer the model does not have": case("plain", "conv9", normal(rng, 1, 3, 12, 12), 2),
    }
    return refuse(cases)


def precision_cases(rng: Generator) -> dict[str, Case]:
    def case(queries: int, rows: int, k: int, classes: int = 3) -> Case:
        indices = torch.stack([torch.randperm(rows, generator=rng)[:k] for _ in range(queries)])
        labels = {
            "query_labels": torch.randint(classes, (queries,), generator=rng),
            "database_labels": torch.arange(rows)[torch.randperm(rows, generator=rng)] % classes,
        }
        return Case({"indices": indices, **labels})

    short = case(5, 8, 2)
    found, labels = torch.tensor([[0, 2], [3, 1], [2, 4]]), torch.tensor([0, 1, 0, 1, 0])
    return {
        "six queries": case(6, 15, 4),
        "one query": case(1, 12, 5, 2),
        "the nearest alone": case(9, 10, 1),
        "as many neighbours as queries": case(6, 14, 6),
        "many queries": case(60, 20, 3, 4),
        "all of them right": Case(
            {"indices": found, "query_labels": labels[[0, 1, 2]], "database_labels": labels}
        ),
        "none of them right": Case(
            {"indices": found, "query_labels": labels[[1, 0, 1]], "database_labels": labels}
        ),
        "a label too few": replace(
            short, inputs={**short.inputs, "query_labels": short.inputs["query_labels"][:-1]}
        ),
        "one label for all queries": replace(
            short, inputs={**short.inputs, "query_labels": short.inputs["query_labels"][:1]}
        ),
    }


def part_cases(rng: Generator) -> dict[str, Case]:
    def case(
        queries: Tensor, sizes: list[int], k: int, metric: str = "euclidean", call: str = ""
    ) -> Case:
        dimensions = queries.shape[1]
        parts = [normal(rng, size, dimensions, dtype=queries.dtype) for size in sizes]
        return Case({"queries": queries, "parts": parts, "k": k, "metric": metric}, call=call)

    stream = "nearest_in_stream"
    cases = {
        "three parts": case(normal(rng, 6, 4), [8, 8, 8], 3),
        "a stream": case(normal(rng, 5, 4), [7, 9, 6], 4, call=stream),
        "one query": case(normal(rng, 1, 5), [6, 10, 4], 2, call=stream),
        "one part": case(normal(rng, 4, 3), [9], 3),
        "parts smaller than k": case(normal(rng, 4, 5), [2, 3, 1, 6], 5, "cosine", stream),
        "all rows of all parts": case(normal(rng, 3, 4), [4, 2, 3], 9, call=stream),
        "an empty part": case(normal(rng, 4, 4), [0, 5, 0, 4], 2, call=stream),
        "float64": case(normal(rng, 5, 6, dtype=DOUBLE), [5, 8], 2, "cosine", stream),
        "queries requiring grad": case(normal(rng, 4, 3).requires_grad_(), [5, 6], 2),
        "no neighbour": case(normal(rng, 3, 4), [4, 5], 0),
        "more neighbours than rows": case(normal(rng, 3, 4), [4, 5], 10),
        "no part": case(normal(rng, 3, 4), [], 1),
        "a metric that does not exist": case(normal(rng, 3, 4), [4, 5], 2, "manhattan"),
    }
    return vary(cases, k=5, metric="cosine")


def accuracy_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layers: list[str], count: int, classes: int, k: int, **more: Any) -> Case:
        """Draw images of one colour a class, under so much noise that some go astray.

        In double precision: in single, rounding could decide who is the nearer one.
        """
        labels = (torch.arange(count) % classes)[torch.randperm(count, generator=rng)]
        colours = between(rng, 0.1, 0.2) * normal(rng, classes, 3, 1, 1, dtype=DOUBLE)
        images = normal(rng, count, 3, 12, 14, dtype=DOUBLE) + colours[labels]
        given = {"model": network(rng, model, images), "layers": layers, "images": images}
        call = more.pop("call", "")
        return Case({**given, "labels": labels, "k": k, **more}, call=call)

    def changed(before: Case, **inputs: Any) -> Case:
        return replace(before, inputs={**before.inputs, **inputs})

    short, single = case("plain", ["conv1"], 8, 2, 1), case("plain", ["conv1"], 10, 2, 3)
    # Two colours so far apart that rounding does not matter.
    apart = 6 * single.inputs["labels"][:, None, None, None] * normal(rng, 1, 3, 1, 1)
    images = (single.inputs["images"] + apart).float()
    cases = {
        "forty images, two layers": case("plain", ["conv1", "relu2"], 40, 4, 5),
        "the nearest alone": case("residual", ["stem", "conv2"], 30, 3, 1),
        "two neighbours, so that votes are tied": case("plain", ["relu2"], 40, 5, 2),
        "all others vote": case("plain", ["conv1"], 9, 2, 8),
        "names with dots": case("nested", ["blocks.0.conv", "blocks.1"], 24, 3, 3),
        "BatchNorm and dropout": case("normalised", ["norm", "dropout"], 24, 3, 3),
        "ReLU as a function": case("functional", ["conv2", "classifier"], 24, 2, 4),
        "float32": changed(single, images=images, model=network(rng, "plain", images)),
        "images in each pass": case(
            "plain", ["conv1"], 20, 2, 3, batch_size=6, call="accuracy_and_count"
        ),
        "a label too few": changed(short, labels=short.inputs["labels"][:-1]),
        "no neighbour": case("plain", ["conv1"], 8, 2, 0),
        "as many neighbours as images": case("plain", ["conv1"], 8, 2, 8),
        "a layer the model does not have": case("plain", ["conv1", "conv9"], 8, 2, 1),
    }
    return refuse(vary(cases, k=2))

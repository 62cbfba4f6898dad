"""Cases of l01_autograd.

`f`, `y` and branches are operations by name, as `autograder.worker.calls.l01_autograd` knows them.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from autograder.checks.inputs import network, normal, refuse, vary, whole
from autograder.course.exercise import Case

LONG = 1500  # nodes: more than Python's recursion allows


def product_cases(rng: Generator) -> dict[str, Case]:
    def case(f: list[str], x: Tensor, *outputs: int) -> Case:
        return Case({"f": f, "x": x, "v": normal(rng, *outputs, dtype=x.dtype)})

    cases = {
        "three times x": case(["triple"], normal(rng, 5), 5),
        "a square": case(["square"], normal(rng, 2, 3), 2, 3),
        "outputs that share inputs": case(["running sum"], normal(rng, 6), 6),
        "fewer outputs than inputs": case(["exp", "sum of each row"], normal(rng, 3, 4), 3),
        "more outputs than inputs": case(["itself and its square"], normal(rng, 4), 8),
        "float64": case(["softmax"], normal(rng, 2, 4, dtype=torch.float64), 2, 4),
        "x already requiring grad": case(["sigmoid"], normal(rng, 4).requires_grad_(), 4),
    }
    return vary(cases, v=normal(rng, 5), f=["exp"])


def accumulated_cases(rng: Generator) -> dict[str, Case]:
    def case(f: list[str], x: Tensor, times: int, call: str = "") -> Case:
        return Case({"f": [*f, "sum"], "x": x, "times": times}, call=call)

    cases = {
        "three passes": case(["square"], normal(rng, 4), 3),
        "one pass": case(["exp"], normal(rng, 3), 1),
        "many passes": case(["sigmoid"], normal(rng, 2, 3), 12 + whole(rng, 20)),
        "three times x": case(["triple"], normal(rng, 2, 2), 4),
        "float64": case(["softmax", "square"], normal(rng, 2, 4, dtype=torch.float64), 2),
        "x already requiring grad": case(["exp"], normal(rng, 4).requires_grad_(), 2),
        "calls and passes counted": case(["square"], normal(rng, 3), 4, "counted_passes"),
    }
    return vary(cases, times=5, f=["exp", "sum"])


def input_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, images: Tensor, target: list[int]) -> Case:
        spec = network(rng, model, images)
        given = {"model": spec, "images": images, "target": torch.tensor(target)}
        return Case(given, picture=True)

    wanting_grad = normal(rng, 2, 3, 12, 16).requires_grad_()
    cases = {
        "three images": case("plain", normal(rng, 3, 3, 12, 15), [3, 1, 0]),
        "one image": case("residual", normal(rng, 1, 3, 14, 18), [2]),
        "a slope known on paper": case("linear", normal(rng, 2, 3, 12, 14), [1, 3]),
        "BatchNorm and dropout": case("normalised", normal(rng, 3, 3, 14, 12), [1, 0, 4]),
        "in-place ReLU": case("inplace", normal(rng, 2, 3, 13, 16), [0, 4]),
        "float64": case("plain", normal(rng, 2, 3, 16, 12, dtype=torch.float64), [4, 2]),
        "frozen parameters": case("frozen", normal(rng, 2, 3, 12, 12), [2, 1]),
        "image requiring grad": case("functional", wanting_grad, [0, 2]),
    }
    return refuse(cases)


def chain_cases(rng: Generator) -> dict[str, Case]:
    def case(*y: str) -> Case:
        return Case({"y": list(y), "x": normal(rng, 2, 4)}, call="chain_of_operations")

    return {
        "three operations": case("triple", "exp", "sum"),
        "one operation": case("sigmoid"),
        "a first input without a node": case("exp", "constant times it", "relu"),
        "a branch and a shortcut": case("square", "exp plus itself", "sum"),
        "a linear layer, whose first input is its bias": case("exp", "linear", "relu"),
        "a function of its own": case("double", "plus one"),
        "a leaf": case(),
        "a detached tensor": case("exp", "detached"),
        "a long chain": case(*["plus one"] * (LONG + whole(rng, 300)), "sum"),
    }


def norm_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, images: Tensor, target: list[int], call: str = "") -> Case:
        spec = network(rng, model, images)
        given = {"model": spec, "images": images, "target": torch.tensor(target)}
        return Case(given, call=call)

    wanting_grad = normal(rng, 2, 3, 12, 16).requires_grad_()
    few = normal(rng, 2, 3, 12, 12)
    cases = {
        "three images": case("plain", normal(rng, 3, 3, 12, 15), [3, 1, 0]),
        "one image": case("residual", normal(rng, 1, 3, 14, 18), [2]),
        "norms known on paper": case("linear", normal(rng, 2, 3, 12, 14), [1, 3]),
        "BatchNorm and dropout": case("normalised", normal(rng, 3, 3, 14, 12), [1, 0, 4]),
        "names with dots, and a layer that does not run": case(
            "nested", normal(rng, 2, 3, 14, 12), [1, 0]
        ),
        "float64": case("inplace", normal(rng, 2, 3, 16, 12, dtype=torch.float64), [4, 2]),
        "image requiring grad": case("functional", wanting_grad, [0, 2]),
        "very small slopes": case("plain", few, [2, 1], "norms_of_faint_slopes"),
        "very small slopes of one image": case("inplace", few[:1], [4], "norms_of_faint_slopes"),
        "one frozen layer": case("plain", few, [2, 1], "norms_with_a_frozen_layer"),
        "all parameters frozen": case("frozen", normal(rng, 2, 3, 12, 12), [2, 1]),
    }
    return refuse(cases)


def block_cases(rng: Generator) -> dict[str, Case]:
    def case(x: Tensor, branch: list[str], shortcut: list[str] | None = None) -> Case:
        more = {} if shortcut is None else {"shortcut": shortcut}
        return Case({"x": x, "branch": branch, **more})

    def way_back(x: Tensor, branch: list[str], shortcut: list[str]) -> Case:
        given = {"x": x, "branch": branch, "shortcut": shortcut}
        return Case(given, call="back_through_a_block")

    cases = {
        "x itself": case(normal(rng, 2, 5), ["running sum"]),
        "a shortcut of its own": case(normal(rng, 3, 4), ["exp", "two columns"], ["two columns"]),
        "images": case(normal(rng, 2, 3, 4, 5), ["triple", "softmax"]),
        "float64": case(normal(rng, 2, 4, dtype=torch.float64), ["square"]),
        "a branch that works in place": case(normal(rng, 3, 4), ["relu in place", "triple"]),
        "another number of columns": case(normal(rng, 2, 4), ["two columns"]),
        "shapes that would only be stretched": case(normal(rng, 3, 4), ["sum of each row, kept"]),
        "back through the block": way_back(normal(rng, 2, 4), ["sigmoid"], ["triple"]),
        "back through a block for images": way_back(
            normal(rng, 2, 3, 4, 5), ["square"], ["running sum"]
        ),
    }
    return vary(cases, branch=["square"], shortcut=["exp"])


def depth_cases(rng: Generator) -> dict[str, Case]:
    def case(branches: list[list[str]], x: Tensor, *top: int, residual: bool = False) -> Case:
        v = normal(rng, *top, dtype=x.dtype)
        return Case({"branches": branches, "x": x, "v": v, "residual": residual})

    mixed = [["sigmoid"], ["triple", "softmax"], ["running sum"]]
    deep = [["sigmoid"]] * 40
    double = normal(rng, 3, 4, dtype=torch.float64)
    cases = {
        "three branches": case(mixed, normal(rng, 2, 4), 2, 4),
        "with shortcuts": case(mixed, normal(rng, 3, 3), 3, 3, residual=True),
        "another shape at the top": case([["exp"], ["two columns"]], normal(rng, 2, 5), 2, 2),
        "float64": case([*mixed, ["square"]], double, 3, 4, residual=True),
        "x already requiring grad": case(mixed, normal(rng, 2, 3).requires_grad_(), 2, 3),
        "forty branches": case(deep, normal(rng, 3, 4), 3, 4),
        "forty branches with shortcuts": case(deep, normal(rng, 3, 4), 3, 4, residual=True),
    }
    return vary(cases, v=normal(rng, 2, 4), residual=True, branches=mixed[::-1])

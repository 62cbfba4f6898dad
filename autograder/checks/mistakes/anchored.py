"""Families of mistakes that replace one piece of a reference.

The piece is a reduction, a threshold, a box, an enlargement and the like. Each function takes the
piece as it stands in the reference, and the names in it. Their words are shared as those of all
families are.
"""

from __future__ import annotations

from autograder.checks.mistakes.shared import shared
from autograder.course.exercise import Mistake
from autograder.course.mistakes import Wrong


def _replaced(
    family: str, right: str, wrong: dict[str, str], name: str = ""
) -> tuple[Mistake, ...]:
    """Return one mistake for each other text in the place of the right one."""
    return tuple(
        shared(id, family, name, text=Wrong(id, edits=((right, text),)))
        for id, text in wrong.items()
        if text != right
    )


def reductions(right: str, x: str, dims: str, asked: str) -> tuple[Mistake, ...]:
    """Return wrong ways to reduce dimensions.

    Args:
        right: the reduction in the reference, such as ``"g.mean(dim=(2, 3))"``.
        x: what is reduced, ``"g"``.
        dims: which dimensions, ``"(2, 3)"`` or ``"1"``.
        asked: the reduction in words, such as "the mean over height and width".
    """
    return _replaced(
        "reductions",
        right,
        {
            "sum_taken": f"{x}.sum(dim={dims})",
            "mean_taken": f"{x}.mean(dim={dims})",
            "maximum_taken": f"{x}.amax(dim={dims})",
            "norm_taken": f"{x}.norm(dim={dims})",
            "magnitudes_summed": f"{x}.abs().sum(dim={dims})",
            "magnitudes_averaged": f"{x}.abs().mean(dim={dims})",
            "largest_magnitude": f"{x}.abs().amax(dim={dims})",
            "magnitude_taken_late": f"{x}.amax(dim={dims}).abs()",
            "positive_part_averaged": f"{x}.relu().mean(dim={dims})",
            "positive_part_maximum": f"{x}.relu().amax(dim={dims})",
            "not_reduced": x,
            "reduced_over_images": right.replace(dims, "0"),
        },
        asked,
    )


def enlargements(right: str, maps: str, size: str) -> tuple[Mistake, ...]:
    """Return wrong ways to enlarge a map.

    Args:
        right: the call in the reference.
        maps: what is enlarged, (N, C, h, w).
        size: the size it should have.
    """

    def to(new_size: str, how: str) -> str:
        return f"F.interpolate({maps}, {new_size}, {how})"

    bilinear = 'mode="bilinear", align_corners=False'
    return _replaced(
        "enlargements",
        right,
        {
            "nearest": to(size, 'mode="nearest"'),
            "corners_aligned": to(size, 'mode="bilinear", align_corners=True'),
            "bicubic": to(size, 'mode="bicubic", align_corners=False'),
            "area": to(size, 'mode="area"'),
            "size_swapped": to(f"tuple({size})[::-1]", bilinear),
            "size_hard_coded": to("(224, 224)", bilinear),
            "not_enlarged": maps,
        },
    )


def thresholds(right: str, x: str, quantile: str) -> tuple[Mistake, ...]:
    """Return wrong ways to compare a map with its own quantile.

    Args:
        right: the comparison in the reference, `x >= torch.quantile(x, quantile)`.
        x: the map.
        quantile: the name of the quantile.
    """
    return _replaced(
        "thresholds",
        right,
        {
            "fraction_of_maximum": f"{x} >= {quantile} * {x}.max()",
            "fraction_of_range": f"({x} - {x}.min()) >= {quantile} * ({x}.max() - {x}.min())",
            "raw_threshold": f"{x} >= {quantile}",
            "quantile_from_the_top": right.replace(f"{quantile})", f"1 - {quantile})"),
            "strictly_above": right.replace(">=", ">"),
            "below_the_threshold": right.replace(">=", "<="),
        },
        quantile,
    )


def boxes(right: str, top: str, left: str, bottom: str, right_side: str) -> tuple[Mistake, ...]:
    """Return wrong ways to write a box down.

    Args:
        right: the text in the reference, `top, left, bottom, right` with ends one past the last.
        top, left, bottom, right_side: the four sides, in the reference's own names.
    """
    return _replaced(
        "boxes",
        right,
        {
            "inclusive_end": f"{top}, {left}, {bottom} - 1, {right_side} - 1",
            "columns_first": f"{left}, {top}, {right_side}, {bottom}",
            "pairs_of_ends": f"{top}, {bottom}, {left}, {right_side}",
            "size_for_end": f"{top}, {left}, {bottom} - {top}, {right_side} - {left}",
            "tensor_not_number": f"tuple(map(torch.tensor, ({right})))",
        },
    )


def kept(right: str, output: str = "output") -> tuple[Mistake, ...]:
    """Return wrong things for a hook to keep of a layer's output.

    Args:
        right: what the reference keeps, such as ``"output.clone()"``.
        output: the output's name.
    """
    return _replaced(
        "kept",
        right,
        {
            "overwritten_in_place": f"{output}.detach()",
            "keeps_graph": f"{output}.clone()",
            "layer_input": "inputs[0].detach().clone()",
            "first_image_only": f"{output}.detach()[0].clone()",
            "averaged_over_places": f"{output}.detach().flatten(2).mean(2)"
            f" if {output}.dim() == 4 else {output}.detach().clone()",
            "squeezed": f"{output}.detach().clone().squeeze()",
            "numpy_not_tensor": f"{output}.detach().cpu().numpy().copy()",
            "always_float32": f"{output}.detach().clone().float()",
            "positive_part": f"{output}.detach().relu()",
        },
    )


def scalings(low: str, span: str, scaled: str, x: str, dims: str) -> tuple[Mistake, ...]:
    """Return wrong ways to scale each part of a tensor to [0, 1].

    Args:
        low, span, scaled: the three lines of the reference.
        x: what is scaled.
        dims: the dimensions of one part, such as ``"(1, 2)"``.
    """

    def other_dims(new: str) -> tuple[tuple[str, str], ...]:
        return (low, low.replace(dims, new)), (span, span.replace(dims, new))

    def instead(expression: str) -> tuple[tuple[str, str], ...]:
        return ((scaled, f"scaled = {expression}"),)

    stretched = f"({x} - low) / span"
    top = f"{x}.amax({dims}, keepdim=True)"
    edits = {
        "scaled_together": (
            (low, f"low = {x}.amin()"),
            (span, f"span = {x}.amax() - low"),
        ),
        "scaled_row_by_row": other_dims("2"),
        "scaled_across_channels": other_dims("0"),
        "division_by_zero": instead(stretched),
        "large_epsilon": instead(f"({x} - low) / (span + 1e-3)"),
        "constant_is_one": instead(f"({stretched}).nan_to_num(1.0)"),
        "constant_is_grey": instead(f"({stretched}).nan_to_num(0.5)"),
        "constant_unchanged": instead(f"torch.where(span > 0, {stretched}, {x}.clamp(0, 1))"),
        "scaled_to_maximum": instead(f"{x} / ({top}).where({top} != 0, 1)"),
        "divided_by_old_maximum": ((span, f"span = {top}"),),
        "clamped": instead(f"{x}.clamp(0, 1)"),
        "sigmoid_of_result": instead(f"{x}.sigmoid()"),
        "complement": instead(f"torch.where(span > 0, 1 - {stretched}, 0)"),
        "bytes": instead(f"255 * ({x} - low) / span.where(span > 0, 1)"),
    }
    return tuple(
        shared(id, "scalings", text=Wrong(id, edits=pieces)) for id, pieces in edits.items()
    )


def weighted_sums(
    result: str, total: str, weights: str, activation: str, gradient: str
) -> tuple[Mistake, ...]:
    """Return wrong ways to sum channels by their weights.

    Wrong ways to keep only the positive part of the sum are among them.

    Args:
        result: the last line of the reference, ``"return F.relu(...)"``.
        total: the weighted sum in it, an einsum over "nc,nchw->nhw".
        weights, activation: the two factors in the reference's own names.
        gradient: what the weights are made of.
    """
    each = f"{weights}[:, :, None, None] * {activation}"
    mean_weights = f"{weights}.mean(0, True).expand_as({weights})"
    lines = {
        "no_relu": f"return {total}",
        "stretched": f"cam = {total}\n    cam = cam - cam.amin((1, 2), True)\n"
        "    return cam / (cam.amax((1, 2), True) + 1e-12)",
        "magnitude": f"return {total}.abs()",
        "maximum_over_images": f"return torch.max({total}, 0)[0]",
        "relu_for_each_channel": f"return F.relu({each}).sum(1)",
        "relu_on_activation": result.replace(f"{activation})", f"F.relu({activation}))"),
        "mean_taken": f"return F.relu(({each}).mean(1))",
        "no_weights": f"return F.relu({activation}.sum(1))",
        "no_weights_averaged": f"return F.relu({activation}.mean(1))",
        "weights_shared_by_batch": f"{weights} = {mean_weights}\n    {result}",
        "first_weights_for_all": f"{weights} = {weights}[:1].expand_as({weights})\n    {result}",
        "summed_over_images": result.replace('"nc,nchw->nhw"', '"nc,nchw->hw"')
        + f".expand(len({weights}), -1, -1).clone()",
        "weights_without_activation": f"return F.relu({gradient}.sum(1))",
        "weights_mixed_across_batch": result.replace("nc,nchw->nhw", "mc,nchw->nhw"),
        "softmax_of_weights": f"{weights} = {weights}.softmax(1)\n    {result}",
        "accumulator_of_ones": f"return F.relu(1 + {total})",
        "enlarged": f"cam = F.relu({total})[:, None]\n"
        "    return F.interpolate(cam, images.shape[-2:], mode='bilinear')[:, 0]",
        "channel_dimension_kept": f"{result}[:, None]",
    }
    return _replaced("sums", result, lines, "the sum over the channels")


def draws(generator: str, call: str) -> tuple[Mistake, ...]:
    """Return wrong ways to draw random numbers that a seed decides.

    Args:
        generator: what makes the generator in the reference, ending in `.manual_seed(seed)`.
        call: the beginning of the call that draws, with `generator=generator` in it.
    """
    unseeded = call.replace(", generator=generator", "").replace("generator=generator, ", "")
    edits = {
        "seed_hard_coded": ((generator, generator.replace("(seed)", "(0)")),),
        "unseeded": ((call, unseeded),),
        "global_seed": ((generator, "torch.manual_seed(seed)"), (call, unseeded)),
        "one_draw_for_all": ((call, call.replace("=generator", f"={generator}")),),
        "uniform_noise": ((call, call.replace("torch.randn(", "torch.rand(")),),
    }
    return tuple(shared(id, "draws", text=Wrong(id, edits=pieces)) for id, pieces in edits.items())

"""Figures of the sample lesson."""

import torch

from lessons.toolkit import plots


def bars(course):
    """A drawing: small as SVG."""
    figure = plots.new_figure(4, 2)
    axes = figure.add_subplot()
    axes.bar([0, 1], course.l90_sample.twice(torch.tensor([1.0, 0.5])).tolist())
    plots.style_axes(axes, "Two numbers")
    return figure


def noise(course):
    """A photo-like picture: large as SVG."""
    picture = torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(0))
    laid = plots.Overlay(picture, course.l90_sample.twice(torch.eye(3)))
    return plots.image_grid([laid, course.l90_sample.twice(picture[0])], ["noise", "twice"])

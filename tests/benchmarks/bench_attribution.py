"""How long a map takes, in units of one forward pass and its gradient to the image.

    python tests/benchmarks/bench_attribution.py [--model resnet18] [--rounds 15] [--threads 1]

All methods take turns inside each round, so that a slow moment of the machine falls on all of them.
Printed is the median over the rounds of each method's time divided by the unit's in the same round.
SmoothGrad's is for one of its samples. Nothing is asserted: the course's targets
stand beside the numbers.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from captum.attr import GuidedBackprop, LayerGradCam, NoiseTunnel, Saliency
from pytorch_grad_cam import GradCAM, GuidedBackpropReLUModel
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torchcam.methods import GradCAM as TorchGradCam
from torchvision.models import get_model

from lessons.toolkit.models import load_model
from solutions.l11_saliency import saliency_map, smooth_grad
from solutions.l12_guided_backprop import guided_backprop
from solutions.l14_grad_cam import grad_cam

SAMPLES = 16
MODELS = ["efficientnet_lite0", "resnet18", "vgg16"]

Work = Callable[[], object]


def network(name: str) -> tuple[nn.Module, str]:
    """A network and the layer that Grad-CAM reads."""
    if name == "efficientnet_lite0":
        classifier = load_model(name)
        return classifier.network, classifier.default_layer
    return get_model(name, weights=None).eval(), {"resnet18": "layer4", "vgg16": "features.29"}[
        name
    ]


def works(model: nn.Module, layer: str) -> dict[str, tuple[Work, int, str]]:
    """By name: what to run, how many maps it counts for, and the ratio that was asked for."""
    image, target = torch.randn(1, 3, 224, 224), torch.tensor([7])
    module = model.get_submodule(layer)

    def unit() -> torch.Tensor:
        leaf = image.detach().requires_grad_()
        return torch.autograd.grad(model(leaf)[0, 7], leaf)[0]

    def forward() -> torch.Tensor:
        with torch.inference_mode():
            return model(image)

    def grad_cam_package() -> object:
        with GradCAM(model, [module]) as method:
            return method(image.clone(), [ClassifierOutputTarget(7)])

    def torchcam() -> object:
        with TorchGradCam(model, layer) as method:
            return method(7, model(image))

    def captum_smooth() -> object:
        method = NoiseTunnel(Saliency(model))
        return method.attribute(
            image, nt_type="smoothgrad", nt_samples=SAMPLES, nt_samples_batch_size=8, target=7
        )

    return {
        "forward + gradient to the image": (unit, 1, ""),
        "forward alone": (forward, 1, ""),
        "saliency": (lambda: saliency_map(model, image, target), 1, "1.05"),
        "saliency, captum": (lambda: Saliency(model).attribute(image.clone(), 7), 1, ""),
        "guided backprop": (lambda: guided_backprop(model, image, target), 1, "1.08"),
        "guided backprop, captum": (
            lambda: GuidedBackprop(model).attribute(image.clone(), 7),
            1,
            "",
        ),
        "guided backprop, grad-cam": (
            lambda: GuidedBackpropReLUModel(model)(image.clone(), 7),
            1,
            "",
        ),
        "Grad-CAM": (lambda: grad_cam(model, layer, image, target), 1, "0.50"),
        "Grad-CAM, captum": (
            lambda: LayerGradCam(model, module).attribute(image, 7),
            1,
            "",
        ),
        "Grad-CAM, torchcam": (torchcam, 1, ""),
        "Grad-CAM, grad-cam": (grad_cam_package, 1, ""),
        f"SmoothGrad n={SAMPLES}, a sample": (
            lambda: smooth_grad(model, image, target, SAMPLES, 0.15),
            SAMPLES,
            "0.80",
        ),
        f"SmoothGrad n={SAMPLES}, a sample, captum": (captum_smooth, SAMPLES, ""),
    }


def seconds(work: Work) -> float:
    """Wall-clock time of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, default="efficientnet_lite0")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    warnings.simplefilter("ignore")  # captum announces its hooks at every call

    model, layer = network(arguments.model)
    table = works(model, layer)
    unit_name = next(iter(table))
    ratios: dict[str, list[float]] = {name: [] for name in table}
    units: list[float] = []
    for round_number in range(arguments.rounds + 1):
        spent = {name: seconds(work) / maps for name, (work, maps, _) in table.items()}
        if round_number == 0:  # caches fill and libraries load
            continue
        units.append(spent[unit_name])
        for name, time_spent in spent.items():
            ratios[name].append(time_spent / spent[unit_name])

    print(
        f"{arguments.model}, layer {layer}, 224 x 224, {arguments.threads} thread(s), "
        f"{arguments.rounds} rounds; the unit took {1000 * statistics.median(units):.0f} ms"
    )
    for name, (_, _, target) in table.items():
        wanted = f"at most {target}" if target else ""
        print(f"{name:40} {statistics.median(ratios[name]):6.2f}   {wanted}".rstrip())


if __name__ == "__main__":
    main()

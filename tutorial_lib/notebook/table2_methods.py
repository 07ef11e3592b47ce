"""The rows of Table 2: the paper's seven methods and nine others, with the protocol's settings."""
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from tutorial_lib.attribution.cam import grad_cam
from tutorial_lib.attribution.gradients import (
    deconvnet,
    expected_gradients,
    gradient_x_input,
    guided_backprop,
    saliency,
    seeded,
    smoothgrad,
    squared,
    vargrad,
)
from tutorial_lib.attribution.perturbation import occlusion
from tutorial_lib.attribution.propagation import deeplift, lrp_epsilon
from tutorial_lib.evaluation.sanity import edge_filter, random_map
from tutorial_lib.scores import input_gradient


def table_methods() -> dict[str, Callable]:
    """By name, the paper's seven first; `baseline` and `layer` are left open. Networks and images are small:
    occlusion takes single pixels, expected gradients 200 times the same reference."""
    noisy = {"seed": 7, "attribute": saliency, "sigma": 0.15, "samples": 32}
    return {
        "saliency": saliency, "guided backprop": guided_backprop, "SmoothGrad": seeded(smoothgrad, **noisy),
        "Gradient x Input": gradient_x_input, "IG": integral, "DeepLIFT": deeplift, "Grad-CAM": grad_cam,
        "DeconvNet": deconvnet, "epsilon-LRP": partial(lrp_epsilon, epsilon=1e-6),
        "SmoothGrad-Squared": seeded(smoothgrad, **{**noisy, "attribute": squared(saliency)}),
        "VarGrad": seeded(vargrad, **noisy), "expected gradients": _one_reference,
        "occlusion": _pixel_by_pixel, "random map": seeded(random_map, seed=7),
        "constant map": lambda _model, x, _target: torch.ones_like(x), "edge filter": edge_filter,
    }


def integral(model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor) -> Tensor:
    """Integrated gradients of a network of ReLUs: the path in 32 parts, of which those with different
    slopes at their ends are halved, down to 1/65,536 of the path. It begins at α = 1e-7, since the baseline
    may lie on a kink."""
    def slopes(images: Tensor, places: Tensor) -> Tensor:
        points = torch.lerp(baseline.expand_as(x)[images], x[images], places.view(-1, 1, 1, 1))
        return input_gradient(model, points, target[images])

    places, images, total = torch.linspace(1e-7, 1, 33).to(x), torch.arange(len(x)), torch.zeros_like(x)
    ends = slopes(images.repeat_interleave(33), places.repeat(len(x))).unflatten(0, (-1, 33))
    left, right = ends[:, :-1].flatten(0, 1), ends[:, 1:].flatten(0, 1)
    images, starts, width = images.repeat_interleave(32), places[:-1].repeat(len(x)), places[1] - places[0]
    for _ in range(11):
        bent = (left - right).abs().flatten(1).amax(1) > 1e-9 * (1e-3 + left.abs().flatten(1).amax(1))
        total.index_add_(0, images[~bent], width * left[~bent])
        images, starts, left, right, width = images[bent], starts[bent], left[bent], right[bent], width / 2
        if not len(images):
            break
        middle = slopes(images, starts + width)
        images, starts = images.repeat(2), torch.cat([starts, starts + width])
        left, right = torch.cat([left, middle]), torch.cat([middle, right])
    return (x - baseline) * total.index_add_(0, images, width * (left + right) / 2)


def _one_reference(model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor) -> Tensor:
    """Expected gradients whose 200 references are all the same."""
    many = baseline.expand(200, -1, -1, -1)
    return seeded(expected_gradients, seed=7, baselines=many)(model, x, target)


def _pixel_by_pixel(model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor) -> Tensor:
    """Occlusion, for images of 6 × 6 pixels and less."""
    return occlusion(model, x, target, size=1, stride=1, fill=baseline)

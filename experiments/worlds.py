"""The samples of the book's protocol, and the methods with its settings."""

from functools import partial

import torch
from torch import Tensor

from tutorial_lib.attribution.cam import grad_cam
from tutorial_lib.attribution.gradients import (
    deconvnet,
    expected_gradients,
    gradient_x_input,
    guided_backprop,
    integrated_gradients,
    saliency,
    seeded,
    smoothgrad,
    squared,
    vargrad,
)
from tutorial_lib.attribution.perturbation import occlusion
from tutorial_lib.attribution.pixels import max_over_colour, sum_over_colour
from tutorial_lib.attribution.propagation import deeplift, lrp_epsilon
from tutorial_lib.datasets import fashion_mnist, planted_shapes
from tutorial_lib.evaluation.sanity import edge_filter, random_map
from tutorial_lib.notebook.samples import fashion_sample, shapes_sample
from tutorial_lib.scores import Attribute

BLACK, GREY = torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), 0.5)
SAMPLES = {"fashion": fashion_sample, "shapes": shapes_sample}
NUMBERS = {"fashion": 200, "shapes": 60}
BASELINES = {"fashion": BLACK, "shapes": GREY}
LAYERS = {"fashion": "layers.6", "shapes": "blocks.3"}  # the last activation with more than one place
WINDOWS = {"fashion": 4, "shapes": 8}
# maps without signs: the largest channel, not the sum
ABSOLUTE = ("saliency", "SmoothGrad", "SmoothGrad-Squared", "VarGrad")


def average(world: str) -> Tensor:
    """The mean of the training images, one grey for all pixels.  -> (1, 1, 1, 1)"""
    return fashion_mnist("train").images.mean().view(1, 1, 1, 1) if world == "fashion" else GREY


def nine_methods(world: str) -> dict[str, Attribute]:
    """Gradients, modified backward passes, products with the input, a class activation map, occlusion."""
    baseline, size = BASELINES[world], WINDOWS[world]
    return {
        "saliency": saliency,
        "SmoothGrad": seeded(smoothgrad, seed=7, attribute=saliency, sigma=0.15, samples=32),
        "guided backprop": guided_backprop,
        "Gradient x Input": gradient_x_input,
        "IG": partial(integrated_gradients, baseline=baseline, steps=64),
        "epsilon-LRP": partial(lrp_epsilon, epsilon=1e-6),
        "DeepLIFT": partial(deeplift, baseline=baseline),
        "Grad-CAM": partial(grad_cam, layer=LAYERS[world]),
        "occlusion": partial(occlusion, size=size, stride=size, fill=average(world)),
    }


def more_methods(world: str) -> dict[str, Attribute]:
    """What goes through the columns of Table 2 beside its own rows: relatives, and maps without a model."""
    noisy = {"seed": 7, "attribute": saliency, "sigma": 0.15, "samples": 32}
    if world == "fashion":
        some = fashion_mnist("train").images[::50]
    else:
        some = planted_shapes(200, generator=torch.Generator().manual_seed(1)).images
    return {
        "DeconvNet": deconvnet,
        "SmoothGrad-Squared": seeded(smoothgrad, **{**noisy, "attribute": squared(saliency)}),
        "VarGrad": seeded(vargrad, **noisy),
        "expected gradients": seeded(expected_gradients, seed=7, baselines=some),
        "random map": seeded(random_map, seed=7),
        "constant map": lambda _model, x, _target: torch.ones_like(x),
        "edge filter": edge_filter,
    }


def pixel_map(name: str, attribution: Tensor) -> Tensor:
    """One number for each pixel, by the rule of the method of this name.  (N, C, H, W) -> (N, H, W)"""
    return (max_over_colour if name in ABSOLUTE else sum_over_colour)(attribution)


def described(world: str) -> dict:
    """The settings of the nine methods in words and numbers."""
    return {
        "saliency": "|gradient|", "SmoothGrad": "|gradient|, sigma 0.15, 32 samples, generator seed 7",
        "guided backprop": "signed", "Gradient x Input": "signed, baseline 0",
        "IG": f"midpoint, 64 steps, baseline {BASELINES[world].item()}", "epsilon-LRP": "epsilon 1e-6",
        "DeepLIFT": f"Rescale, baseline {BASELINES[world].item()}", "Grad-CAM": f"layer {LAYERS[world]}",
        "occlusion": f"{WINDOWS[world]} x {WINDOWS[world]}, stride {WINDOWS[world]}, fill "
        + ("mean of the training images" if world == "fashion" else "0.5"),
    }

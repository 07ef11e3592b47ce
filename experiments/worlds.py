"""The samples of the book's protocol, and the methods with its settings."""

from functools import partial

import torch

from tutorial_lib.attribution.cam import grad_cam
from tutorial_lib.attribution.gradients import (
    gradient_x_input,
    guided_backprop,
    integrated_gradients,
    saliency,
    seeded,
    smoothgrad,
)
from tutorial_lib.attribution.perturbation import occlusion
from tutorial_lib.attribution.propagation import deeplift, lrp_epsilon
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.notebook.samples import fashion_sample, shapes_sample
from tutorial_lib.scores import Attribute

BLACK, GREY = torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), 0.5)
SAMPLES = {"fashion": fashion_sample, "shapes": shapes_sample}
NUMBERS = {"fashion": 200, "shapes": 60}
BASELINES = {"fashion": BLACK, "shapes": GREY}
LAYERS = {"fashion": "layers.6", "shapes": "blocks.3"}  # the last activation with more than one place
WINDOWS = {"fashion": 4, "shapes": 8}
ABSOLUTE = ("saliency", "SmoothGrad")  # maps of absolute values: the largest channel, not the sum


def nine_methods(world: str) -> dict[str, Attribute]:
    """Gradients, modified backward passes, products with the input, a class activation map, occlusion."""
    baseline, size = BASELINES[world], WINDOWS[world]
    grey = fashion_mnist("train").images.mean().view(1, 1, 1, 1) if world == "fashion" else GREY
    return {
        "saliency": saliency,
        "SmoothGrad": seeded(smoothgrad, seed=7, attribute=saliency, sigma=0.15, samples=32),
        "guided backprop": guided_backprop,
        "Gradient x Input": gradient_x_input,
        "IG": partial(integrated_gradients, baseline=baseline, steps=64),
        "epsilon-LRP": partial(lrp_epsilon, epsilon=1e-6),
        "DeepLIFT": partial(deeplift, baseline=baseline),
        "Grad-CAM": partial(grad_cam, layer=LAYERS[world]),
        "occlusion": partial(occlusion, size=size, stride=size, fill=grey),
    }


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

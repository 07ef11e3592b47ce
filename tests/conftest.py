"""Models and images that several tests share."""

from functools import partial

import pytest
import torch
from torch import nn

from tutorial_lib.attribution.cam import grad_cam, guided_grad_cam
from tutorial_lib.attribution.gradients import (
    deconvnet,
    expected_gradients,
    gradient_x_input,
    guided_backprop,
    integrated_gradients,
    saliency,
    seeded,
    smoothgrad,
    vargrad,
)
from tutorial_lib.attribution.propagation import deeplift, lrp_epsilon
from tutorial_lib.datasets import photographs
from tutorial_lib.models.zoo import load
from tutorial_lib.scores import input_gradient

BLACK = torch.zeros(1, 1, 1, 1)
BASELINES = torch.rand(3, 1, 1, 1, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def small_net(*, bias: bool = True, seed: int = 0) -> nn.Sequential:
    """A random ReLU network with strides and max-pooling: (N, 3, 16, 16) -> 5 scores, float64."""
    torch.manual_seed(seed)
    return (
        nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=bias),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 12, 3, stride=2, bias=bias),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(12, 5, bias=bias),
        )
        .double()
        .eval()
        .requires_grad_(False)
    )


def methods(layer: str) -> dict:
    """Every method of the library with options, as pure functions (model, x, target)."""
    return {
        "gradient": input_gradient,
        "saliency": saliency,
        "gradient_x_input": gradient_x_input,
        "deconvnet": deconvnet,
        "guided_backprop": guided_backprop,
        "smoothgrad": seeded(smoothgrad, seed=0, attribute=saliency, sigma=0.1, samples=5),
        "vargrad": seeded(vargrad, seed=0, attribute=input_gradient, sigma=0.1, samples=5),
        "integrated_gradients": partial(integrated_gradients, baseline=BLACK, steps=7),
        "expected_gradients": seeded(expected_gradients, seed=0, baselines=BASELINES),
        "lrp_epsilon": partial(lrp_epsilon, epsilon=1e-6),
        "deeplift": partial(deeplift, baseline=BLACK),
        "grad_cam": partial(grad_cam, layer=layer),
        "guided_grad_cam": partial(guided_grad_cam, layer=layer),
    }


METHODS = methods("4")


@pytest.fixture
def net() -> nn.Sequential:
    return small_net()


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Seven random images and targets, float64."""
    x = torch.rand(7, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return x, torch.tensor([0, 1, 2, 3, 4, 0, 1])


@pytest.fixture(scope="session")
def lite0() -> nn.Module:
    return load("efficientnet_lite0")


@pytest.fixture(scope="session")
def photos():
    return photographs()

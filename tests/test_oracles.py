"""The oracle table: our maps against captum's on the three trained networks (float32) and on a small ReLU
net (float64); where captum has no rule, the law that stands in for it."""

import warnings
from functools import partial

import captum.attr as ca
import pytest
import torch
from torch import nn

from tests.conftest import small_net
from tutorial_lib.attribution.cam import grad_cam, guided_grad_cam
from tutorial_lib.attribution.captum_bridge import captum_grad_cam, from_captum, largest_difference
from tutorial_lib.attribution.gradients import (
    deconvnet,
    expected_gradients,
    gradient_x_input,
    guided_backprop,
    integrated_gradients,
    saliency,
    seeded,
    smoothgrad,
)
from tutorial_lib.attribution.propagation import deeplift, lrp_epsilon, stabilised
from tutorial_lib.datasets import fashion_mnist, photographs, planted_shapes
from tutorial_lib.models.check import find_layer
from tutorial_lib.models.layers import ReLU6
from tutorial_lib.models.zoo import load
from tutorial_lib.scores import input_gradient

GREY = torch.full((1, 1, 1, 1), 0.5)


def captum_guided_grad_cam(model, x, target, *, layer):
    """Captum's, up-sampled bilinearly as in the original."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        method = ca.GuidedGradCam(model, find_layer(model, layer))
        return method.attribute(x, target=target, interpolate_mode="bilinear").detach()


def pairs(layer, x):
    """(ours, captum's) for each method.

    Captum gets our α (eight steps are exact in binary) and our batches of two: in float32 another
    batch rounds otherwise, and on EfficientNet-Lite0 that moves points of IG's path across kinks
    (1.4 % of the map's maximum); test_integrated_gradients_in_double_precision needs neither.
    """
    ig = {
        "baselines": GREY.to(x).expand_as(x),
        "n_steps": 8,
        "method": "riemann_middle",
        "internal_batch_size": 2,
    }
    return {
        "gradient": (input_gradient, from_captum(partial(ca.Saliency), abs=False)),
        "saliency": (saliency, from_captum(ca.Saliency, abs=True)),
        "gradient_x_input": (gradient_x_input, from_captum(ca.InputXGradient)),
        "deconvnet": (deconvnet, from_captum(ca.Deconvolution)),
        "guided_backprop": (guided_backprop, from_captum(ca.GuidedBackprop)),
        "integrated_gradients": (
            partial(integrated_gradients, baseline=GREY, steps=8),
            from_captum(ca.IntegratedGradients, **ig),
        ),
        "grad_cam": (partial(grad_cam, layer=layer), partial(captum_grad_cam, layer=layer)),
        "guided_grad_cam": (
            partial(guided_grad_cam, layer=layer),
            partial(captum_guided_grad_cam, layer=layer),
        ),
    }


NAMES = list(pairs("0", GREY))


def network(name):
    """A trained network, its layer for Grad-CAM, two images and targets."""
    if name == "FashionCNN":
        data = fashion_mnist("test")
        return load("fashion_natural_100"), "layers.6", data.images[:2], data.targets[:2]
    if name == "ShapesResNet":
        data = planted_shapes(2, generator=torch.Generator().manual_seed(0))
        return load("shapes_natural_100"), "blocks.3", data.images, data.targets
    photos = photographs()
    return load("efficientnet_lite0"), "head", photos.images[:2], photos.targets[:2]


NETWORKS = ("FashionCNN", "ShapesResNet", "EfficientNet-Lite0")
each_network = pytest.mark.parametrize("where", NETWORKS)


@each_network
@pytest.mark.parametrize("name", NAMES)
def test_equal_to_captum_on_the_trained_networks(name, where):
    model, layer, x, target = network(where)
    ours, theirs = pairs(layer, x)[name]
    assert largest_difference(ours(model, x, target), theirs(model, x, target)) <= 1e-5


@each_network
def test_deeplift_is_captums(where, monkeypatch):
    """Captum learns that our ReLU6 is an element-wise non-linearity; no pools here to trip over."""
    from captum.attr._core import deep_lift

    monkeypatch.setitem(deep_lift.SUPPORTED_NON_LINEAR, ReLU6, deep_lift.nonlinear)
    model, _, x, target = network(where)
    theirs = from_captum(ca.DeepLift, baselines=torch.full_like(x, 0.5))(model, x, target)
    assert largest_difference(deeplift(model, x, target, baseline=GREY), theirs) <= 1e-4


class Frozen(nn.Module):
    """z times the constant f(z) / z: the network becomes linear in its input, with biases."""

    def __init__(self, activation):
        super().__init__()
        self.activation = activation

    def forward(self, z):
        return z * (self.activation(z) / stabilised(z, 1e-12)).detach()


@each_network
def test_lrp_is_gradient_times_input_of_the_frozen_network(where):
    """Captum's LRP knows neither ReLU6 nor sums of two branches; the law of Ancona et al. stands in. With
    plain ReLUs it says that LRP is captum's Gradient × Input. In float64 and for ε → 0: rounding turns
    pre-activations of 1e-7 about in float32, and f(z)/z with them (1.3 % of EfficientNet-Lite0's maximum)."""
    model, _, x, target = network(where)
    model, x = model.double(), x.double()
    ours = lrp_epsilon(model, x, target, epsilon=1e-12)
    if where != "EfficientNet-Lite0":
        assert largest_difference(ours, from_captum(ca.InputXGradient)(model, x, target)) <= 1e-4
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.ReLU):
            model.set_submodule(name, Frozen(module).eval())
    assert largest_difference(ours, gradient_x_input(model, x, target)) <= 1e-4


@each_network
def test_expected_gradients_are_captums_mean_over_the_same_points(where):
    """Captum draws its own α; the oracle averages its Gradient × Input, less the part of the baseline."""
    model, _, x, target = network(where)
    starts = torch.rand(3, *x.shape[1:], generator=torch.Generator().manual_seed(1))
    alphas = torch.rand((3, 2, 1, 1, 1), generator=torch.Generator().manual_seed(5))
    slope = from_captum(ca.Saliency, abs=False)
    points = [(start, start + alpha * (x - start)) for start, alpha in zip(starts, alphas, strict=True)]
    theirs = sum((x - start) * slope(model, point, target) for start, point in points) / 3
    ours = seeded(expected_gradients, seed=5, baselines=starts)(model, x, target)
    assert largest_difference(ours, theirs) <= 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_equal_to_captum_on_a_small_net(name, batch):
    x, target = batch
    ours, theirs = pairs("4", x)[name]
    tolerance = 1e-7 if name == "integrated_gradients" else 1e-12  # captum keeps its weights in float32
    assert largest_difference(ours(small_net(), x, target), theirs(small_net(), x, target)) <= tolerance


def test_integrated_gradients_in_double_precision(photos):
    model, (x, target) = load("efficientnet_lite0").double(), photos.one("coffee")
    theirs = from_captum(ca.IntegratedGradients, baselines=0.5, n_steps=5, method="riemann_middle")
    ours = integrated_gradients(model, x.double(), target, baseline=GREY, steps=5)
    assert largest_difference(ours, theirs(model, x.double(), target)) <= 1e-6


def test_smoothgrad_is_captums_mean_over_the_same_copies(net, batch):
    """Captum draws its own noise, so the oracle averages captum's maps of our noisy copies."""
    x, target = batch
    generator = torch.Generator().manual_seed(5)
    copies = [x + 0.1 * torch.randn(x.shape, generator=generator, dtype=x.dtype) for _ in range(4)]
    theirs = sum(from_captum(ca.Saliency, abs=True)(net, copy, target) for copy in copies) / 4
    ours = smoothgrad(
        net, x, target, attribute=saliency, sigma=0.1, samples=4, generator=torch.Generator().manual_seed(5)
    )
    assert largest_difference(ours, theirs) <= 1e-12


def test_largest_difference_refuses_other_shapes():
    with pytest.raises(ValueError, match="do not compare"):
        largest_difference(torch.zeros(1, 3), torch.zeros(1, 1))

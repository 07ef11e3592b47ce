"""Our maps against captum's, on EfficientNet-Lite0 (float32) and on a small ReLU net (float64)."""

import warnings
from functools import partial

import captum.attr as ca
import pytest
import torch

from tests.conftest import small_net
from tutorial_lib.attribution.cam import grad_cam, guided_grad_cam
from tutorial_lib.attribution.captum_bridge import captum_grad_cam, from_captum, largest_difference
from tutorial_lib.attribution.gradients import (
    deconvnet,
    gradient_x_input,
    guided_backprop,
    integrated_gradients,
    saliency,
    smoothgrad,
)
from tutorial_lib.models.check import find_layer
from tutorial_lib.models.zoo import load
from tutorial_lib.scores import input_gradient

GREY = torch.full((1, 3, 1, 1), 0.5)


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


@pytest.mark.parametrize("name", NAMES)
def test_equal_to_captum_on_efficientnet_lite0(name, lite0, photos):
    x, target = photos.images[:2], photos.targets[:2]
    ours, theirs = pairs("head", x)[name]
    assert largest_difference(ours(lite0, x, target), theirs(lite0, x, target)) <= 1e-5


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

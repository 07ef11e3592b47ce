"""Bugs that were published, or nearly so: each is injected here, and a named law must notice it.

A law takes an implementation and raises AssertionError if it breaks; every law passes on the book's own.
"""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.conftest import BLACK, small_net
from tutorial_lib.attribution.cam import grad_cam, signed_cam, upsample
from tutorial_lib.attribution.gradients import (
    gradient_x_input,
    guided_backprop,
    integrated_gradients,
    saliency,
    smoothgrad,
)
from tutorial_lib.attribution.hooks import (
    ELEMENTWISE,
    RELUS,
    activation_rule,
    activation_slope,
    backward_rule,
)
from tutorial_lib.attribution.layerwise import epsilon_rule, lrp
from tutorial_lib.attribution.propagation import deeplift, lrp_epsilon
from tutorial_lib.evaluation.axioms import completeness_gap
from tutorial_lib.scores import class_score, input_gradient

IMAGES = torch.rand(7, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
TARGETS = torch.arange(7) % 5


# Laws


def completeness(ig):
    """On a bias-free network of ReLUs the gradient is constant on the ray from black: any rule is exact."""
    net = small_net(bias=False)
    a = ig(net, IMAGES, TARGETS, baseline=BLACK, steps=40)
    assert completeness_gap(net, IMAGES, TARGETS, a, baseline=BLACK).max() < 1e-9


def midpoints_are_exact_for_quadratics(ig):
    """∫ of a linear slope by one midpoint."""

    class Quadratic(nn.Module):
        def forward(self, x):
            return x.pow(2).flatten(1).sum(1, keepdim=True)

    ours = ig(Quadratic().eval(), IMAGES, torch.zeros(7, dtype=torch.long), baseline=BLACK, steps=1)
    assert torch.allclose(ours, IMAGES**2)


class Twice(nn.Module):
    """Two convolutions with one ReLU module called twice, or as a function."""

    def __init__(self, relu):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.first, self.second = nn.Conv2d(3, 6, 3).double(), nn.Conv2d(6, 5, 3).double()
        for p in self.parameters():
            p.data = torch.randn(p.shape, generator=generator).double() / 5
        self.relu, self.module = relu, relu if isinstance(relu, nn.Module) else None

    def forward(self, x):
        return self.relu(self.second(self.relu(self.first(x)))).mean((2, 3))


def every_activation_is_reached_or_refused(guided):
    """The map of a network with functional ReLUs is that of its twin with modules, or an error."""
    modules = guided(Twice(nn.ReLU()).eval(), IMAGES, TARGETS)
    try:
        functions = guided(Twice(F.relu).eval(), IMAGES, TARGETS)
    except ValueError:
        return
    assert torch.allclose(modules, functions)


def deeplift_is_complete_with_a_reused_relu(lift):
    net = Twice(nn.ReLU()).eval()
    a = lift(net, IMAGES, TARGETS, baseline=BLACK)
    assert completeness_gap(net, IMAGES, TARGETS, a, baseline=BLACK).max() < 1e-9


def signed_smoothgrad_is_the_slope_of_the_smoothed_score(smooth):
    """S = |x|: for noise σ the smoothed slope is 2 Φ(x/σ) - 1."""

    class Absolute(nn.Module):
        def forward(self, x):
            return x.abs().flatten(1)

    x = torch.full((1, 1, 1, 1), 0.05, dtype=torch.float64)
    ours = smooth(
        Absolute().eval(),
        x,
        torch.tensor([0]),
        attribute=input_gradient,
        sigma=0.2,
        samples=4000,
        generator=torch.Generator().manual_seed(0),
    )
    assert torch.allclose(ours, 2 * torch.special.ndtr(x / 0.2) - 1, atol=0.05)


def grad_cam_is_not_negative(cam):
    for target in range(5):
        assert (cam(small_net(), IMAGES, torch.full((7,), target), layer="4") >= 0).all()


def ratios_of_tanh_stay_below_its_slope_at_zero(lrp_method):
    """|tanh(z) / (z + ε sign z)| ≤ 1, so one unit cannot blow the map up."""
    unit = nn.Sequential(nn.Tanh()).eval()
    z = torch.linspace(-1, 1, 201, dtype=torch.float64).view(-1, 1)
    ratio = lrp_method(unit, z, torch.zeros(201, dtype=torch.long), epsilon=0.1) / z.where(z != 0, 1)
    assert ratio.abs().max() <= 1


def lrp_is_gradient_times_input_on_relus(lrp_method):
    net = small_net()
    assert torch.allclose(
        lrp_method(net, IMAGES, TARGETS, epsilon=1e-12), gradient_x_input(net, IMAGES, TARGETS), atol=1e-8
    )


# Mutants


def ig_divided_by_n_plus_1(*args, steps, **options):
    return integrated_gradients(*args, steps=steps, **options) * steps / (steps + 1)


def ig_without_its_last_batch(model, x, target, *, baseline, steps):
    points = [baseline + (k + 0.5) / steps * (x - baseline) for k in range(steps)]
    full = steps // 32 * 32
    return (x - baseline) * sum(input_gradient(model, point, target) for point in points[:full]) / steps


def right_sum(model, x, target, *, baseline, steps):
    points = [baseline + (k + 1) / steps * (x - baseline) for k in range(steps)]
    return (x - baseline) * sum(input_gradient(model, point, target) for point in points) / steps


def guided_where_modules_are(model, x, target):
    with backward_rule(model, RELUS, lambda f, z, r: activation_slope(f, z) * r.clamp(min=0)):
        return input_gradient(model, x, target)


def deeplift_with_one_reference_for_each_module(model, x, target, *, baseline):
    seen = {}
    with model.relu.register_forward_hook(lambda m, z, _out: seen.update({m: z[0]})):
        class_score(model, baseline.to(x).expand_as(x), target)

    def rule(f, z, r):
        reference = seen[f]
        if reference.shape != z.shape:
            return activation_slope(f, z) * r
        return (f.forward(z) - f.forward(reference)) / (z - reference) * r

    with backward_rule(model, RELUS, rule):
        return (x - baseline) * input_gradient(model, x, target)


def smoothgrad_of_absolute_values(*args, attribute, **options):
    return smoothgrad(*args, attribute=lambda *a: attribute(*a).abs(), **options)


def grad_cam_without_relu(model, x, target, *, layer):
    return upsample(signed_cam(model, x, target, layer=layer), x).expand_as(x) / x.shape[1]


def epsilon_without_sign(model, x, target, *, epsilon):
    with activation_rule(model, lambda f, z, r: f.forward(z) / (z + epsilon) * r, kinds=ELEMENTWISE):
        return x * input_gradient(model, x, target)


def lrp_that_forgets_the_bias(model, x, target, *, epsilon):
    return lrp(
        model, x, target, first=epsilon_rule(epsilon, bias=False), above=epsilon_rule(epsilon, bias=False)
    )


CASES = {
    "IG divided by n + 1": (completeness, integrated_gradients, ig_divided_by_n_plus_1),
    "IG without its last batch": (completeness, integrated_gradients, ig_without_its_last_batch),
    "right sum called midpoint": (midpoints_are_exact_for_quadratics, integrated_gradients, right_sum),
    "guided backprop past functional ReLUs": (
        every_activation_is_reached_or_refused,
        guided_backprop,
        guided_where_modules_are,
    ),
    "DeepLIFT with a reused ReLU": (
        deeplift_is_complete_with_a_reused_relu,
        deeplift,
        deeplift_with_one_reference_for_each_module,
    ),
    "SmoothGrad of absolute values": (
        signed_smoothgrad_is_the_slope_of_the_smoothed_score,
        smoothgrad,
        smoothgrad_of_absolute_values,
    ),
    "Grad-CAM without ReLU": (grad_cam_is_not_negative, grad_cam, grad_cam_without_relu),
    "epsilon without sign": (ratios_of_tanh_stay_below_its_slope_at_zero, lrp_epsilon, epsilon_without_sign),
    "LRP that forgets the bias": (
        lrp_is_gradient_times_input_on_relus,
        lrp_epsilon,
        lrp_that_forgets_the_bias,
    ),
}


@pytest.mark.parametrize("bug", list(CASES))
def test_a_law_catches_the_bug(bug):
    law, ours, mutant = CASES[bug]
    law(ours)
    with pytest.raises(AssertionError):
        law(mutant)


def test_the_mutants_run_without_an_error():
    """A bug is dangerous if nothing else complains."""
    net = Twice(nn.ReLU()).eval()
    for ig in (ig_divided_by_n_plus_1, ig_without_its_last_batch, right_sum):
        assert torch.isfinite(ig(net, IMAGES, TARGETS, baseline=BLACK, steps=40)).all()
    assert torch.isfinite(
        deeplift_with_one_reference_for_each_module(net, IMAGES, TARGETS, baseline=BLACK)
    ).any()
    assert torch.isfinite(guided_where_modules_are(Twice(F.relu).eval(), IMAGES, TARGETS)).all()
    noisy = partial(smoothgrad_of_absolute_values, attribute=saliency, sigma=0.1, samples=2)
    assert torch.isfinite(noisy(net, IMAGES, TARGETS, generator=torch.Generator().manual_seed(0))).all()

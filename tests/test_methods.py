"""Laws that every method obeys."""

import pytest
import torch
from torch import nn

from tests.conftest import BLACK, METHODS, small_net
from tutorial_lib import scores
from tutorial_lib.attribution.cam import cam_weights, grad_cam
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
from tutorial_lib.attribution.hooks import activation_rule, activation_slope
from tutorial_lib.attribution.pixels import max_over_colour, sum_over_colour
from tutorial_lib.models.check import find_layer
from tutorial_lib.models.layers import ReLU6
from tutorial_lib.scores import class_score, input_gradient, layer_gradient

every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def hooks_of(model: nn.Module) -> int:
    """Number of hooks of any kind on all modules."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(m, kind)) for m in model.modules() for kind in kinds)


@every_method
def test_map_is_shaped_like_the_input_and_does_not_require_a_gradient(method, net, batch):
    x, target = batch
    attribution = method(net, x, target)
    assert attribution.shape == x.shape and attribution.dtype == x.dtype
    assert not attribution.requires_grad


@every_method
def test_model_and_input_are_untouched(method, net, batch):
    x, target = batch
    image, state = x.clone(), {k: v.clone() for k, v in net.state_dict().items()}
    method(net, x, target)
    assert torch.equal(x, image) and not x.requires_grad and x.grad is None
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None and not p.requires_grad for p in net.parameters())
    assert hooks_of(net) == 0


@every_method
def test_two_calls_are_equal(method, net, batch):
    assert torch.equal(method(net, *batch), method(net, *batch))


@every_method
def test_chunk_size_changes_nothing(method, net, batch, monkeypatch):
    reference = method(net, *batch)
    for size in (1, 2, 3, 100):
        monkeypatch.setattr(scores, "chunk_size", lambda x, size=size: size)
        difference = (method(net, *batch) - reference).abs().max() / reference.abs().max()
        assert difference < 1e-12


@every_method
def test_chunk_size_changes_nothing_in_single_precision(method, batch, monkeypatch):
    net, x, target = small_net().float(), batch[0].float(), batch[1]
    reference = method(net, x, target)
    monkeypatch.setattr(scores, "chunk_size", lambda x: 1)
    assert (method(net, x, target) - reference).abs().max() / reference.abs().max() < 1e-4


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"smoothgrad", "vargrad", "expected_gradients"}))
def test_each_image_is_explained_by_itself(name, net, batch):
    """Without noise (which is drawn for the whole batch) an image's map does not depend on its batch."""
    x, target = batch
    assert torch.allclose(METHODS[name](net, x, target)[:1], METHODS[name](net, x[:1], target[:1]))


@every_method
def test_gradients_flow_through_the_map_if_the_input_asks_for_them(method, net, batch):
    x, target = batch[0].clone().requires_grad_(), batch[1]
    attribution = method(net, x, target)
    assert attribution.requires_grad
    (second,) = torch.autograd.grad(attribution.pow(2).sum(), x)
    assert second.shape == x.shape and torch.isfinite(second).all()


@every_method
def test_a_method_works_inside_no_grad(method, net, batch):
    with torch.no_grad():
        inside = method(net, *batch)
    assert torch.equal(inside, method(net, *batch))


def test_second_derivative_of_a_smooth_model_is_the_analytic_one():
    """S = Σ softplus(w x): the gradient map's derivative is the Hessian, w² σ(1 - σ)."""

    class Smooth(nn.Module):
        def forward(self, x):
            return nn.functional.softplus(3 * x).sum((1, 2, 3))[:, None]

    x = torch.rand(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    (second,) = torch.autograd.grad(input_gradient(Smooth().eval(), x, torch.tensor([0])).sum(), x)
    sigma = torch.sigmoid(3 * x)
    assert torch.allclose(second, 9 * sigma * (1 - sigma))


def test_a_rule_is_differentiable_twice():
    """f(z)/z times x for softplus: the map's derivative agrees with finite differences."""

    class Soft(nn.ReLU):
        def forward(self, z):
            return nn.functional.softplus(z)

    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3).double(), Soft(), nn.Linear(3, 2).double()).eval()
    x, target = torch.rand(1, 1, 2, 2, dtype=torch.float64), torch.tensor([1])

    def lrp_like(image):
        with activation_rule(net, lambda f, z, r: f.forward(z) / z * r):
            return (input_gradient(net, image, target) * image).pow(2).sum()

    (exact,) = torch.autograd.grad(lrp_like(x.requires_grad_()), x)
    step = torch.zeros_like(x)
    step[0, 0, 1, 0] = 1e-6
    plain = x.detach()
    finite = (lrp_like(plain + step) - lrp_like(plain - step)) / 2e-6
    assert torch.allclose(exact[0, 0, 1, 0], finite, rtol=1e-6)


def test_saliency_is_the_size_of_the_gradient(net, batch):
    assert torch.equal(saliency(net, *batch), input_gradient(net, *batch).abs())


def test_gradient_agrees_with_finite_differences(net, batch):
    x, target = batch[0][:1], batch[1][:1]
    gradient = input_gradient(net, x, target).flatten()
    for i in (0, 100, 700):
        step = torch.zeros(x.numel(), dtype=x.dtype)
        step[i] = 1e-7
        rise = class_score(net, x + step.view_as(x), target) - class_score(net, x - step.view_as(x), target)
        assert torch.allclose(rise / 2e-7, gradient[i], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6, ReLU6])
def test_truth_table_of_the_backward_rules(activation):
    unit = nn.Sequential(activation()).eval()
    rules = {
        "gradient": lambda f, z, r: activation_slope(f, z) * r,
        "deconvnet": lambda f, z, r: r.clamp(min=0),
        "guided": lambda f, z, r: activation_slope(f, z) * r.clamp(min=0),
    }
    z = torch.tensor([[2.0, 2.0, -2.0, -2.0]])
    signal = torch.tensor([[3.0, -3.0, 3.0, -3.0]])
    expected = {"gradient": [3, -3, 0, 0], "deconvnet": [3, 0, 3, 0], "guided": [3, 0, 0, 0]}
    for name, rule in rules.items():
        inputs = z.clone().requires_grad_()
        with activation_rule(unit, rule):
            (below,) = torch.autograd.grad(unit(inputs), inputs, signal)
        assert below.tolist() == [expected[name]]


def test_the_rule_of_the_gradient_changes_nothing(net, batch):
    with activation_rule(net, lambda f, z, r: activation_slope(f, z) * r):
        assert torch.equal(input_gradient(net, *batch), small := input_gradient(net, *batch))
    assert torch.allclose(small, input_gradient(net, *batch), rtol=0, atol=1e-15)


def test_a_saturated_relu6_passes_no_signal():
    z = torch.tensor([-1.0, 3.0, 7.0])
    assert activation_slope(ReLU6(), z).tolist() == [0, 1, 0]


def test_hooks_are_gone_after_an_error(net, batch):
    def fails(_activation, _z, _signal):
        raise RuntimeError("inside the rule")

    with pytest.raises(RuntimeError, match="inside the rule"), activation_rule(net, fails):
        input_gradient(net, *batch)
    assert hooks_of(net) == 0
    with pytest.raises(ValueError):
        grad_cam(net, batch[0], torch.full((7,), 9), layer="4")
    assert hooks_of(net) == 0


def test_a_reused_relu_gets_its_rule_at_each_call(batch):
    """Captum cannot do this; the forward hook sees each call with its own input."""
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 4, 3).double(), nn.Conv2d(4, 5, 3).double()

    class Net(nn.Module):
        def __init__(self, one, other):
            super().__init__()
            self.first, self.second, self.one, self.other = first, second, one, other

        def forward(self, x):
            return self.other(self.second(self.one(self.first(x)))).mean((2, 3))

    relu = nn.ReLU()
    reused, separate = Net(relu, relu).eval(), Net(nn.ReLU(), nn.ReLU()).eval()
    assert torch.equal(guided_backprop(reused, *batch), guided_backprop(separate, *batch))


def test_guided_backprop_breaks_implementation_invariance_and_the_gradient_does_not():
    """u = ReLU(u) - ReLU(-u) at u = -1, and 0 = ReLU(u) - ReLU(u) at u = 1 (METHODS §1)."""

    class Written(nn.Module):
        def __init__(self, sign):
            super().__init__()
            self.sign, self.first, self.second = sign, nn.ReLU(), nn.ReLU()

        def forward(self, u):
            return self.first(u) - self.second(self.sign * u)

    minus, plus, target = torch.tensor([[-1.0]]), torch.tensor([[1.0]]), torch.tensor([0])
    identity, zero = Written(-1).eval(), Written(1).eval()
    found = {
        m: (m(identity, minus, target).item(), m(zero, plus, target).item())
        for m in (input_gradient, deconvnet, guided_backprop)
    }
    assert found == {input_gradient: (1, 0), deconvnet: (1, 1), guided_backprop: (0, 1)}


def test_smoothgrad_without_noise_is_the_method_itself(net, batch):
    for attribute in (saliency, gradient_x_input):
        smooth = seeded(smoothgrad, seed=3, attribute=attribute, sigma=0.0, samples=3)
        assert torch.allclose(smooth(net, *batch), attribute(net, *batch), rtol=0, atol=1e-15)


def test_smoothgrad_of_signed_gradients_is_the_gradient_of_the_smoothed_score():
    """For S = ReLU(x) the smoothed slope is Φ(x/σ): a closed form (METHODS §1, SAT)."""
    unit = nn.Sequential(nn.Flatten(), nn.Linear(1, 1, bias=False), nn.ReLU()).double().eval()
    nn.init.ones_(unit[1].weight)
    x = torch.tensor([0.1], dtype=torch.float64).view(1, 1, 1, 1)
    smooth = seeded(smoothgrad, seed=0, attribute=input_gradient, sigma=0.2, samples=4000)
    expected = torch.special.ndtr(x / 0.2)
    assert torch.allclose(smooth(unit, x, torch.tensor([0])), expected, atol=0.02)


def test_smoothgrad_of_absolute_gradients_is_not_smaller(net, batch):
    options = {"seed": 0, "sigma": 0.2, "samples": 8}
    signed = seeded(smoothgrad, attribute=input_gradient, **options)(net, *batch)
    absolute = seeded(smoothgrad, attribute=saliency, **options)(net, *batch)
    assert (absolute >= signed.abs() - 1e-12).all() and (absolute > signed.abs() + 1e-3).any()


def test_smoothgrad_error_falls_with_the_root_of_the_copies(net, batch):
    def spread(samples):
        maps = [
            seeded(smoothgrad, seed=s, attribute=saliency, sigma=0.2, samples=samples)(net, *batch)
            for s in range(8)
        ]
        return torch.stack(maps).std(0).mean()

    assert 3 < spread(4) / spread(64) < 5.5


def test_completeness_gap_shrinks_with_the_steps(net, batch):
    x, target = batch
    rise = class_score(net, x, target) - class_score(net, torch.zeros_like(x), target)

    def gap(steps):
        total = integrated_gradients(net, x, target, baseline=BLACK, steps=steps).sum((1, 2, 3))
        return ((total - rise).abs() / rise.abs()).max()

    assert gap(2000) < 1e-3 < gap(5)


def test_without_biases_integrated_gradients_is_gradient_times_input(batch):
    """A bias-free ReLU network is linear on the ray from black: one gradient on the whole path."""
    net = small_net(bias=False)
    ours = integrated_gradients(net, *batch, baseline=BLACK, steps=3)
    assert torch.allclose(ours, gradient_x_input(net, *batch), rtol=0, atol=1e-12)
    total = gradient_x_input(net, *batch).sum((1, 2, 3))
    assert torch.allclose(total, class_score(net, *batch))


def test_integrated_gradients_of_a_quadratic_is_exact_in_closed_form():
    """S = Σ x²: IG from x̂ is x² - x̂² with any number of midpoint steps."""

    class Quadratic(nn.Module):
        def forward(self, x):
            return x.pow(2).flatten(1).sum(1, keepdim=True)

    x, baseline = torch.rand(2, 1, 3, 3, dtype=torch.float64), torch.full((1, 1, 1, 1), 0.3)
    ours = integrated_gradients(Quadratic().eval(), x, torch.tensor([0, 0]), baseline=baseline, steps=1)
    assert torch.allclose(ours, x**2 - 0.09, atol=1e-7)


def test_expected_gradients_from_one_baseline_are_integrated_gradients_by_monte_carlo(net, batch):
    """400 random points on one path; the error falls with their root."""
    x, target = batch
    black = torch.zeros(1, 3, 16, 16, dtype=torch.float64)
    exact = integrated_gradients(net, x, target, baseline=BLACK, steps=400)

    def error(draws):
        expected = seeded(expected_gradients, seed=0, baselines=black.expand(draws, -1, -1, -1))
        return (expected(net, x, target) - exact).norm() / exact.norm()

    assert error(1600) < 0.05 < error(4)


def test_expected_gradients_add_up_to_the_score_above_the_mean_of_the_baselines(net, batch):
    x, target = batch
    draws = torch.rand(1500, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    total = seeded(expected_gradients, seed=0, baselines=draws)(net, x, target).sum((1, 2, 3))
    starts = torch.stack([class_score(net, draws, t.expand(1500)).mean() for t in target])
    rise = class_score(net, x, target) - starts
    assert ((total - rise).abs() / rise.abs().max()).max() < 0.1


def test_expected_gradients_refuse_baselines_of_another_shape(net, batch):
    with pytest.raises(ValueError, match="does not broadcast"):
        seeded(expected_gradients, seed=0, baselines=torch.zeros(2, 1, 8, 8))(net, *batch)


def test_pixels_at_the_baseline_get_nothing(net, batch):
    x, target = batch[0].clone(), batch[1]
    x[:, :, :4] = 0
    assert (integrated_gradients(net, x, target, baseline=BLACK, steps=4)[:, :, :4] == 0).all()


def test_grad_cam_before_its_relu_adds_up_to_the_score(net, batch):
    x, target = batch
    A, gradient = layer_gradient(net, x, target, layer=find_layer(net, "4"))
    places = (cam_weights(gradient) * A).sum(1)
    assert torch.allclose(places.sum((1, 2)), class_score(net, x, target) - net[7].bias[target])


def test_grad_cam_is_one_non_negative_map_for_all_colours(net, batch):
    cam = grad_cam(net, *batch, layer="4")
    assert (cam >= 0).all()
    assert torch.equal(cam[:, 0], cam[:, 1]) and torch.allclose(sum_over_colour(cam), 3 * cam[:, 0])


def test_grad_cam_colours_pixels_that_the_network_never_reads():
    blind = nn.Sequential(
        nn.Conv2d(1, 1, 1, stride=2, bias=False),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(1, 1, bias=False),
    ).eval()
    for parameter in blind.parameters():
        nn.init.ones_(parameter)
    x, target = torch.rand(1, 1, 8, 8), torch.tensor([0])
    unseen = input_gradient(blind, x, target) == 0
    assert unseen.float().mean() == 0.75 and grad_cam(blind, x, target, layer="1")[unseen].sum() > 0


def test_colour_reductions():
    a = torch.tensor([[[[1.0]], [[-3.0]], [[2.0]]]])
    assert sum_over_colour(a).item() == 0 and max_over_colour(a).item() == 2


@pytest.mark.parametrize(
    ("name", "passes"),
    [
        ("gradient", 7),
        ("saliency", 7),
        ("gradient_x_input", 7),
        ("deconvnet", 7),
        ("guided_backprop", 7),
        ("smoothgrad", 35),
        ("vargrad", 35),
        ("integrated_gradients", 49),
        ("expected_gradients", 21),
        ("lrp_epsilon", 7),
        ("deeplift", 14),
        ("grad_cam", 7),
        ("guided_grad_cam", 14),
    ],
)
def test_forward_passes_are_what_the_definition_needs(name, passes, net, batch):
    count = []
    with net.register_forward_hook(lambda _m, images, _o: count.append(len(images[0]))):
        METHODS[name](net, *batch)
    assert sum(count) == passes


def test_memory_does_not_grow_with_the_copies(net, batch):
    """The largest batch that the model sees is a chunk, however many samples are asked for."""
    sizes = []
    with net.register_forward_hook(lambda _m, images, _o: sizes.append(len(images[0]))):
        seeded(smoothgrad, seed=0, attribute=saliency, sigma=0.1, samples=200)(net, *batch)
    assert max(sizes) <= scores.chunk_size(batch[0]) and sum(sizes) == 1400

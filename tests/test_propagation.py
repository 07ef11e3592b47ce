"""Propagation: the laws of METHODS §1-2 in float64, and captum and zennit as oracles."""

import warnings
from functools import partial
from itertools import pairwise

import captum.attr as ca
import pytest
import torch
from torch import nn

from tests.conftest import BLACK, small_net
from tutorial_lib.attribution.captum_bridge import from_captum, largest_difference
from tutorial_lib.attribution.gradients import gradient_x_input, integrated_gradients
from tutorial_lib.attribution.hooks import backward_rule
from tutorial_lib.attribution.layerwise import (
    alpha_beta_rule,
    epsilon_rule,
    gamma_rule,
    lrp,
    reveal_cancel,
    w_square_rule,
    z_box_rule,
)
from tutorial_lib.attribution.propagation import deeplift, lrp_epsilon, rescale_pool
from tutorial_lib.datasets import fashion_mnist, planted_shapes
from tutorial_lib.models.zoo import load
from tutorial_lib.scores import class_score

GREY = torch.full((1, 1, 1, 1), 0.5)
plain = partial(lrp_epsilon, epsilon=1e-12)


def dense(activation=nn.ReLU, *, bias=True, sizes=(6, 20, 12, 3), seed=0):
    """A random dense network in float64."""
    torch.manual_seed(seed)
    layers = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs, bias=bias), activation()]
    return nn.Sequential(*layers[:-1]).double().eval().requires_grad_(False)


def vectors(n=5, features=6):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, features, generator=generator, dtype=torch.float64)
    return x, torch.arange(n) % 3


def gap(model, x, target, attribution, baseline):
    """Largest relative distance of the sum from the difference of the scores."""
    rise = class_score(model, x, target) - class_score(model, baseline.to(x).expand_as(x), target)
    return ((attribution.flatten(1).sum(1) - rise).abs() / rise.abs()).max().item()


def test_lrp_is_gradient_times_input_on_relus_with_and_without_biases(batch):
    for net, points in ((small_net(), batch), (small_net(bias=False), batch), (dense(), vectors())):
        assert largest_difference(plain(net, *points), gradient_x_input(net, *points)) < 1e-6


def test_without_biases_four_methods_are_one(batch):
    net = small_net(bias=False)
    reference = gradient_x_input(net, *batch)
    four = (plain, partial(deeplift, baseline=BLACK), partial(integrated_gradients, baseline=BLACK, steps=2))
    for method in four:
        assert largest_difference(method(net, *batch), reference) < 1e-6


def test_lrp_equals_deeplift_from_zero_where_f_of_zero_is_zero_and_biases_are_absent():
    net, (x, target) = dense(nn.Tanh, bias=False), vectors()
    ours, other = plain(net, x, target), deeplift(net, x, target, baseline=torch.zeros(1))
    assert largest_difference(ours, other) < 1e-6
    assert largest_difference(other, gradient_x_input(net, x, target)) > 0.01


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.ReLU6, nn.ELU])
def test_deeplift_is_complete(activation):
    net, (x, target) = dense(activation), vectors()
    for baseline in (torch.zeros(1), torch.full((6,), 0.3), torch.randn(5, 6)):
        assert gap(net, x, target, deeplift(net, x, target, baseline=baseline), baseline) < 1e-10


def pooled(order, *, stride):
    """A net in which ReLU and max-pooling touch, in either order; overlapping pools for strides 1 and 2."""
    torch.manual_seed(3)

    def pair(stride):
        both = [nn.ReLU(), nn.MaxPool2d(3, stride)]
        return both if order == "relu first" else both[::-1]

    net = nn.Sequential(
        nn.Conv2d(3, 6, 3), *pair(stride), nn.Conv2d(6, 5, 2), *pair(1), nn.Flatten(), nn.LazyLinear(5)
    )
    net(torch.rand(1, 3, 16, 16))
    return net.double().eval().requires_grad_(False)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("order", ["relu first", "pool first"])
def test_deeplift_is_complete_where_pooling_and_relu_touch(order, stride, batch):
    net = pooled(order, stride=stride)
    for baseline in (BLACK, GREY):
        assert gap(net, *batch, deeplift(net, *batch, baseline=baseline), baseline) < 1e-10


def test_deeplift_is_complete_on_the_wired_network_and_its_one_dimensional_pool():
    model, shapes = load("wired"), planted_shapes(4, generator=torch.Generator().manual_seed(0))
    ours = deeplift(model, shapes.images, shapes.targets, baseline=BLACK)
    assert gap(model, shapes.images, shapes.targets, ours, BLACK) < 1e-5


@pytest.mark.parametrize("name", ["fashion_natural_100", "fashion_max_pool_100", "shapes_natural_100"])
def test_deeplift_is_complete_on_the_trained_networks(name):
    model = load(name)
    data = (
        fashion_mnist("test")
        if name.startswith("fashion")
        else planted_shapes(20, generator=torch.Generator().manual_seed(0))
    )
    x, target = data.images[:20], data.targets[:20]
    for baseline in (BLACK, GREY):
        assert gap(model, x, target, deeplift(model, x, target, baseline=baseline), baseline) < 1e-4
    in_double = gap(
        model.double(), x.double(), target, deeplift(model, x.double(), target, baseline=BLACK), BLACK
    )
    assert in_double < 1e-9


def test_one_unit_rescale_is_the_mean_slope_on_the_path():
    """Δf/Δz is ∫ f′ along the segment: DeepLIFT and IG agree on one unit."""
    for activation in (nn.ReLU, nn.Tanh, nn.Softplus):
        net = dense(activation, sizes=(6, 1, 3))
        x, target = vectors()
        ig = integrated_gradients(net, x, target, baseline=torch.zeros(1), steps=4000)
        assert largest_difference(deeplift(net, x, target, baseline=torch.zeros(1)), ig) < 1e-3


def test_rescale_breaks_implementation_invariance_as_computed_by_hand():
    """METHODS §1: at (3, 1) from (0, 0), DeepLIFT (1.5, -0.5) and (2, -1) for two forms of one function."""

    class Nested(nn.Module):
        def __init__(self, outer):
            super().__init__()
            self.outer, self.units = outer, nn.ModuleList(nn.ReLU() for _ in range(3))

        def forward(self, x):
            a, b, c = self.units
            first, second = x[:, :1], x[:, 1:]
            inside = a(first) - 1 - b(second) if self.outer else a(first - 1) - b(second)
            return c(inside)

    x, target, zero = torch.tensor([[3.0, 1.0]]), torch.tensor([0]), torch.zeros(1)
    f, g = Nested(True).eval(), Nested(False).eval()
    assert deeplift(f, x, target, baseline=zero).tolist() == [[1.5, -0.5]]
    assert deeplift(g, x, target, baseline=zero).tolist() == [[2.0, -1.0]]
    assert plain(f, x, target).round(decimals=4).tolist() == [[3.0, -1.0]]


def test_saturated_unit_still_gets_its_share():
    """1 - ReLU(1 - x) at x = 2 from 0: f rises by 1, the gradient is 0."""
    net = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1)).eval().requires_grad_(False)
    for layer in (net[0], net[2]):
        layer.weight[:], layer.bias[:] = -1, 1
    x, target = torch.tensor([[2.0]]), torch.tensor([0])
    assert deeplift(net, x, target, baseline=torch.zeros(1)).item() == 1
    assert gradient_x_input(net, x, target).item() == 0 == plain(net, x, target).item()


def test_relu6_above_six():
    """METHODS §1: at 8, LRP 6, Gradient × Input 0, DeepLIFT 6."""
    unit = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU6()).eval().requires_grad_(False)
    unit[0].weight[:] = 1
    x, target = torch.tensor([[8.0]]), torch.tensor([0])
    found = (
        plain(unit, x, target),
        gradient_x_input(unit, x, target),
        deeplift(unit, x, target, baseline=torch.zeros(1)),
    )
    assert [round(a.item(), 5) for a in found] == [6, 0, 6]


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Softplus])
def test_equal_to_captum_on_dense_networks(activation):
    net, (x, target) = dense(activation), vectors()
    baseline = torch.full((6,), 0.2, dtype=torch.float64)
    theirs = from_captum(ca.DeepLift, baselines=baseline.expand_as(x))(net, x, target)
    assert largest_difference(deeplift(net, x, target, baseline=baseline), theirs) < 1e-9
    if activation in (nn.ReLU, nn.Tanh):
        theirs = from_captum(ca.LRP)(net, x, target)
        assert largest_difference(plain(net, x, target), theirs) < 1e-5


def zennits(composite, model, x, target):
    """Zennit's relevance of the target score, started as its own value."""
    from zennit.attribution import Gradient

    def start(output):
        chosen = nn.functional.one_hot(target, output.shape[1]).to(output)
        return output * chosen

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Gradient(model, composite=composite) as attributor:
            return attributor(x.clone(), start)[1].detach()


def layerwise_cases():
    import zennit.composites as zc
    import zennit.core as zcore
    import zennit.rules as zr
    from zennit.types import AvgPool, Convolution, Linear

    def both(rule, first=None):
        layers = [(Convolution, rule), (Linear, rule), (AvgPool, zr.Epsilon(1e-9))]
        if first is None:
            return zc.LayerMapComposite(layers)
        return zc.SpecialFirstLayerMapComposite(layers, [(Convolution, first), (Linear, first)])

    assert zcore  # imported for its registration of the hooks
    unbiased = {"zero_params": ["bias"], "stabilizer": 1e-9}
    epsilon = epsilon_rule(1e-6, bias=True)
    plus = alpha_beta_rule(1, 0)
    low, high = torch.zeros(1), torch.ones(1)
    return {
        "epsilon": (epsilon, epsilon, both(zr.Epsilon(1e-6))),
        "epsilon, bias left out": (epsilon_rule(1e-6, bias=False),) * 2
        + (both(zr.Epsilon(1e-6, zero_params=["bias"])),),
        "gamma": (gamma_rule(0.25),) * 2 + (both(zr.Gamma(0.25, stabilizer=1e-9)),),
        "alpha-beta": (alpha_beta_rule(2, 1),) * 2 + (both(zr.AlphaBeta(2, 1, **unbiased)),),
        "z+": (plus, plus, both(zr.ZPlus(**unbiased))),
        "w2": (w_square_rule, plus, both(zr.ZPlus(**unbiased), zr.WSquare(**unbiased))),
        "zB": (z_box_rule(low, high), plus, both(zr.ZPlus(**unbiased), zr.ZBox(0.0, 1.0, **unbiased))),
    }


@pytest.mark.parametrize("name", list(layerwise_cases()))
def test_layerwise_rules_equal_zennits(name, batch):
    first, above, composite = layerwise_cases()[name]
    net, x = small_net(), batch[0]
    target = net(x).argmax(1)  # a positive score: zennit generalises γ for negative ones
    ours = lrp(net, x, target, first=first, above=above)
    theirs = zennits(composite, net, x, target)
    assert largest_difference(ours, theirs) < 1e-6


def test_rules_without_bias_conserve_the_score(batch):
    net = small_net()
    score = class_score(net, *batch)
    plus = alpha_beta_rule(1, 0)
    for first, above in (
        (epsilon_rule(1e-12, bias=False),) * 2,
        (plus, plus),
        (alpha_beta_rule(2, 1),) * 2,
        (w_square_rule, plus),
        (z_box_rule(torch.zeros(1), torch.ones(1)), plus),
    ):
        total = lrp(net, *batch, first=first, above=above).sum((1, 2, 3))
        assert ((total - score).abs() / score.abs()).max() < 1e-5


def test_layerwise_epsilon_is_the_backward_rule(batch):
    """Two implementations of one definition; the backward rule leaves the score unstabilised."""
    net = small_net()
    layerwise = lrp(net, *batch, first=epsilon_rule(1e-12, bias=True), above=epsilon_rule(1e-12, bias=True))
    assert largest_difference(layerwise, plain(net, *batch)) < 1e-6


def test_a_large_epsilon_absorbs_relevance(batch):
    net = small_net()
    totals = [lrp_epsilon(net, *batch, epsilon=e).abs().sum().item() for e in (1e-6, 0.1, 1.0, 10.0)]
    assert totals == sorted(totals, reverse=True) and totals[-1] < 0.1 * totals[0]


def test_reveal_cancel_sees_what_rescale_misses():
    """Shrikumar et al. 2017: min(x₁, x₂) = x₂ - ReLU(x₂ - x₁) splits evenly; Rescale gives all to one."""

    class Minimum(nn.Sequential):
        def __init__(self):
            first, last = nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False)
            first.weight.data = torch.tensor([[0.0, 1.0], [-1.0, 1.0]])
            last.weight.data = torch.tensor([[1.0, -1.0]])
            super().__init__(first, nn.ReLU(), last)

    net = Minimum().double().eval().requires_grad_(False)
    x, target, zero = (
        torch.tensor([[2.0, 2.0], [1.0, 3.0]], dtype=torch.float64),
        torch.tensor([0, 0]),
        BLACK[0, 0],
    )
    revealed = reveal_cancel(net, x, target, baseline=zero)
    assert torch.allclose(revealed[0], torch.tensor([1.0, 1.0], dtype=torch.float64))
    assert deeplift(net, x, target, baseline=zero)[0].tolist() == [0, 2]
    assert torch.allclose(revealed.sum(1), x.amin(1))


def test_reveal_cancel_is_complete():
    for activation in (nn.ReLU, nn.Tanh, nn.Softplus):
        net, (x, target) = dense(activation), vectors()
        baseline = torch.full((6,), 0.3)
        assert gap(net, x, target, reveal_cancel(net, x, target, baseline=baseline), baseline) < 1e-10
    model, data = load("fashion_natural_100").double(), fashion_mnist("test")
    x, target = data.images[:3].double(), data.targets[:3]
    assert gap(model, x, target, reveal_cancel(model, x, target, baseline=GREY), GREY) < 1e-9


def touching(order, *, stride):
    """One ReLU and one pool that touch, then two dense layers."""
    torch.manual_seed(3)
    both = [nn.ReLU(), nn.MaxPool2d(3, stride)]
    both = both if order == "relu first" else both[::-1]
    net = nn.Sequential(nn.Conv2d(3, 6, 3), *both, nn.Flatten(), nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 5))
    net(torch.rand(1, 3, 16, 16))
    return net.double().eval().requires_grad_(False)


def with_own_inputs(net):
    """Each pool and ReLU gets its own copy of its input, so that captum's hooks do not meet."""
    for module in net:
        if isinstance(module, (nn.MaxPool2d, nn.ReLU)):
            module.register_forward_pre_hook(lambda _m, inputs: (inputs[0].clone(),))
    return net


@pytest.mark.parametrize("order", ["relu first", "pool first"])
def test_captums_deeplift_is_wrong_where_pooling_and_relu_touch(order, batch):
    """The reason for a rule of our own (captum 0.9): ReLU before pooling, the sum is right and the map is
    not; pooling before ReLU, both are wrong. With inputs of their own the maps agree."""
    ours = deeplift(touching(order, stride=3), *batch, baseline=BLACK)
    theirs = from_captum(ca.DeepLift, baselines=torch.zeros_like(batch[0]))
    raw = theirs(touching(order, stride=3), *batch)
    assert largest_difference(ours, raw) > 0.1
    assert (gap(touching(order, stride=3), *batch, raw, BLACK) > 0.1) == (order == "pool first")
    cured = theirs(with_own_inputs(touching(order, stride=3)), *batch)
    assert largest_difference(ours, cured) < 1e-9


def test_captums_deeplift_is_incomplete_for_overlapping_pools(batch):
    theirs = from_captum(ca.DeepLift, baselines=torch.zeros_like(batch[0]))
    net = with_own_inputs(touching("relu first", stride=1))
    assert gap(net, *batch, theirs(net, *batch), BLACK) > 0.1
    assert gap(net, *batch, deeplift(net, *batch, baseline=BLACK), BLACK) < 1e-10


def test_pool_multipliers_stay_between_minus_and_plus_one(batch):
    pool, x = nn.MaxPool2d(2), torch.rand(4, 3, 8, 8, dtype=torch.float64)
    slope = rescale_pool(pool, x, torch.ones(4, 3, 4, 4, dtype=torch.float64))
    assert slope.abs().max() <= 1 + 1e-12 and (slope[2:] == 0).all()


def test_bad_input_is_refused(batch):
    net, (x, target) = small_net(), batch

    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.relu = net, nn.ReLU()

        def forward(self, x):
            return self.net(nn.functional.max_pool2d(self.relu(x), 1))

    with pytest.raises(ValueError, match="MaxPool2DWithIndices"):
        deeplift(Functional().eval(), x, target, baseline=BLACK)
    for method in (plain, partial(deeplift, baseline=BLACK)):
        with pytest.raises(ValueError, match="Softmax"):
            method(nn.Sequential(net, nn.Softmax(1)).eval(), x, target)
    with pytest.raises(ValueError, match="must be positive"):
        lrp_epsilon(net, x, target, epsilon=0)
    with pytest.raises(ValueError, match="does not broadcast"):
        deeplift(net, x, target, baseline=torch.zeros(2, 2))
    with pytest.raises(ValueError, match="no sequence"):
        lrp(load("shapes_natural_100").double(), x, target, first=w_square_rule, above=w_square_rule)
    doubled = load("fashion_natural_100").double()
    doubled.forward = lambda x: 2 * doubled.layers(x).flatten(1)
    garments = fashion_mnist("test").images[:1].double(), torch.zeros(1, dtype=torch.long)
    with pytest.raises(ValueError, match="does more than its `layers`"):
        lrp(doubled, *garments, first=w_square_rule, above=w_square_rule)
    with pytest.raises(ValueError, match="no rule for Bilinear"):
        lrp(
            nn.Sequential(nn.Bilinear(2, 2, 2)).double().eval(),
            x,
            target,
            first=w_square_rule,
            above=w_square_rule,
        )
    with pytest.raises(ValueError, match="alpha - beta"):
        alpha_beta_rule(2, 2)
    with pytest.raises(ValueError, match="not for max-pooling"):
        reveal_cancel(net, x, target, baseline=BLACK)
    with pytest.raises(ValueError, match="training mode"):
        deeplift(small_net().train(), x, target, baseline=BLACK)
    with (
        pytest.raises(ValueError, match="in-place"),
        backward_rule(nn.Sequential(nn.ReLU(inplace=True)), (nn.ReLU,), None),
    ):
        pass

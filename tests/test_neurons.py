"""Laws and oracles of the credit for inner neurons."""

from functools import partial

import captum.attr as ca
import pytest
import torch
from torch import nn

from tests.conftest import BLACK, small_net
from tests.test_methods import hooks_of
from tutorial_lib import scores
from tutorial_lib.attribution.gradients import integrated_gradients
from tutorial_lib.attribution.neurons import conductance, internal_influence, pruned, region_attribution
from tutorial_lib.models.check import find_layer
from tutorial_lib.models.shapes import ResidualBlock
from tutorial_lib.scores import class_score, layer_change

CORNER = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
CORNER[..., :9, :6] = True
METHODS = {
    "internal_influence": partial(internal_influence, baseline=BLACK, steps=5),
    "conductance": partial(conductance, baseline=BLACK, steps=5),
    "region_attribution": partial(region_attribution, baseline=BLACK, region=CORNER, steps=5),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
every_layer = pytest.mark.parametrize("layer", ["0", "1", "2", "3", "4", "6"])


def total(attribution: torch.Tensor) -> torch.Tensor:
    return attribution.flatten(1).sum(1)


@every_layer
def test_region_attribution_sums_to_the_integrated_gradients_of_the_region(layer, net, batch):
    """At each step, by the chain rule: so with any number of steps."""
    neurons = region_attribution(net, *batch, baseline=BLACK, layer=layer, region=CORNER, steps=5)
    pixels = integrated_gradients(net, *batch, baseline=BLACK, steps=5)
    assert torch.allclose(total(neurons), total(pixels * CORNER), rtol=0, atol=1e-14)


def test_region_attribution_is_additive_in_the_region_and_the_whole_input_is_conductance(net, batch):
    parts = [
        region_attribution(net, *batch, baseline=BLACK, layer="1", region=region, steps=5)
        for region in (CORNER, ~CORNER)
    ]
    whole = conductance(net, *batch, baseline=BLACK, layer="1", steps=5)
    assert torch.allclose(sum(parts), whole, rtol=0, atol=1e-15) and parts[0].abs().max() > 1e-4


@every_layer
def test_conductance_sums_to_the_rise_of_the_score(layer, net, batch):
    x, target = batch
    rise = class_score(net, x, target) - class_score(net, torch.zeros_like(x), target)
    neurons = conductance(net, x, target, baseline=BLACK, layer=layer, steps=1500)
    assert torch.allclose(total(neurons), rise, rtol=2e-3)


def test_a_skip_connection_around_the_layer_carries_the_rest():
    """The sum laws hold for layers that every way to the score crosses."""
    torch.manual_seed(0)
    block = ResidualBlock(3, 3, stride=1)
    net = nn.Sequential(block, nn.AdaptiveAvgPool2d(1), nn.Flatten()).double().eval().requires_grad_(False)
    x, target = torch.rand(2, 3, 8, 8, dtype=torch.float64), torch.tensor([0, 1])
    pixels = total(integrated_gradients(net, x, target, baseline=BLACK, steps=4))

    def sum_at(layer):
        return total(conductance(net, x, target, baseline=BLACK, layer=layer, steps=4))

    assert torch.allclose(sum_at("0.add"), pixels) and not torch.allclose(sum_at("0.body"), pixels, rtol=0.1)


def test_each_neuron_is_the_definition_in_captums_neuron_conductance(net, batch):
    """Neuron by neuron, one backward pass each, with the same midpoints."""
    x, target = batch[0][:2], batch[1][:2]
    ours = region_attribution(net, x, target, baseline=BLACK, layer="3", region=CORNER, steps=8)
    oracle = ca.NeuronConductance(net, net[3])
    for neuron in [(0, 0, 0), (3, 1, 2), (11, 2, 1)]:
        theirs = oracle.attribute(
            x, neuron, baselines=torch.zeros_like(x), target=target, n_steps=8, method="riemann_middle"
        )
        assert torch.allclose(ours[:, *neuron], total(theirs * CORNER), rtol=0, atol=1e-14)


def test_captums_conductance_is_the_limit_of_many_steps(net, batch):
    """It multiplies differences of activations by the gradient at their left end."""
    x, target = batch[0][:2], batch[1][:2]
    ours = conductance(net, x, target, baseline=BLACK, layer="3", steps=2000)

    def theirs(steps):
        oracle = ca.LayerConductance(net, net[3])
        options = {"baselines": torch.zeros_like(x), "target": target, "method": "riemann_trapezoid"}
        return oracle.attribute(x, n_steps=steps, **options)

    def gap(steps):
        return ((ours - theirs(steps)).abs().max() / ours.abs().max()).item()

    assert gap(2000) < 5e-3 < 20 * gap(2000) < gap(20)


def test_captums_internal_influence_with_the_same_midpoints(net, batch):
    x, target = batch
    theirs = ca.InternalInfluence(net, net[3]).attribute(
        x, baselines=torch.zeros_like(x), target=target, n_steps=8, method="riemann_middle"
    )
    ours = internal_influence(net, x, target, baseline=BLACK, layer="3", steps=8)
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-15)


@every_method
def test_result_is_shaped_like_the_layer_and_two_calls_are_equal(method, net, batch):
    state = {k: v.clone() for k, v in net.state_dict().items()}
    neurons = method(net, *batch, layer="3")
    assert neurons.shape == (7, 12, 3, 3) and neurons.dtype == torch.float64 and not neurons.requires_grad
    assert torch.equal(neurons, method(net, *batch, layer="3")) and hooks_of(net) == 0
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
    with torch.no_grad():
        assert torch.equal(neurons, method(net, *batch, layer="3"))


@every_method
def test_a_batch_of_features_will_do(method):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)).double().eval()
    x, target = torch.rand(3, 4, dtype=torch.float64), torch.tensor([0, 1, 1])
    options = {"region": torch.tensor([True, False, False, True])} if "region" in method.keywords else {}
    assert method.func(net, x, target, baseline=torch.zeros(1), layer="1", **options).shape == (3, 6)


@every_method
def test_chunk_size_changes_nothing(method, net, batch, monkeypatch):
    reference = method(net, *batch, layer="1")
    for size in (1, 3, 100):
        monkeypatch.setattr(scores, "chunk_size", lambda x, size=size: size)
        assert (method(net, *batch, layer="1") - reference).abs().max() < 1e-12 * reference.abs().max()


@every_method
def test_gradients_flow_if_the_input_asks_for_them(method, batch):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Softplus(), nn.Conv2d(4, 5, 14), nn.Softplus(), nn.Flatten())
    x, target = batch[0][:2].clone().requires_grad_(), batch[1][:2]
    (second,) = torch.autograd.grad(method(net.double().eval(), x, target, layer="1").square().sum(), x)
    assert torch.isfinite(second).all() and second.abs().max() > 0


def test_a_step_costs_one_more_forward_pass_of_the_lower_half(net, batch):
    def passes(method, **options):
        counts = {"0": 0, "7": 0}

        def count(layer, _module, _inputs, output):
            counts[layer] += len(output)

        handles = [find_layer(net, k).register_forward_hook(partial(count, k)) for k in counts]
        method(net, *batch, baseline=BLACK, steps=9, **options)
        for handle in handles:
            handle.remove()
        return counts

    assert passes(integrated_gradients) == {"0": 63, "7": 63}
    assert passes(region_attribution, layer="1", region=CORNER) == {"0": 126, "7": 63}
    assert passes(internal_influence, layer="1") == {"0": 63, "7": 63}


def test_memory_does_not_grow_with_the_steps(net, batch):
    sizes = []
    with net[0].register_forward_hook(lambda _m, _i, output: sizes.append(len(output))):
        conductance(net, *batch, baseline=BLACK, layer="1", steps=50)
    assert max(sizes) <= scores.chunk_size(batch[0]) and sum(sizes) == 700


def test_layer_change_agrees_with_finite_differences_and_runs_nothing_above(net, batch):
    x, direction = batch[0], torch.randn(batch[0].shape, dtype=torch.float64, generator=torch.Generator())
    above = []
    with net[4].register_forward_hook(lambda *_: above.append(1)):
        change = layer_change(net, x, direction, layer=net[3])
    lower = net[:4]
    finite = (lower(x + 1e-7 * direction) - lower(x - 1e-7 * direction)) / 2e-7
    assert above == [] and torch.allclose(change, finite, rtol=0, atol=1e-6)


def test_a_layer_that_does_not_run_has_no_change(batch):
    net = small_net()
    with pytest.raises(ValueError, match="did not run"):
        layer_change(net, batch[0], batch[0], layer=nn.ReLU())
    assert hooks_of(net) == 0


def test_pruned_neurons_are_silent_inside_the_block_and_only_there(net, batch):
    x, outputs = batch[0], []
    neurons = torch.rand(12, 3, 3, generator=torch.Generator().manual_seed(0)) < 0.5
    before = net(x)
    with pruned(net, "4", neurons), net[4].register_forward_hook(lambda _m, _i, out: outputs.append(out)):
        inside = net(x)
    assert (outputs[0][:, neurons] == 0).all() and (outputs[0][:, ~neurons] > 0).any()
    assert torch.equal(net(x), before) and not torch.allclose(inside, before) and hooks_of(net) == 0
    with pytest.raises(RuntimeError, match="inside"), pruned(net, "4", neurons):
        raise RuntimeError("inside the block")
    assert hooks_of(net) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "9"}, "no layer '9'"),
        ({"baseline": 0.0}, "baseline must be a tensor"),
        ({"baseline": torch.zeros(5)}, "does not broadcast"),
        ({"steps": 0}, "at least 1"),
        ({"region": CORNER.double()}, "boolean mask"),
        ({"region": "corner"}, "boolean mask"),
        ({"region": torch.ones(1, 1, 8, 8, dtype=torch.bool)}, "does not broadcast"),
    ],
)
def test_bad_options(options, message, net, batch):
    good = {"layer": "1", "baseline": BLACK, "region": CORNER, "steps": 2}
    with pytest.raises(ValueError, match=message):
        region_attribution(net, *batch, **(good | options))
    assert hooks_of(net) == 0


def test_bad_neurons(net, batch):
    with pytest.raises(ValueError, match="boolean mask"), pruned(net, "4", torch.zeros(12, 3, 3)):
        pass
    with (
        pytest.raises(ValueError, match=r"\(12, 3, 3\)"),
        pruned(net, "4", torch.zeros(3, 3, dtype=torch.bool)),
    ):
        class_score(net, *batch)
    assert hooks_of(net) == 0

"""SmoothGrad-Squared and VarGrad: how they hang together, closed forms, and captum as the oracle."""

import captum.attr as ca
import pytest
import torch
from torch import nn

from tests.conftest import small_net
from tutorial_lib.attribution.captum_bridge import from_captum, largest_difference
from tutorial_lib.attribution.gradients import saliency, seeded, smoothgrad, squared, vargrad
from tutorial_lib.scores import input_gradient

NOISE = {"seed": 5, "sigma": 0.2, "samples": 6}


@pytest.mark.parametrize("attribute", [input_gradient, saliency])
def test_smoothgrad_squared_is_vargrad_plus_the_square_of_smoothgrad(attribute, net, batch):
    """E[A²] = Var A + (E A)² for the same copies, with the variance of the n copies themselves."""
    square = seeded(smoothgrad, attribute=squared(attribute), **NOISE)(net, *batch)
    variance = seeded(vargrad, attribute=attribute, **NOISE)(net, *batch)
    mean = seeded(smoothgrad, attribute=attribute, **NOISE)(net, *batch)
    assert torch.allclose(square, variance + mean.square(), rtol=1e-12, atol=1e-18)
    assert (variance > 0).any()


def test_vargrad_is_the_population_variance_of_the_maps(net, batch):
    x, target = batch
    generator = torch.Generator().manual_seed(5)
    copies = [x + 0.2 * torch.randn(x.shape, generator=generator, dtype=x.dtype) for _ in range(6)]
    maps = torch.stack([input_gradient(net, copy, target) for copy in copies])
    ours = seeded(vargrad, attribute=input_gradient, **NOISE)(net, x, target)
    assert largest_difference(ours, maps.var(0, correction=0)) <= 1e-12


def test_vargrad_of_a_linear_model_is_zero_and_smoothgrad_squared_its_squared_weights():
    """VarGrad sees how the gradient changes, not the gradient: of a line there is nothing to see."""
    line = nn.Sequential(nn.Flatten(), nn.Linear(12, 1)).double().eval()
    x, target = torch.rand(3, 3, 2, 2, dtype=torch.float64), torch.zeros(3, dtype=torch.long)
    weights = line[1].weight.detach().view(1, 3, 2, 2).expand(3, -1, -1, -1)
    square = seeded(smoothgrad, attribute=squared(input_gradient), **NOISE)(line, x, target)
    assert torch.allclose(square, weights.square(), rtol=1e-12)
    variance = seeded(vargrad, attribute=input_gradient, **NOISE)(line, x, target)
    assert (variance == 0).all()


def test_vargrad_of_one_unit_is_the_variance_of_its_gate():
    """S = ReLU(x): the slope is 1 with probability p = Φ(x/σ), so its variance is p(1 - p)."""
    unit = nn.Sequential(nn.Flatten(), nn.Linear(1, 1, bias=False), nn.ReLU()).double().eval()
    nn.init.ones_(unit[1].weight)
    x = torch.tensor([0.1], dtype=torch.float64).view(1, 1, 1, 1)
    p = torch.special.ndtr(x / 0.2)
    found = seeded(vargrad, seed=0, attribute=input_gradient, sigma=0.2, samples=4000)
    assert torch.allclose(found(unit, x, torch.tensor([0])), p * (1 - p), atol=0.01)


def test_without_noise_vargrad_is_zero(net, batch):
    options = {"seed": 5, "attribute": input_gradient, "sigma": 0.0, "samples": 3}
    assert seeded(vargrad, **options)(net, *batch).max() <= 1e-30


def test_a_variance_is_never_negative_in_single_precision():
    """A gradient that hardly changes: the two moments agree to the last digit or beyond."""
    model = small_net().float()
    x = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    options = {"seed": 5, "attribute": input_gradient, "sigma": 1e-4, "samples": 6}
    assert (seeded(vargrad, **options)(model, x, torch.tensor([0, 1, 2, 3])) >= 0).all()


def test_vargrad_needs_two_samples(net, batch):
    with pytest.raises(ValueError, match="at least two samples"):
        seeded(vargrad, seed=0, attribute=saliency, sigma=0.1, samples=1)(net, *batch)


@pytest.mark.parametrize(
    ("kind", "ours"),
    [
        ("smoothgrad", seeded(smoothgrad, attribute=input_gradient, **NOISE)),
        ("smoothgrad_sq", seeded(smoothgrad, attribute=squared(input_gradient), **NOISE)),
        ("vargrad", seeded(vargrad, attribute=input_gradient, **NOISE)),
    ],
)
def test_captum_computes_the_same_from_the_same_noise(kind, ours, batch):
    """Captum draws single-precision noise from the global generator: for one image the same numbers."""

    def tunnel(model):
        return ca.NoiseTunnel(ca.Saliency(model))

    model, x, target = small_net().float(), batch[0][:1].float(), batch[1][:1]
    theirs = from_captum(tunnel, nt_type=kind, nt_samples=6, stdevs=0.2, abs=False)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        assert largest_difference(ours(model, x, target), theirs(model, x, target)) <= 1e-5


def test_smoothgrad_squared_and_vargrad_spend_the_passes_of_smoothgrad(net, batch):
    for method, attribute in ((smoothgrad, squared(input_gradient)), (vargrad, input_gradient)):
        count = []
        with net.register_forward_hook(lambda _m, images, _o, count=count: count.append(len(images[0]))):
            seeded(method, attribute=attribute, **NOISE)(net, *batch)
        assert sum(count) == 7 * 6

"""Interval bounds of scores and of input gradients."""

from functools import partial

import pytest
import torch
from torch import Generator, nn

from tutorial_lib.models.fashion import FashionCNN
from tutorial_lib.models.layers import Normalise
from tutorial_lib.models.zoo import load
from tutorial_lib.robustness.attribution_attacks import softplus_twin
from tutorial_lib.robustness.certificates import Box, ball, gradient_bounds, largest_change, score_bounds
from tutorial_lib.scores import input_gradient, logits

EPSILON = 0.05
ACTIVATIONS = {"softplus": partial(nn.Softplus, 5.0), "ReLU": nn.ReLU}


def chance(number: int) -> Generator:
    return Generator().manual_seed(number)


def images(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.rand(n, 2, 9, 8, generator=chance(1), dtype=torch.float64)
    return x, torch.arange(n) % 3


def network(activation: str, *, seed: int = 0) -> nn.Sequential:
    """(N, 2, 9, 8) -> 3 scores, float64: strides that leave a rest, padding, dilation, groups, and a nested
    Sequential."""
    make = ACTIVATIONS[activation]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        lower = nn.Sequential(
            nn.Conv2d(2, 4, (3, 2), stride=(2, 3), padding=(1, 0)), make(),
            nn.Conv2d(4, 6, 2, dilation=(2, 1), groups=2), make(),
        )
        upper = [nn.Flatten(), nn.Linear(36, 7), make(), nn.Linear(7, 3)]
        model = nn.Sequential(Normalise([0.3, 0.5], [0.4, 0.2]), lower, *upper)
    return model.double().eval().requires_grad_(False)


def inside(x: torch.Tensor, draws: int) -> torch.Tensor:
    """Random points of the ball, half of them corners.  -> (draws, N, ...)"""
    u = 2 * torch.rand(draws, *x.shape, generator=chance(2), dtype=x.dtype) - 1
    u[::2] = u[::2].sign()
    return (x + EPSILON * u).clamp(0, 1)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_point_of_the_ball_leaves_the_bounds(activation):
    """10,000 points for each kind; 1e-12 is rounding."""
    x, target = images(5)
    for seed in range(5):
        model, box = network(activation, seed=seed), ball(x, epsilon=EPSILON)
        scores, slopes = score_bounds(model, box), gradient_bounds(model, box, target)
        most = largest_change(model, x, target, epsilon=EPSILON)
        here = input_gradient(model, x, target)
        for point in inside(x, 400):
            score, slope = logits(model, point), input_gradient(model, point, target)
            assert (scores.low - 1e-12 <= score).all() and (score <= scores.high + 1e-12).all()
            assert (slopes.low - 1e-12 <= slope).all() and (slope <= slopes.high + 1e-12).all()
            assert ((slope - here).flatten(1).norm(dim=1) <= most + 1e-12).all()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_ball_without_radius_leaves_no_room(activation):
    x, target = images(5)
    model, point = network(activation), Box(x, x)
    for end in score_bounds(model, point):
        assert torch.allclose(end, logits(model, x), atol=1e-13)
    for end in gradient_bounds(model, point, target):
        assert torch.allclose(end, input_gradient(model, x, target), atol=1e-13)
    assert largest_change(model, x, target, epsilon=0.0).max() < 1e-12


def test_the_bounds_of_one_softplus_layer_are_its_range():
    """softplus(w·x + b) has the gradient σ(βz) w, with z within ε‖w‖₁ of its value: the ends are reached at
    the corners x ± ε sign(w)."""
    beta, x = 3.0, 0.2 + 0.6 * torch.rand(4, 5, generator=chance(3), dtype=torch.float64)
    linear, target = nn.Linear(5, 2).double(), torch.tensor([0, 1, 0, 1])
    model = nn.Sequential(linear, nn.Softplus(beta)).eval().requires_grad_(False)
    w, reach = linear.weight[target], EPSILON * linear.weight[target].abs().sum(1)
    z = (w * x).sum(1) + linear.bias[target]
    ends = [(beta * (z + side * reach)).sigmoid()[:, None] * w for side in (-1, 1)]
    found = gradient_bounds(model, ball(x, epsilon=EPSILON), target)
    assert torch.allclose(found.low, torch.minimum(*ends), atol=1e-14)
    assert torch.allclose(found.high, torch.maximum(*ends), atol=1e-14)
    corner = input_gradient(model, x + EPSILON * w.sign(), target)
    assert torch.allclose(corner, ends[1], atol=1e-14)
    scores = score_bounds(model, ball(x, epsilon=EPSILON)).high.gather(1, target[:, None])
    assert torch.allclose(scores[:, 0], nn.functional.softplus(z + reach, beta), atol=1e-14)


def test_a_linear_model_has_one_gradient():
    x, target = images(3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 3)).double().eval().requires_grad_(False)
    low, high = gradient_bounds(model, ball(x, epsilon=EPSILON), target)
    assert torch.equal(low, high) and torch.allclose(low.flatten(1), model[1].weight[target])
    assert largest_change(model, x, target, epsilon=EPSILON).max() < 1e-12


def test_a_larger_ball_has_wider_bounds():
    x, target = images(5)
    model = network("softplus")
    sizes = [largest_change(model, x, target, epsilon=e) for e in (0.01, 0.05, 0.2)]
    assert (sizes[0] < sizes[1]).all() and (sizes[1] < sizes[2]).all()


def test_the_softplus_twin_of_a_network_of_the_book_can_be_bounded():
    twin, x = softplus_twin(load("fashion_natural_100"), beta=10.0), torch.full((1, 1, 28, 28), 0.5)
    model, target = nn.Sequential(*twin.layers, nn.Flatten()).double().eval(), torch.tensor([3])
    low, high = gradient_bounds(model, ball(x.double(), epsilon=1e-7), target)
    slope = input_gradient(model, x.double(), target)
    assert (low <= slope).all() and (slope <= high).all() and 0 < (high - low).max() < 0.1


def test_the_bounds_can_be_trained_on():
    x, target = images(4)
    model = network("softplus").requires_grad_(True)
    low, high = gradient_bounds(model, ball(x, epsilon=EPSILON), target)
    (high - low).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model[0:4].parameters())


@pytest.mark.parametrize(
    "model",
    [
        FashionCNN(),
        nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Tanh()),
        nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"), nn.Flatten()),
        nn.Sequential(nn.Flatten(), nn.Softplus(threshold=1)),
    ],
    ids=["no Sequential", "tanh", "circular", "early threshold"],
)
def test_what_cannot_be_bounded_is_refused(model):
    x = torch.rand(1, 1, 28, 28)
    with pytest.raises(ValueError, match="bounds"):
        score_bounds(model.eval(), ball(x, epsilon=0.1))


def test_images_outside_the_unit_cube_are_refused():
    with pytest.raises(ValueError, match="epsilon"):
        ball(torch.tensor([[1.5]]), epsilon=0.1)
    with pytest.raises(ValueError, match="epsilon"):
        ball(torch.tensor([[0.5]]), epsilon=-0.1)

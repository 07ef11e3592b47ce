"""How far a gradient can move at most, by a certificate, and how far an attack moves it (C136)."""

import torch
from torch import Generator, Tensor, nn

from tutorial_lib.notebook.samples import SEEDS
from tutorial_lib.robustness.certificates import ball, largest_change
from tutorial_lib.scores import input_gradient, logits, value_and_gradient

BETA, EPSILON = 5.0, 0.02
STEPS, STARTS, ROUNDING = 20, 2, 1e-9


def random_network(generator: Generator) -> nn.Sequential:
    """Normal weights, a convolution and two dense layers with softplus units: (N, 1, 12, 12) -> 4 scores."""
    model = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.Softplus(BETA), nn.Flatten(), nn.Linear(100, 16),
                          nn.Softplus(BETA), nn.Linear(16, 4)).double().eval().requires_grad_(False)
    for layer in (model[0], model[3], model[5]):
        for p in layer.parameters():
            fan = layer.weight[0].numel()
            p.copy_(torch.randn(p.shape, generator=generator, dtype=p.dtype) / fan**0.5)
    return model


def attacked_change(model: nn.Module, x: Tensor, target: Tensor, *, generator: Generator) -> Tensor:
    """The largest ‖∂S_c/∂x(x′) - ∂S_c/∂x(x)‖₂ in the ball around x that gradient ascent finds, (N,)."""
    here, (low, high), best = input_gradient(model, x, target), ball(x, epsilon=EPSILON), torch.zeros(len(x))

    def change(points: Tensor) -> Tensor:
        return (input_gradient(model, points, target) - here).flatten(1).norm(dim=1)

    for _ in range(STARTS):
        u = torch.rand(x.shape, generator=generator, dtype=x.dtype)
        points = (x + EPSILON * (2 * u - 1)).clamp(low, high)
        for _ in range(STEPS):
            _, slope = value_and_gradient(change, points)
            points = (points + 2.5 * EPSILON / STEPS * slope.sign()).clamp(low, high)
            best = torch.maximum(best, change(points))
    return best


def of_network(model: nn.Module, x: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Bound and attack over the length of the gradient, (N,) each, and whether the attack exceeds it."""
    length = input_gradient(model, x, target).flatten(1).norm(dim=1)
    bound = largest_change(model, x, target, epsilon=EPSILON)
    found = attacked_change(model, x, target, generator=Generator().manual_seed(7))
    return {"bound": bound / length, "attack": found / length, "broken": found > bound * (1 + ROUNDING)}


def random_networks(seed: int) -> dict[str, Tensor]:
    """Ten networks and ten inputs for each."""
    generator, found = Generator().manual_seed(7 + seed - SEEDS[0]), []
    for _ in range(10):
        model, x = random_network(generator), torch.rand(10, 1, 12, 12, generator=generator).double()
        found.append(of_network(model, x, logits(model, x).argmax(1)))
    return {key: torch.cat([each[key] for each in found]) for key in found[0]}

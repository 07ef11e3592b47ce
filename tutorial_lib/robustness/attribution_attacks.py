"""Attacks on a map: images on which the prediction stays and the explanation goes (paper §5.1)."""
import copy
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from tutorial_lib.attribution.gradients import smoothgrad
from tutorial_lib.attribution.hooks import RELUS
from tutorial_lib.attribution.pixels import max_over_colour
from tutorial_lib.evaluation.agreement import in_top
from tutorial_lib.evaluation.maps import check_maps
from tutorial_lib.models.layers import ReLU6
from tutorial_lib.scores import (
    Attribute,
    check_input,
    input_gradient,
    logits,
    loss_and_gradient,
    value_and_gradient,
)

Objective = Callable[[Tensor], Tensor]  # maps of pixels (N, H, W) -> what the attack lowers (N,)
Pixels = Callable[[Tensor], Tensor]  # `sum_over_colour` or `max_over_colour`


class SoftReLU(nn.ReLU):
    """log(1 + exp(βz)) / β, a ReLU without its kink: it has a second derivative. A subclass of nn.ReLU, so
    that every rule finds it; with `six`, the same for min(max(z, 0), 6)."""

    def __init__(self, beta: float, *, six: bool):
        super().__init__()
        self.beta, self.six = beta, six

    def forward(self, z: Tensor) -> Tensor:
        up = F.softplus(z, self.beta)
        return up - F.softplus(z - 6, self.beta) if self.six else up


def softplus_twin(model: nn.Module, *, beta: float) -> nn.Module:
    """A copy of `model` whose ReLUs are softplus functions of sharpness β (Dombrowski et al. 2019): close to
    it for a large β, smoother for a small one. `ValueError` for β ≤ 0 or a model without nn.ReLU."""
    names = [name for name, module in model.named_modules() if isinstance(module, RELUS)]
    if beta <= 0 or not names:
        raise ValueError(f"beta is {beta} and must be positive; the model has {len(names)} nn.ReLU modules "
                         "and needs one: without it there is nothing to smooth")
    twin = copy.deepcopy(model)
    for name in names:
        six = isinstance(twin.get_submodule(name), (nn.ReLU6, ReLU6))
        twin.set_submodule(name, SoftReLU(beta, six=six).eval())
    return twin


def mass_shares(heat: Tensor) -> Tensor:
    """|A| over its sum.  maps (N, H, W) -> (N, H, W); a map of zeros stays one"""
    heat = heat.abs()
    return heat / heat.sum((1, 2), keepdim=True).clamp_min(1e-12)


def mass_centre(heat: Tensor) -> Tensor:
    """The centre of |A| in pixels, row and column.  maps (N, H, W) -> (N, 2)"""
    share = mass_shares(heat)
    rows, columns = (torch.arange(side).to(heat) for side in heat.shape[1:])
    return torch.stack([share.sum(2) @ rows, share.sum(1) @ columns], 1)


def top_k(before: Tensor, *, k: int | Tensor) -> Objective:
    """The share of the mass that stays on the `k` pixels, a number or (N,), which are highest in the maps
    `before` (Ghorbani et al. 2019)."""
    top = in_top(before.abs().flatten(1), k=k).view_as(before).detach()
    return lambda now: (mass_shares(now) * top).sum((1, 2))


def away_from_centre(before: Tensor) -> Objective:
    """Minus the pixels that the centre of the mass has moved (Ghorbani et al. 2019)."""
    start = mass_centre(before).detach()
    return lambda now: -(mass_centre(now) - start).norm(dim=1)


def towards(wanted: Tensor) -> Objective:
    """Squared distance to the maps `wanted`, both as shares of their mass, times the number of pixels
    (Dombrowski et al. 2019)."""
    share = mass_shares(wanted).detach()
    return lambda now: (mass_shares(now) - share).square().sum((1, 2)) * share[0].numel()


def attack_map(
    method: Attribute, model: nn.Module, x: Tensor, target: Tensor, *, objective: Objective, pixels: Pixels,
    epsilon: float, iterations: int = 40, beta: float = 30.0, generator: Generator,
) -> Tensor:
    """Images (N, C, H, W) in [0, 1] within l∞ `epsilon` of x, of the class predicted at x, on which the map
    of `method`, reduced by `pixels`, has the lowest `objective` found (Ghorbani et al. 2019).

    Random start; steps that shrink evenly from ε to ε / iterations, down the sign of the gradient of the
    softplus twin's objective, or back to the prediction where it was lost. What counts is the objective on
    `model` itself; x is returned where no point is better. Memory grows with the images. `ValueError` for
    ε ≤ 0, no iterations, x outside [0, 1], or a map that is not finite or not differentiable.
    """
    check_input(model, x, target)
    if epsilon <= 0 or iterations < 1 or not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(f"epsilon {epsilon} and iterations {iterations} must be positive, x in [0, 1]")
    twin, decision = softplus_twin(model, beta=beta), logits(model, x).argmax(1)
    low, high = (x - epsilon).clamp(0, 1), (x + epsilon).clamp(0, 1)
    best, least = x, objective(_pixel_map(method, pixels, model, x, target))
    u = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=generator.device).to(x.device)
    y = (x + epsilon * (2 * u - 1)).clamp(low, high)
    kept = logits(model, y).argmax(1) == decision
    for left in range(iterations, 0, -1):
        _, slope = value_and_gradient(lambda z: objective(pixels(method(twin, z, target))), y)
        if not kept.all():
            slope[~kept] = loss_and_gradient(model, y[~kept], decision[~kept])[1]
        y = (y - left / iterations * epsilon * slope.sign()).clamp(low, high)
        kept = logits(model, y).argmax(1) == decision
        value = objective(_pixel_map(method, pixels, model, y, target))
        better = kept & (value < least)
        best, least = y.where(better.view(-1, 1, 1, 1), best), value.where(better, least)
    return best


def _pixel_map(method: Attribute, pixels: Pixels, model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    a = method(model, x, target).detach()
    check_maps({"attacked": a}, x.shape)
    return pixels(a)


def locally_smoothed(
    model: nn.Module, x: Tensor, target: Tensor, *, sigma: float, penalty: float, samples: int = 16,
    generator: Generator,
) -> Tensor:
    """The map A that fits the gradients of noisy copies of x best, ½ E‖∂S_c/∂x(x + ε) - A‖² + λ‖A‖₁, in
    absolute values: the mean gradient, less λ and not below 0; an analogue of Lim et al. (2021).

    `sigma` of the noise in pixel units, the size of the neighbourhood; λ is `penalty` times the mean absolute
    value of each mean gradient, at least 0, so that the map does not depend on the unit of the score.
    """
    if penalty < 0:
        raise ValueError(f"the penalty is {penalty}; it must be at least 0")
    mean = smoothgrad(model, x, target, attribute=input_gradient, sigma=sigma, samples=samples,
                      generator=generator).abs()
    return (mean - penalty * mean.mean((1, 2, 3), keepdim=True)).clamp(min=0)


def with_moved_saliency(
    model: nn.Module, x: Tensor, target: Tensor, *, away: Tensor, onto: Tensor, steps: int = 60,
    batch: int = 24, generator: Generator,
) -> nn.Module:
    """An attack on the model: a copy with nearly the same scores at x whose saliency has left the pixels
    `away` (N, H, W) for the pixels `onto` (Heo et al. 2019).

    Adam, rate 0.001, on 10 times the share of the mass that is away less that on its goal, plus a tenth of
    the squared change of the scores. `ValueError` for masks that do not fit the images.
    """
    check_input(model, x, target)
    if not away.shape == onto.shape == (len(x), *x.shape[2:]):
        raise ValueError(f"masks {tuple(away.shape)} and {tuple(onto.shape)} must both be (N, H, W) of "
                         f"{tuple(x.shape)}")
    moved, wanted = copy.deepcopy(model).requires_grad_(True), logits(model, x)
    weights = away.to(x) - onto.to(x)
    optimiser = torch.optim.Adam(moved.parameters(), lr=1e-3)
    for _ in range(steps):
        i = torch.randint(len(x), (batch,), generator=generator, device=generator.device).to(x.device)
        images = x[i].detach().requires_grad_()
        heat = mass_shares(max_over_colour(input_gradient(moved, images, target[i]).abs()))
        loss = 10 * (heat * weights[i]).sum((1, 2)).mean() + 0.1 * F.mse_loss(moved(images), wanted[i])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return moved.requires_grad_(False)

"""Methods made of the input gradient (paper §3.1).

Each is `method(model, x, target, *, options) -> map`, the map shaped like `x`; signed unless its
formula takes an absolute value.
"""
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from tutorial_lib.attribution.hooks import activation_rule, activation_slope
from tutorial_lib.scores import Attribute, check_input, chunk_size, input_gradient, mean_map


def saliency(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """|∂S_c/∂x| (paper §3.1; Simonyan et al. 2014)."""
    return input_gradient(model, x, target).abs()


def gradient_x_input(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """x ⊙ ∂S_c/∂x (paper §3.1; Shrikumar et al. 2016). Its silent baseline is black."""
    return x * input_gradient(model, x, target)


def deconvnet(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """The signal that reaches x if each ReLU passes what is positive in the *signal*, whatever its
    input was (paper §3.1; Zeiler & Fergus 2014). Max-pooling routes to the winner."""
    with activation_rule(model, lambda _relu, _z, signal: signal.clamp(min=0)):
        return input_gradient(model, x, target)


def guided_backprop(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """The signal that reaches x if each ReLU passes it where both it and the ReLU's input are
    positive (paper §3.1; Springenberg et al. 2015)."""
    with activation_rule(model, lambda relu, z, signal: activation_slope(relu, z) * signal.clamp(min=0)):
        return input_gradient(model, x, target)


def smoothgrad(
    model: nn.Module, x: Tensor, target: Tensor, *, attribute: Attribute, sigma: float,
    samples: int = 32, generator: torch.Generator,
) -> Tensor:
    """(1/n) Σ A(x + ε), ε ~ N(0, σ²): the mean of the map `attribute` over noisy copies
    (paper §3.1; Smilkov et al. 2017). The paper's A is `saliency`; `input_gradient` keeps signs.

    `sigma` in pixel units; all noise comes from `generator`, for the whole batch sample by sample.
    """
    check_input(model, x, target)
    if sigma < 0 or samples < 1:
        raise ValueError(f"sigma must be ≥ 0 and samples ≥ 1, not {sigma} and {samples}")

    def copies() -> Iterator[Tensor]:
        for _ in range(samples):
            noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device)
            yield x + sigma * noise.to(x.device)

    return mean_map(attribute, model, copies(), target)


def squared(attribute: Attribute) -> Attribute:
    """A² entry by entry. SmoothGrad of it is SmoothGrad-Squared (Hooker et al. 2019)."""
    return lambda model, x, target: attribute(model, x, target).square()


def vargrad(
    model: nn.Module, x: Tensor, target: Tensor, *, attribute: Attribute, sigma: float,
    samples: int = 32, generator: torch.Generator,
) -> Tensor:
    """(1/n) Σ A(x + ε)² - ((1/n) Σ A(x + ε))²: the variance of the map `attribute` over the noisy copies
    of `smoothgrad` (Adebayo et al. 2018). 0 where the map does not change, however large it is."""
    if samples < 2:
        raise ValueError(f"a variance needs at least two samples, not {samples}")

    first = []

    def moments(model: nn.Module, copies: Tensor, target: Tensor) -> Tensor:
        maps = attribute(model, copies, target).unflatten(0, (-1, len(x)))
        if not first:
            first.append(maps[0])
        change = (maps - first[0]).flatten(0, 1)  # no digits cancel, and what is constant has variance 0
        return torch.stack([change, change.square()], -1)

    options = {"attribute": moments, "sigma": sigma, "samples": samples, "generator": generator}
    mean, mean_square = smoothgrad(model, x, target, **options).unbind(-1)
    return (mean_square - mean.square()).clamp(min=0)  # rounding can leave a variance below 0


def integrated_gradients(
    model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor, steps: int = 64
) -> Tensor:
    """(x - x̂) ⊙ ∫₀¹ ∂S_c/∂x (x̂ + α(x - x̂)) dα by the midpoint rule
    (paper §3.1; Sundararajan et al. 2017). `baseline` broadcasts to `x`, in pixel units."""
    check_input(model, x, target)
    baseline = check_baseline(x, baseline)
    return (x - baseline) * mean_on_path(input_gradient, model, x, target, baseline=baseline, steps=steps)


def mean_on_path(
    attribute: Attribute, model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor, steps: int
) -> Tensor:
    """Mean of `attribute`'s maps at the midpoints of `steps` equal parts of the straight path from
    `baseline`, expanded to `x`, to `x`."""
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    path = (baseline + (k + 0.5) / steps * (x - baseline) for k in range(steps))
    return mean_map(attribute, model, path, target)


def expected_gradients(
    model: nn.Module, x: Tensor, target: Tensor, *, baselines: Tensor, generator: torch.Generator
) -> Tensor:
    """Mean of (x - x̂) ⊙ ∂S_c/∂x(x̂ + α(x - x̂)) over `baselines` x̂ (K, C, H, W) and a random α for each:
    integrated gradients from the baselines' distribution (Erion et al. 2021), in K passes."""
    check_input(model, x, target)
    baselines = torch.stack([check_baseline(x[:1], baseline) for baseline in baselines])
    shape = (len(baselines), len(x), *[1] * (x.ndim - 1))
    alphas = torch.rand(shape, generator=generator, dtype=x.dtype).to(x.device)
    size, total = max(1, chunk_size(x) // len(x)), torch.zeros_like(x)
    for start, alpha in zip(baselines.split(size), alphas.split(size), strict=True):
        points = start + alpha * (x - start)
        slopes = input_gradient(model, points.flatten(0, 1), target.repeat(len(start)))
        total = total + ((x - start) * slopes.view_as(points)).sum(0)
    return total / len(baselines)


def check_baseline(x: Tensor, baseline: Tensor) -> Tensor:
    """`baseline` expanded to `x`; `ValueError` if it is no tensor or cannot be broadcast."""
    if not isinstance(baseline, Tensor):
        raise ValueError("the baseline must be a tensor in pixel units: torch.zeros_like(x) is black")
    try:
        return baseline.to(x).expand_as(x)
    except RuntimeError as error:
        raise ValueError(
            f"a baseline of shape {tuple(baseline.shape)} does not broadcast to x, {tuple(x.shape)}"
        ) from error


def seeded(method, *, seed: int, **options) -> Attribute:
    """`method` with its options bound and a fresh generator at each call, so that the same call
    gives the same map (a generator that lives on would make the method impure)."""
    def attribute(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
        return method(model, x, target, generator=torch.Generator().manual_seed(seed), **options)

    return attribute

"""Methods made of the input gradient (paper §3.1).

Each is `method(model, x, target, *, options) -> map`, the map shaped like `x`; signed unless its
formula takes an absolute value.
"""
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from tutorial_lib.attribution.hooks import activation_rule, activation_slope
from tutorial_lib.scores import Attribute, check_input, input_gradient, mean_map


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


def integrated_gradients(
    model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor, steps: int = 64
) -> Tensor:
    """(x - x̂) ⊙ ∫₀¹ ∂S_c/∂x (x̂ + α(x - x̂)) dα by the midpoint rule
    (paper §3.1; Sundararajan et al. 2017). `baseline` broadcasts to `x`, in pixel units."""
    check_input(model, x, target)
    baseline = check_baseline(x, baseline)
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    path = (baseline + (k + 0.5) / steps * (x - baseline) for k in range(steps))
    return (x - baseline) * mean_map(input_gradient, model, path, target)


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

"""Relevance handed down layer by layer (paper Eq. 2), with a rule for each linear layer.

For networks that are one sequence of layers. A rule takes a linear layer, its input a and the relevance
above, and returns the relevance below, shaped like a.
"""
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp
from torch.nn import functional as F

from tutorial_lib.attribution.gradients import check_baseline
from tutorial_lib.attribution.hooks import ELEMENTWISE, POOLS
from tutorial_lib.attribution.propagation import stabilised
from tutorial_lib.models.layers import Normalise
from tutorial_lib.scores import check_input

LayerRule = Callable[[nn.Module, Tensor, Tensor], Tensor]
_WEIGHTED = (nn.Linear, nn.Conv2d)
_MEANS = (nn.AvgPool2d, nn.AdaptiveAvgPool2d)
_UNCHANGED = (*ELEMENTWISE, nn.Flatten, nn.Identity, nn.Dropout, Normalise)


def lrp(model: nn.Module, x: Tensor, target: Tensor, *, first: LayerRule, above: LayerRule) -> Tensor:
    """Layer-wise relevance propagation (paper §3.2; Bach et al. 2015) of the score, by the rule `first` at
    the lowest layer with weights and `above` at all others; activations hand relevance through,
    max-pooling to the winner. A normalisation hands it through too, so relevance is measured from its mean
    (`lrp_epsilon` measures from black). `model` is an nn.Sequential or has one called `layers`;
    `ValueError` for other layers."""
    check_input(model, x, target)
    layers, inputs = _sequence(model, x), [x]
    for layer in layers:
        inputs.append(layer(inputs[-1]))
    scores = inputs.pop()
    relevance = scores * F.one_hot(target, scores.shape[1]).to(x).view(scores.shape)
    lowest = next(layer for layer in layers if isinstance(layer, _WEIGHTED))
    for layer, a in zip(reversed(layers), reversed(inputs), strict=True):
        if isinstance(layer, _WEIGHTED):
            relevance = (first if layer is lowest else above)(layer, a, relevance)
        elif isinstance(layer, _MEANS):
            relevance = _share(layer, a, relevance)
        elif isinstance(layer, POOLS):
            relevance = vjp(layer, a)[1](relevance)[0]
        relevance = relevance.view(a.shape)
    return relevance


def _sequence(model: nn.Module, x: Tensor) -> list[nn.Module]:
    """The layers of the model, which must be all that it does; it is tried on the first image."""
    layers = getattr(model, "layers", model)
    if not isinstance(layers, nn.Sequential):
        raise ValueError("the model is no sequence of layers: pass an nn.Sequential, or use lrp_epsilon")
    for layer in layers:
        if not isinstance(layer, _WEIGHTED + _MEANS + POOLS + _UNCHANGED):
            raise ValueError(f"no rule for {type(layer).__name__}; layers are linear, activations or pools")
    with torch.no_grad():
        whole, parts = model(x[:1]), layers(x[:1])
    if not torch.allclose(whole.flatten(), parts.flatten(), rtol=1e-4, atol=1e-5):
        raise ValueError("the model does more than its `layers`: pass an nn.Sequential, or use lrp_epsilon")
    return list(layers)


def _share(forward: Callable[[Tensor], Tensor], a: Tensor, r: Tensor, epsilon: float = 1e-9) -> Tensor:
    """a ⊙ forwardᵀ(r / z) with z = forward(a), stabilised."""
    z, transpose = vjp(forward, a)
    return a * transpose(r / stabilised(z, epsilon))[0]


def _apply(layer: nn.Module, a: Tensor, change: Callable[[Tensor], Tensor], *, bias: bool) -> Tensor:
    """The layer with `change` applied to its parameters, the bias kept or left out."""
    kept = {name: change(p) if bias or name != "bias" else 0 * p for name, p in layer.named_parameters()}
    return functional_call(layer, kept, (a,))


def epsilon_rule(epsilon: float, *, bias: bool) -> LayerRule:
    """r_j = Σ_k a_j θ_jk / (z_k + ε sign z_k) r_k, the `bias` in z_k or not (paper Eq. 2)."""
    return lambda layer, a, r: _share(
        lambda a: _apply(layer, a, lambda w: w, bias=bias), a, r, epsilon
    )


def gamma_rule(gamma: float) -> LayerRule:
    """θ + γ θ⁺ in the place of θ, the bias too: what speaks for the unit counts more
    (Montavon et al. 2019)."""
    return lambda layer, a, r: _share(
        lambda a: _apply(layer, a, lambda w: w + gamma * w.clamp(min=0), bias=True), a, r
    )


def alpha_beta_rule(alpha: float, beta: float) -> LayerRule:
    """α times the shares in the positive contributions less β times those in the negative ones, biases
    left out (Bach et al. 2015); α = 1, β = 0 is the z⁺ rule of deep Taylor decomposition."""
    if abs(alpha - beta - 1) > 1e-9:
        raise ValueError(f"alpha - beta must be 1 to conserve relevance; {alpha} - {beta} is not")

    def rule(layer: nn.Module, a: Tensor, r: Tensor) -> Tensor:
        return alpha * _signed_share(layer, a, r, 1) - beta * _signed_share(layer, a, r, -1)

    return rule


def _signed_share(layer: nn.Module, a: Tensor, r: Tensor, sign: int) -> Tensor:
    """Shares in Σ_j (a_j θ_jk)⁺ for sign = 1, in Σ_j (a_j θ_jk)⁻ for sign = -1."""
    def contributions(above: Tensor, below: Tensor) -> Tensor:
        same, other = (lambda w: sign * (sign * w).clamp(min=0)), (lambda w: sign * (sign * w).clamp(max=0))
        return _apply(layer, above, same, bias=False) + _apply(layer, below, other, bias=False)

    above, below = a.clamp(min=0), a.clamp(max=0)
    z, transpose = vjp(contributions, above, below)
    to_above, to_below = transpose(r / stabilised(z, 1e-9))
    return above * to_above + below * to_below


def w_square_rule(layer: nn.Module, a: Tensor, r: Tensor) -> Tensor:
    """Relevance in proportion to θ²: for a first layer with unbounded inputs (Montavon et al. 2017)."""
    return _share(lambda a: _apply(layer, a, torch.square, bias=False), torch.ones_like(a), r)


def z_box_rule(low: Tensor, high: Tensor) -> LayerRule:
    """Deep Taylor's rule for a first layer whose inputs lie in the box [low, high], which broadcast to
    them, in the units of that layer (Montavon et al. 2017)."""
    def rule(layer: nn.Module, a: Tensor, r: Tensor) -> Tensor:
        def contributions(a: Tensor, low: Tensor, high: Tensor) -> Tensor:
            return (
                _apply(layer, a, lambda w: w, bias=False)
                - _apply(layer, low, lambda w: w.clamp(min=0), bias=False)
                - _apply(layer, high, lambda w: w.clamp(max=0), bias=False)
            )

        points = (a, low.to(a).expand_as(a), high.to(a).expand_as(a))
        z, transpose = vjp(contributions, *points)
        return sum(p * back for p, back in zip(points, transpose(r / stabilised(z, 1e-9)), strict=True))

    return rule


def reveal_cancel(model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor) -> Tensor:
    """DeepLIFT, RevealCancel rule (Shrikumar et al. 2017): positive and negative contributions to a unit
    get multipliers of their own, so that what cancels is seen. `model` as for `lrp`, without pooling by
    maximum; `baseline` broadcasts to `x`, in pixel units."""
    check_input(model, x, target)
    baseline, layers = check_baseline(x, baseline), _sequence(model, x)
    if any(isinstance(layer, POOLS) for layer in layers):
        raise ValueError("RevealCancel is defined for activations, not for max-pooling")

    def walk(up: Tensor, down: Tensor) -> Tensor:
        reference = baseline
        for layer in layers:
            step = _through_activation if isinstance(layer, ELEMENTWISE) else _through_linear
            up, down = step(layer, reference, up, down)
            reference = layer(reference)
        return (up + down).flatten(1).gather(1, target[:, None]).sum()

    up, down = (x - baseline).clamp(min=0), (x - baseline).clamp(max=0)
    rise, transpose = vjp(walk, up, down)
    to_up, to_down = transpose(torch.ones_like(rise))
    return up * to_up + down * to_down


def _through_linear(layer: nn.Module, _reference: Tensor, up: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
    """The positive and the negative contributions to each output."""
    if not isinstance(layer, _WEIGHTED):
        still = layer(torch.zeros_like(up))
        return layer(up) - still, layer(down) - still
    more = partial(_apply, layer, change=lambda w: w.clamp(min=0), bias=False)
    less = partial(_apply, layer, change=lambda w: w.clamp(max=0), bias=False)
    return more(up) + less(down), more(down) + less(up)


def _through_activation(
    f: nn.Module, reference: Tensor, up: Tensor, down: Tensor
) -> tuple[Tensor, Tensor]:
    """Each half times its own Δf/Δz: the mean of what it adds first, and of what it adds second."""
    u, d = up.detach(), down.detach()
    both, none = f(reference + u + d), f(reference)
    y_up = (f(reference + u) - none + both - f(reference + d)) / 2
    y_down = (f(reference + d) - none + both - f(reference + u)) / 2
    slopes = [torch.where(z == 0, 0, y / z.masked_fill(z == 0, 1)) for y, z in ((y_up, u), (y_down, d))]
    return up * slopes[0], down * slopes[1]

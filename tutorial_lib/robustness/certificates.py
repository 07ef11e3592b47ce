"""Certificates by interval arithmetic: what the scores of a network, and their gradient, cannot leave.

Intervals go through the layers (Gowal et al. 2018), and back again for the gradient (Wicker et al. 2023). The
bounds hold for exact arithmetic, up to rounding; PyTorch can differentiate them, so one can train on them.
"""
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tutorial_lib.models.layers import Normalise
from tutorial_lib.robustness.attribution_attacks import SoftReLU
from tutorial_lib.scores import check_input, input_gradient


class Box(NamedTuple):
    """All tensors between `low` and `high`, entry by entry."""

    low: Tensor
    high: Tensor


def ball(x: Tensor, *, epsilon: float) -> Box:
    """The images of [0, 1] within l∞ ε of x; `ValueError` for ε < 0 or x outside [0, 1]."""
    if epsilon < 0 or not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(f"epsilon is {epsilon} and must be at least 0, x must lie in [0, 1]")
    return Box((x - epsilon).clamp(min=0), (x + epsilon).clamp(max=1))


def score_bounds(model: nn.Sequential, box: Box) -> Box:
    """Between which numbers each score lies for all inputs of the `box`, (N, K); exact for a linear model.
    `ValueError` for a layer other than Linear, Conv2d, Flatten, Normalise, ReLU or a softplus."""
    for layer in _layers(model):
        box = _forward(layer, box)
    return box


def gradient_bounds(model: nn.Sequential, box: Box, target: Tensor) -> Box:
    """Between which numbers each entry of ∂S_c/∂x lies for all inputs of the `box`, shaped like x; exact for
    a linear model and for softplus(w·x + b). Layers and `ValueError` as in `score_bounds`."""
    layers, inputs = list(_layers(model)), [box]
    for layer in layers:
        inputs.append(_forward(layer, inputs[-1]))
    one = F.one_hot(target, inputs[-1].low.shape[1]).to(box.low)
    signal = Box(one, one)
    for layer, before in zip(layers[::-1], inputs[-2::-1], strict=True):
        signal = _backward(layer, before, signal)
    return signal


def largest_change(model: nn.Sequential, x: Tensor, target: Tensor, *, epsilon: float) -> Tensor:
    """A number (N,) that ‖∂S_c/∂x(x′) - ∂S_c/∂x(x)‖₂ cannot exceed for any x′ in the `ball` around x."""
    check_input(model, x, target)
    low, high = gradient_bounds(model, ball(x, epsilon=epsilon), target)
    here = input_gradient(model, x, target)
    return torch.maximum(high - here, here - low).flatten(1).norm(dim=1)


def _layers(model: nn.Module) -> Iterator[nn.Module]:
    if not isinstance(model, nn.Sequential):
        raise ValueError(f"bounds need an nn.Sequential, not {type(model).__name__}: "
                         "nn.Sequential(*model.layers, nn.Flatten()) makes one of a FashionCNN")
    for layer in model:
        if isinstance(layer, nn.Sequential):
            yield from _layers(layer)
        elif isinstance(layer, (nn.Linear, nn.Flatten, Normalise)) or _is_convolution(layer) or _beta(layer):
            yield layer
        else:
            raise ValueError(f"no bounds for {layer}: use Linear, Conv2d (padded by zeros), Flatten, "
                             "Normalise, ReLU, Softplus or SoftReLU")


def _is_convolution(layer: nn.Module) -> bool:
    padded = isinstance(layer, nn.Conv2d) and not isinstance(layer.padding, str)
    return padded and layer.padding_mode == "zeros"


def _beta(layer: nn.Module) -> float:
    """The sharpness of a softplus, infinite for a ReLU, 0 for any other layer."""
    if isinstance(layer, nn.Softplus) and layer.threshold < 20:
        return 0.0  # it bends where the slope is not yet 1
    if isinstance(layer, nn.Softplus) or (isinstance(layer, SoftReLU) and not layer.six):
        return float(layer.beta)
    return float("inf") if type(layer) is nn.ReLU else 0.0


def _forward(layer: nn.Module, box: Box) -> Box:
    if not isinstance(layer, (nn.Linear, nn.Conv2d)):
        return Box(layer(box.low), layer(box.high))  # no entry falls where an input rises
    middle, reach = layer((box.low + box.high) / 2), (box.high - box.low) / 2
    if isinstance(layer, nn.Linear):
        reach = F.linear(reach, layer.weight.abs())
    else:
        geometry = (layer.stride, layer.padding, layer.dilation, layer.groups)
        reach = F.conv2d(reach, layer.weight.abs(), None, *geometry)
    return Box(middle - reach, middle + reach)


def _backward(layer: nn.Module, before: Box, signal: Box) -> Box:
    """The bounds of the signal below a layer, from those above it and those of the layer's input."""
    if isinstance(layer, nn.Flatten):
        return Box(*(end.view_as(before.low) for end in signal))
    if isinstance(layer, Normalise):
        return Box(*(end / layer.std for end in signal))
    if isinstance(layer, (nn.Linear, nn.Conv2d)):
        middle, reach = (signal.low + signal.high) / 2, (signal.high - signal.low) / 2
        middle = _transposed(layer, layer.weight, middle, before.low)
        reach = _transposed(layer, layer.weight.abs(), reach, before.low)
        return Box(middle - reach, middle + reach)
    least, most = (_slope(layer, end) for end in before)
    return Box(signal.low * torch.where(signal.low >= 0, least, most),
               signal.high * torch.where(signal.high >= 0, most, least))


def _slope(layer: nn.Module, z: Tensor) -> Tensor:
    """f′(z) of a ReLU or a softplus: it never falls."""
    return (z > 0).to(z) if type(layer) is nn.ReLU else (_beta(layer) * z).sigmoid()


def _transposed(layer: nn.Module, weight: Tensor, signal: Tensor, like: Tensor) -> Tensor:
    if isinstance(layer, nn.Linear):
        return F.linear(signal, weight.T)
    sides = zip(like.shape[2:], signal.shape[2:], layer.stride, layer.padding, layer.dilation,
                layer.kernel_size, strict=True)
    rest = [n - ((m - 1) * s - 2 * p + d * (k - 1) + 1) for n, m, s, p, d, k in sides]
    geometry = (layer.stride, layer.padding, rest, layer.groups, layer.dilation)
    return F.conv_transpose2d(signal, weight, None, *geometry)

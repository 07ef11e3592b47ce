"""Credit for inner neurons (Lundstrom et al. 2022; Dhamdhere et al. 2019; Leino et al. 2018).

A neuron is one entry of a layer's output A, for images one channel at one place. These functions return
a tensor shaped like A, one number for each neuron: no maps of the input.
"""
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from tutorial_lib.attribution.gradients import check_baseline, mean_on_path
from tutorial_lib.models.check import find_layer
from tutorial_lib.scores import check_input, layer_change, layer_gradient


def internal_influence(
    model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor, layer: str, steps: int = 64
) -> Tensor:
    """∫₀¹ ∂S_c/∂A (x̂ + α(x - x̂)) dα by the midpoint rule (Leino et al. 2018), shaped like the output A
    of `layer`: a mean slope, so its sum over the neurons means nothing."""
    check_input(model, x, target)
    inner, baseline = find_layer(model, layer), check_baseline(x, baseline)

    def slope(model: nn.Module, points: Tensor, target: Tensor) -> Tensor:
        return layer_gradient(model, points, target, layer=inner)[1]

    return mean_on_path(slope, model, x, target, baseline=baseline, steps=steps)


def region_attribution(
    model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor, layer: str, region: Tensor,
    steps: int = 64,
) -> Tensor:
    """∫₀¹ ∂S_c/∂A ⊙ (Σ_{i in region} (x_i - x̂_i) ∂A/∂x_i) dα by the midpoint rule (Lundstrom et al. 2022),
    shaped like the output A of `layer`: what each neuron passes on of the integrated gradients of the
    `region`, a boolean mask that broadcasts to `x`. Its sum over the neurons is their sum over the region,
    if every way from `x` to the score leads through the layer (a skip connection around it takes its part).

    A step costs one pass of integrated gradients and one more forward pass up to the layer.
    """
    check_input(model, x, target)
    inner, baseline = find_layer(model, layer), check_baseline(x, baseline)
    direction = (x - baseline) * _check_region(x, region)

    def passed_on(model: nn.Module, points: Tensor, target: Tensor) -> Tensor:
        gradient = layer_gradient(model, points, target, layer=inner)[1]
        along = direction.repeat(len(points) // len(x), *[1] * (x.ndim - 1))
        return gradient * layer_change(model, points, along, layer=inner)

    return mean_on_path(passed_on, model, x, target, baseline=baseline, steps=steps)


def conductance(
    model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor, layer: str, steps: int = 64
) -> Tensor:
    """`region_attribution` of the whole input (Dhamdhere et al. 2019), shaped like the output of `layer`;
    under the same condition its sum over the neurons is S_c(x) - S_c(x̂)."""
    everything = x.new_ones((), dtype=torch.bool)
    return region_attribution(
        model, x, target, baseline=baseline, layer=layer, region=everything, steps=steps
    )


@contextmanager
def pruned(model: nn.Module, layer: str, neurons: Tensor) -> Iterator[None]:
    """Inside the block the `neurons` of `layer`, a boolean mask (channels, h, w), give 0 for every image;
    `ValueError` if the mask does not fit the layer's output."""
    if neurons.dtype != torch.bool:
        raise ValueError(f"neurons must be a boolean mask, not {neurons.dtype}: take scores > limit")

    def cut(_layer, _inputs, output):
        if output.shape[1:] != neurons.shape:
            raise ValueError(
                f"a mask of shape {tuple(neurons.shape)} does not fit the neurons of layer {layer!r}, "
                f"{tuple(output.shape[1:])}"
            )
        return output.masked_fill(neurons, 0)

    with find_layer(model, layer).register_forward_hook(cut):
        yield


def _check_region(x: Tensor, region: Tensor) -> Tensor:
    if not isinstance(region, Tensor) or region.dtype != torch.bool:
        raise ValueError("the region must be a boolean mask over x: torch.zeros_like(x).bool() is empty")
    try:
        return region.to(x.device).expand_as(x)
    except RuntimeError as error:
        raise ValueError(
            f"a region of shape {tuple(region.shape)} does not broadcast to x, {tuple(x.shape)}"
        ) from error

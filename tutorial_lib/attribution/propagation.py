"""Attribution by one backward pass with other slopes (paper §3.2; Ancona et al. 2018).

In the place of an activation's derivative f′(z) stands f(z)/z (LRP) or Δf/Δz (DeepLIFT).
"""
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tutorial_lib.attribution.gradients import check_baseline
from tutorial_lib.attribution.hooks import (
    ELEMENTWISE,
    POOLS,
    activation_rule,
    activation_slope,
    backward_rule,
)
from tutorial_lib.scores import check_input, input_gradient

_SOFTMAX = ("Softmax", "LogSoftmax")
_POOLING = ("MaxPool2DWithIndices", "MaxPool3DWithIndices")
_SMALLEST_STEP = 1e-8


def stabilised(z: Tensor, epsilon: float | Tensor) -> Tensor:
    """z + ε sign(z), with sign(0) = +1, so that nothing is divided by zero."""
    return z + epsilon * torch.where(z >= 0, 1.0, -1.0).to(z)


def lrp_epsilon(model: nn.Module, x: Tensor, target: Tensor, *, epsilon: float) -> Tensor:
    """ε-LRP (paper Eq. 2; Bach et al. 2015) in the form of Ancona et al. (2018): x times a backward pass
    with the slopes f(z)/(z + ε sign z). z includes the bias; the score, which has no activation, is not
    stabilised; max-pooling routes to the winner. `ValueError` for ε ≤ 0 or a soft-max: explain logits."""
    if epsilon <= 0:
        raise ValueError(f"epsilon is {epsilon}; it must be positive, for example 1e-6")

    def ratio(activation: nn.Module, z: Tensor, signal: Tensor) -> Tensor:
        return activation.forward(z) / stabilised(z, epsilon) * signal

    with activation_rule(model, ratio, kinds=ELEMENTWISE, also=_SOFTMAX):
        return x * input_gradient(model, x, target)


class _Beside(nn.Module):
    """The model on images and references that are stacked along the channels; the images' scores."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, both: Tensor) -> Tensor:
        return self.model(torch.cat(both.chunk(2, dim=1))).chunk(2)[0]


def deeplift(model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor) -> Tensor:
    """DeepLIFT, Rescale rule (paper §3.2; Shrikumar et al. 2017): (x - x̂) times a backward pass with the
    slopes Δf/Δz between the images and their `baseline`, which broadcasts to `x`, in pixel units.

    Complete also where max-pooling and activations touch; not where units are multiplied, since a product
    sends back its plain gradient. `ValueError` for a functional activation or pooling, and for a soft-max.
    """
    check_input(model, x, target)
    baseline = check_baseline(x, baseline)
    with (
        backward_rule(model, POOLS, rescale_pool),
        activation_rule(model, rescale, kinds=ELEMENTWISE, also=(*_SOFTMAX, *_POOLING)),
    ):
        both = torch.cat([x, baseline], dim=1)
        multipliers = input_gradient(_Beside(model).eval(), both, target).chunk(2, dim=1)[0]
    return (x - baseline) * multipliers


def rescale(activation: nn.Module, z: Tensor, signal: Tensor) -> Tensor:
    """Δf/Δz times the signal, for images and references stacked along the batch; where they are equal,
    f′. The references send nothing back."""
    (z, z_reference), (signal, _) = z.chunk(2), signal.chunk(2)
    step = z - z_reference
    flat = step.abs() < _SMALLEST_STEP
    rise = activation.forward(z) - activation.forward(z_reference)
    slope = torch.where(flat, activation_slope(activation, z), rise / step.masked_fill(flat, 1.0))
    return torch.cat([slope * signal, torch.zeros_like(signal)])


def rescale_pool(pool: nn.Module, z: Tensor, signal: Tensor) -> Tensor:
    """The same for max-pooling: an output's rise goes to the winner at the image, its fall to the winner at
    the reference, so that it adds up. Of several winners the first gets it."""
    (z, z_reference), (signal, _) = z.chunk(2), signal.chunk(2)
    (y, winner), (y_reference, winner_before) = _pooled(pool, z), _pooled(pool, z_reference)
    place, step = torch.where(y > y_reference, winner, winner_before), z - z_reference
    moved = torch.zeros_like(z).flatten(2).scatter_add(
        2, place.flatten(2), (signal * (y - y_reference)).flatten(2)
    )
    slope = moved.view_as(z) / step.masked_fill(step == 0, 1.0)
    return torch.cat([slope, torch.zeros_like(slope)])


def _pooled(pool: nn.Module, z: Tensor) -> tuple[Tensor, Tensor]:
    pooling = F.max_pool1d if isinstance(pool, nn.MaxPool1d) else F.max_pool2d
    options = (pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode)
    return pooling(z, *options, return_indices=True)


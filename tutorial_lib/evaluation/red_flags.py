"""Signs that a map, or the model under it, is not to be trusted: each a number that is bad when it is large.

They need no labels but the classes that are explained, and no knowledge of what should matter.
"""
import math
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import avg_pool2d

from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.evaluation.axioms import completeness_gap, relative_difference
from tutorial_lib.evaluation.fills import constant
from tutorial_lib.evaluation.sanity import randomised
from tutorial_lib.scores import Attribute, predict

WINDOWS = 8


def window_size(x: Tensor) -> int:
    """The side in pixels of the windows that cut the shorter side of `x` (N, C, H, W) into eight at most."""
    return math.ceil(min(x.shape[2:]) / WINDOWS)


def window_means(heat: Tensor, *, size: int) -> Tensor:
    """Means of |A| over windows of `size` pixels a side, cut off at the border.  (N, H, W) -> (N, windows)"""
    return avg_pool2d(heat.abs()[:, None], size, ceil_mode=True).flatten(1)


def window_pixels(numbers: Tensor, x: Tensor) -> Tensor:
    """The pixels of the window with each image's number, as `window_means` counts.  (N,) -> (N, 1, H, W)"""
    size = window_size(x)
    columns = math.ceil(x.shape[3] / size)
    row, column = (torch.arange(side, device=x.device) // size for side in x.shape[2:])
    at_row, at_column = (numbers // columns)[:, None], (numbers % columns)[:, None]
    return ((row == at_row)[:, :, None] & (column == at_column)[:, None])[:, None]


def randomness(attribute: Attribute, model: nn.Module, x: Tensor, target: Tensor) -> float:
    """Largest relative difference of the maps of two equal calls: 0 unless the model draws random numbers."""
    return relative_difference(*(attribute(model, x.clone(), target) for _ in range(2)))


def mixing(attribute: Attribute, model: nn.Module, x: Tensor, target: Tensor) -> float:
    """Largest relative difference of an image's map alone and beside its darker mirror image: 0 unless the
    model mixes the images of a batch."""
    alone, beside = [], []
    for image, c in zip(x.split(1), target.split(1), strict=True):
        alone.append(attribute(model, image, c))
        beside.append(attribute(model, torch.cat([image, image.flip(3) / 2]), c.repeat(2))[:1])
    return relative_difference(torch.cat(alone), torch.cat(beside))


def unaccounted(
    path_methods: Sequence[Attribute], model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor,
    line: float,
) -> float:
    """Median completeness gap of the first of `path_methods`; images above `line` get the next, finer one."""
    gaps = torch.full(x.shape[:1], math.inf, dtype=x.dtype, device=x.device)
    for method in path_methods:
        rough = ~(gaps <= line)
        if rough.any():
            images, c, start = x[rough], target[rough], baseline.expand_as(x)[rough]
            a = method(model, images, c)
            gaps[rough] = completeness_gap(model, images, c, a, baseline=start)
    return gaps.median().item()


def overruled(heat: Tensor, drops: Tensor, *, size: int) -> float:
    """Mean share of the windows that change the score more than the window where |A| is largest does: 0 for
    a map that finds the window that matters most, .5 for one without relation to the score, or empty.
    `drops` are the changes, (N, windows) as `window_means` counts; NaN for a map with NaN."""
    means = window_means(heat, size=size)
    own = drops.abs().gather(1, means.argmax(1, keepdim=True))
    more, equal = (drops.abs() > own).sum(1), (drops.abs() == own).sum(1) - 1
    share = (more + equal / 2) / (drops.shape[1] - 1)
    return share.where(means.amax(1) != 0, 0.5).where(~means.isnan().any(1), math.nan).mean().item()


def emptiness(model: nn.Module, x: Tensor) -> float:
    """Share of the images that keep their predicted class when every pixel gets the image's mean colour."""
    return _same_class(model, x, _mean_colour(x).expand_as(x)).double().mean().item()


def sufficiency(model: nn.Module, x: Tensor, numbers: Tensor) -> float:
    """Share of the images whose class one window decides: with the others in the image's mean colour the
    prediction stays, with this one in it too the prediction goes. `numbers` of the windows, (N,)."""
    mean, window = _mean_colour(x), window_pixels(numbers, x)
    alone = _same_class(model, x, constant(x, ~window, value=mean))
    return (alone & ~_same_class(model, x, mean.expand_as(x))).double().mean().item()


def _mean_colour(x: Tensor) -> Tensor:
    return x.mean((2, 3), keepdim=True)


def _same_class(model: nn.Module, x: Tensor, changed: Tensor) -> Tensor:
    return predict(model, x).argmax(1) == predict(model, changed).argmax(1)


def untrained_look(
    attribute: Attribute, model: nn.Module, x: Tensor, target: Tensor, *, generator: Generator
) -> float:
    """How much of the likeness of random copies' maps the model's own map has with theirs: 1 where training
    has left no trace, which is the sanity check of Adebayo et al. (2018) turned on the model. Mean over four
    copies, without those whose map is constant; NaN if fewer than two are left."""
    blank = [randomised(model, "", generator=generator) for _ in range(4)]
    own, *others = (attribute(m, x, target).abs().amax(1) for m in (model, *blank))
    likeness = torch.stack([rank_correlations(own, other) for other in others]).nanmean()
    among = torch.stack([rank_correlations(a, b) for a, b in combinations(others, 2)]).nanmean()
    return (likeness / among).item()


def disagreement(maps: Sequence[Tensor], *, size: int) -> float:
    """1 - mean rank correlation of |A| over the windows, of all pairs of maps (N, H, W): 0 where all agree,
    1 for unrelated maps. NaN if no pair can be compared."""
    means = [window_means(heat, size=size) for heat in maps]
    pairs = [rank_correlations(a, b) for a, b in combinations(means, 2)]
    return 1 - torch.stack(pairs).nanmean().item() if pairs else math.nan

"""Methods that change the input and watch the score (paper §2): forward passes, no gradient.

What is taken away must be replaced by something: `fill`, a tensor that broadcasts to `x`, in pixel units.
Each map has one value for all colours; it is spread evenly over the channels, so that their sum is the map.
"""
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from tutorial_lib.attribution.gradients import check_baseline
from tutorial_lib.scores import check_input, chunk_size, class_score


def occlusion(
    model: nn.Module, x: Tensor, target: Tensor, *, size: int, stride: int, fill: Tensor
) -> Tensor:
    """The drop of S_c when a window of `size` × `size` pixels is filled, for windows `stride` apart; a
    pixel gets the mean over its windows (paper §2; Zeiler & Fergus 2014).

    One forward pass for each window and one for `x`; a last window that crosses the border is cut off.
    """
    fill = _check(model, x, target, fill)
    if not 1 <= stride <= size <= min(x.shape[2:]):
        raise ValueError(
            f"windows of {size} pixels, {stride} apart, on {tuple(x.shape[2:])} pixels: every pixel needs a "
            "window, so 1 ≤ stride ≤ size ≤ the image's side"
        )
    rows, columns = (_bars(side, size=size, stride=stride).to(x) for side in x.shape[2:])

    def kept(i: Tensor) -> Tensor:
        return 1 - rows[i // len(columns), :, None] * columns[i % len(columns), None]

    before, total = _scores(model, x, target), 0
    for masks, after in _answers(model, x, target, fill, kept, len(rows) * len(columns)):
        total = total + torch.einsum("kn,khw->nhw", before - after, 1 - masks)
    return _spread(total / (rows.sum(0)[:, None] * columns.sum(0)), x)


def rise(
    model: nn.Module, x: Tensor, target: Tensor, *, fill: Tensor, masks: int = 500, keep: float = 0.5,
    cells: int = 7, generator: torch.Generator,
) -> Tensor:
    """(1 / (keep · masks)) Σ_m S_c(m ⊙ x + (1 - m) ⊙ fill) m over random masks m: grids of `cells` × `cells`,
    each cell kept with probability `keep`, enlarged bilinearly and shifted at random (Petsiuk et al. 2018).

    All images get the same masks. Its level is the mean score; its differences are the explanation.
    """
    fill = _check(model, x, target, fill)
    if masks < 1 or not 0 < keep < 1 or not 1 <= cells <= min(x.shape[2:]):
        raise ValueError(
            f"rise needs masks ≥ 1, 0 < keep < 1, 1 ≤ cells ≤ the image's side, not {masks}, {keep}, {cells}"
        )
    grids = (torch.rand(masks, 1, cells, cells, generator=generator) < keep).to(x)
    steps = [math.ceil(side / cells) for side in x.shape[2:]]
    shifts = (torch.rand(masks, 2, generator=generator) * torch.tensor(steps)).long()

    def kept(i: Tensor) -> Tensor:
        large = interpolate(grids[i], [(cells + 1) * step for step in steps], mode="bilinear")[:, 0]
        row, column = (shifts[i, d, None] + torch.arange(x.shape[2 + d]) for d in (0, 1))
        return large[torch.arange(len(i))[:, None, None], row[:, :, None], column[:, None]]

    answers = _answers(model, x, target, fill, kept, masks)
    total = sum(torch.einsum("kn,khw->nhw", scores, m) for m, scores in answers)
    return _spread(total / (keep * masks), x)


def lime(
    model: nn.Module, x: Tensor, target: Tensor, *, fill: Tensor, width: float, samples: int = 500,
    cells: int = 7, ridge: float = 1.0, generator: torch.Generator,
) -> Tensor:
    """The weights of a linear model of S_c in what is kept: `cells` × `cells` squares, each kept or filled
    by the toss of a coin; a sample counts exp(-d² / 2 width²), d its cosine distance from the whole image
    (Ribeiro et al. 2016, with squares for segments). Ridge regression; the first sample is the image.
    """
    fill = _check(model, x, target, fill)
    if samples < 2 or min(width, ridge) <= 0 or not 1 <= cells <= min(x.shape[2:]):
        raise ValueError(
            "lime needs samples ≥ 2, width > 0, ridge > 0, 1 ≤ cells ≤ the image's side, "
            f"not {samples}, {width}, {ridge}, {cells}"
        )
    patterns = (torch.rand(samples, cells**2, generator=generator) < 0.5).to(x)
    patterns[0] = 1

    def painted(values: Tensor) -> Tensor:
        return interpolate(values.view(-1, 1, cells, cells), x.shape[2:], mode="nearest")[:, 0]

    answers = _answers(model, x, target, fill, lambda i: painted(patterns[i]), samples)
    scores = torch.cat([part for _, part in answers])
    weights = torch.exp(-((1 - patterns.mean(1, keepdim=True).sqrt()) ** 2) / (2 * width**2))
    centred = patterns - (weights * patterns).sum(0) / weights.sum()
    normal = centred.T @ (weights * centred) + ridge * torch.eye(cells**2).to(x)
    return _spread(painted(torch.linalg.solve(normal, centred.T @ (weights * scores)).T), x)


def _check(model: nn.Module, x: Tensor, target: Tensor, fill: Tensor) -> Tensor:
    check_input(model, x, target)
    if x.ndim != 4:
        raise ValueError(f"perturbation works on images (N, C, H, W), not {tuple(x.shape)}: x[:, None, None]")
    return check_baseline(x, fill)


def _bars(side: int, *, size: int, stride: int) -> Tensor:
    """The windows along one side: (windows, side), True inside."""
    starts, place = torch.arange(0, side - size + stride, stride)[:, None], torch.arange(side)
    return (starts <= place) & (place < starts + size)


def _answers(
    model: nn.Module, x: Tensor, target: Tensor, fill: Tensor, kept: Callable[[Tensor], Tensor], number: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """For masks 0 to `number` - 1, a few at a time: what `kept` makes of their numbers, (k, H, W), and
    S_c (k, N) of `x` with `fill` where a mask is 0."""
    for numbers in torch.arange(number).split(max(1, chunk_size(x) // len(x))):
        masks = kept(numbers)
        copies = torch.lerp(fill, x, masks[:, None, None])  # exact at both ends
        scores = _scores(model, copies.flatten(0, 1), target.repeat(len(masks)))
        yield masks, scores.view(len(masks), len(x))


def _scores(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    size = chunk_size(x)
    with torch.set_grad_enabled(torch.is_grad_enabled() and x.requires_grad):
        parts = zip(x.split(size), target.split(size), strict=True)
        return torch.cat([class_score(model, *part) for part in parts])


def _spread(heat: Tensor, x: Tensor) -> Tensor:
    return heat[:, None].expand_as(x) / x.shape[1]

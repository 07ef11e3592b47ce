"""Removal: take pixels away in the order of a map, and watch the score (paper §4.1).

Maps are pixel maps (N, H, W), colours already reduced; a pixel ranks by its signed value. Pixels of equal
value go in random order, so a constant map is a random order, the control.
"""
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from tutorial_lib.evaluation.fills import Fill
from tutorial_lib.evaluation.maps import check_maps
from tutorial_lib.scores import check_input, chunk_size, class_score, logits

Order = Literal["morf", "lerf"]


@torch.no_grad()
def removal_curves(
    model: nn.Module, x: Tensor, target: Tensor, maps: Mapping[str, Tensor], *, order: Order, fill: Fill,
    steps: int = 20, patch: int = 1, generator: torch.Generator,
) -> dict[str, Tensor]:
    """S_c after 0, 1/`steps`, …, all of the pixels were removed, for each map (N, H, W): (N, steps + 1).
    "morf" takes the highest values first, "lerf" the lowest (Samek et al. 2017).

    Units are squares of `patch` × `patch` pixels, by their mean. All maps share the order of ties and,
    since a fill is pure, both ends: M maps cost N · (2 + M · (steps - 1)) passes. `ValueError` for maps,
    steps, patch or fill that do not fit.
    """
    check_input(model, x, target)
    _check(maps, (len(x), *x.shape[2:]), order, patch)
    units = x[0, 0].numel() // patch**2
    if not 1 <= steps <= units:
        raise ValueError(f"steps must lie between 1 and the number of units, {units}, not be {steps}")
    ties, empty = _ties(x[:, 0], patch, generator), _emptied(x, fill)
    copies = (
        removed_share(x, times, share=k / steps, fill=fill)
        for times in (_times(heat, ties, order, patch) for heat in maps.values())
        for k in range(1, steps)
    )
    scores = _answers(model, chain([x, empty], copies), target)
    between = scores[2:].view(len(maps), steps - 1, len(x))
    return {
        name: torch.stack([scores[0], *part, scores[1]], 1) for name, part in zip(maps, between, strict=True)
    }


def area(curve: Tensor) -> Tensor:
    """Mean score over the share removed from 0 to 1, by trapezoids.  (..., steps + 1) -> (...)

    Low is good for "morf", high for "lerf"."""
    return torch.trapezoid(curve, dim=-1) / _steps(curve)


def aopc(curve: Tensor) -> Tensor:
    """1/(L + 1) · Σ_k (S_c(x⁰) - S_c(xᵏ)), k from 0 to L steps: the mean drop (Samek et al. 2017).
    (..., L + 1) -> (...)"""
    return (curve[..., :1] - curve).sum(-1) / (_steps(curve) + 1)


def _steps(curve: Tensor) -> int:
    if curve.shape[-1] < 2:
        raise ValueError(f"a curve (..., steps + 1) has two points at least, not shape {tuple(curve.shape)}")
    return curve.shape[-1] - 1


def removal_times(heat: Tensor, *, order: Order, patch: int = 1, generator: torch.Generator) -> Tensor:
    """The share of the image at which each pixel goes, (place in the order + 1/2) / units, in (0, 1).
    maps (N, H, W) -> (N, H, W), the same in each square of `patch` × `patch` pixels"""
    _check({"heat": heat}, heat.shape, order, patch)
    return _times(heat, _ties(heat, patch, generator), order, patch)


def removed_share(x: Tensor, times: Tensor, *, share: float, fill: Fill) -> Tensor:
    """Images (N, C, H, W) without the first `share`, 0 to 1, of their units, rounded to whole ones; `times`
    (N, H, W) come from `removal_times`."""
    _check_shares([share])
    return fill(x, times[:, None] < share)


class Explained(NamedTuple):
    """Images (N, C, H, W), their classes (N,), and finished pixel maps (N, H, W)."""

    x: Tensor
    target: Tensor
    heat: Tensor


def roar(
    train: Callable[[Tensor, Tensor], nn.Module], training: Explained, test: Explained, *,
    shares: Sequence[float], order: Order, fill: Fill, generator: torch.Generator,
) -> Tensor:
    """Remove And Retrain (Hooker et al. 2019): for each share, the answers of a network trained on what
    is left of the training images, `train(x, target)`, about what is left of the test images.

    "morf" removes the highest pixels, which is ROAR; "lerf" the lowest, which is KAR, Keep And Retrain.
    -> (shares, test images), 1 where right: the mean over the images is the accuracy. `fill` fits both sets.
    """
    _check_shares(shares)
    if any(len(x) != len(target) for x, target, _ in (training, test)):
        raise ValueError("every image needs one class: x (N, C, H, W), target (N,), heat (N, H, W)")
    sets = [
        (x, target, removal_times(heat, order=order, generator=generator))
        for x, target, heat in (training, test)
    ]
    right = []
    for share in shares:
        (seen, labels), (asked, answers) = (
            (removed_share(x, times, share=share, fill=fill), target) for x, target, times in sets
        )
        model = train(seen, labels)
        right.append(logits(model, asked).argmax(1) == answers)
    return torch.stack(right).float()


def _check(maps: Mapping[str, Tensor], shape: tuple[int, ...], order: Order, patch: int) -> None:
    if len(shape) != 3:
        raise ValueError(
            f"removal takes images (N, C, H, W) and maps (N, H, W), not {tuple(shape)}: sum_over_colour(map) "
            "or max_over_colour(map) has one value for each pixel"
        )
    check_maps(maps, shape)
    if order not in get_args(Order):
        raise ValueError(f"the order is 'morf', highest first, or 'lerf', lowest first, not {order!r}")
    if patch < 1 or any(side % patch for side in shape[1:]):
        raise ValueError(f"{tuple(shape[1:])} pixels do not divide into squares of {patch} × {patch}")


def _check_shares(shares: Sequence[float]) -> None:
    if len(shares) == 0 or not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"shares lie between 0 and 1 (30 % is 0.3), and there is one at least: {shares}")


def _ties(heat: Tensor, patch: int, generator: torch.Generator) -> Tensor:
    """A random order of the units of each map, (N, units)."""
    shape = len(heat), heat[0].numel() // patch**2
    draws = torch.rand(shape, generator=generator, dtype=torch.float64, device=generator.device)
    return draws.argsort(1).to(heat.device)


def _times(heat: Tensor, ties: Tensor, order: Order, patch: int) -> Tensor:
    units = avg_pool2d(heat.double(), patch) if patch > 1 else heat
    mixed = units.flatten(1).gather(1, ties)
    ranked = ties.gather(1, mixed.argsort(dim=1, stable=True, descending=order == "morf"))
    moments = (torch.arange(ranked.shape[1], device=heat.device).double() + 0.5) / ranked.shape[1]
    times = torch.empty_like(ranked, dtype=torch.float64).scatter_(1, ranked, moments.expand_as(ranked))
    times = times.view_as(units)
    return times.repeat_interleave(patch, 1).repeat_interleave(patch, 2)


def _emptied(x: Tensor, fill: Fill) -> Tensor:
    """The images without any pixel; `ValueError` if the fill draws anew at each call."""
    everything = torch.ones(len(x), 1, *x.shape[2:], dtype=torch.bool, device=x.device)
    empty = fill(x, everything)
    if empty.shape != x.shape or not torch.equal(empty, fill(x, everything)):
        raise ValueError(
            "a fill returns images shaped like x, the same at each call: draw its noise once and pass it, "
            "partial(constant, value=noise)"
        )
    return empty


def _answers(model: nn.Module, copies: Iterator[Tensor], target: Tensor) -> Tensor:
    """S_c of each of the copies (N, C, H, W): (copies, N). Small ones share a pass, as in `mean_map`."""
    scores = []
    for first in copies:
        size = chunk_size(first)
        images = torch.cat([first, *islice(copies, max(1, size // len(first)) - 1)])
        classes = target.repeat(len(images) // len(first))
        parts = zip(images.split(size), classes.split(size), strict=True)
        scores += [class_score(model, *part) for part in parts]
    return torch.cat(scores).view(-1, len(target))

"""Does a map announce what the model does?

Every measure takes finished maps by name and asks the model once for all of them.
"""
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from tutorial_lib.evaluation.fills import Fill, constant
from tutorial_lib.evaluation.maps import check_maps
from tutorial_lib.scores import check_input, chunk_size, class_score

Perturbation = Callable[[Tensor, torch.Generator], Tensor]
Pair = tuple[Tensor, Tensor]


class Infidelity(NamedTuple):
    """E[(I·A - Δ)²] of the map as it is, and of the map times each image's best factor, each (N,)."""

    plain: Tensor
    scaled: Tensor


@torch.no_grad()
def infidelity(
    model: nn.Module, x: Tensor, target: Tensor, maps: Mapping[str, Tensor], *, perturb: Perturbation,
    samples: int = 50, generator: torch.Generator,
) -> dict[str, Infidelity]:
    """E[(I·A - Δ)²], Δ = S_c(x) - S_c(x - I), over `samples` perturbations I = perturb(x, generator), the
    same for all maps; I and the maps are shaped like x (Yeh et al. 2019; paper §4.1).  -> float64

    A is read as a gradient: a map of shares, such as gradient × input, is first divided by x - x̂. `scaled`
    takes b·A with each image's best b = E[(I·A)Δ] / E[(I·A)²], so that unit and sign of the map do not
    matter; b = 0 where no I meets it. It costs samples + 1 passes for any number of maps.
    """
    check_input(model, x, target)
    check_maps(maps, x.shape)
    if samples < 1:
        raise ValueError(f"infidelity needs samples ≥ 1, not {samples}")

    def draw() -> Pair:
        change = _like(x, perturb(x, generator), "perturb")
        return change, x - change

    error = squares = product = drops = 0
    for announced, drop in _responder(model, x, target, maps)(draw, samples):
        error = error + (announced - drop).square().sum(1)
        squares, product = squares + announced.square().sum(1), product + (announced * drop).sum(1)
        drops = drops + drop.square().sum(0)
    if not error.isfinite().all():
        raise ValueError("perturb returned NaN or infinite values, or a map is too large for x's dtype")
    b = (product / squares).masked_fill(squares == 0, 0)
    scaled = (drops - b * product).clamp(min=0)
    return dict(zip(maps, map(Infidelity, error / samples, scaled / samples), strict=True))


def square_removal(x: Tensor, generator: torch.Generator, *, size: int, baseline: Tensor) -> Tensor:
    """The perturbation that sets `size` × `size` pixels to `baseline`, somewhere inside each image: I is
    x - baseline on the square and 0 elsewhere (Yeh et al. 2019).  (N, C, H, W) -> same"""
    if x.ndim != 4 or not 1 <= size <= min(x.shape[2:]):
        raise ValueError(f"a square of {size} pixels does not fit into images (N, C, H, W), {tuple(x.shape)}")

    def bar(side: int) -> Tensor:
        start = torch.randint(side - size + 1, (len(x), 1), generator=generator, device=generator.device)
        place = torch.arange(side, device=start.device)
        return ((start <= place) & (place < start + size)).to(x.device)

    rows, columns = map(bar, x.shape[2:])
    return x - constant(x, rows[:, None, :, None] & columns[:, None, None], value=baseline)


def noisy_baseline(x: Tensor, generator: torch.Generator, *, baseline: Tensor, sigma: float) -> Tensor:
    """The perturbation that leaves nothing but the baseline and normal noise: I = x - (baseline + sigma · ε)
    (Yeh et al. 2019); with sigma = 0 it is the difference from the baseline."""
    if sigma < 0:
        raise ValueError(f"sigma is a standard deviation in pixel units, not {sigma}")
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device)
    left = constant(x, torch.ones_like(x, dtype=torch.bool), value=baseline)
    return x - (left + sigma * noise.to(x.device))


@torch.no_grad()
def sensitivity_n(
    model: nn.Module, x: Tensor, target: Tensor, maps: Mapping[str, Tensor], *, sizes: Sequence[int],
    subsets: int = 100, fill: Fill, generator: torch.Generator,
) -> dict[str, Tensor]:
    """Pearson's correlation of Σ_{i∈S} A_i with S_c(x) - S_c(x, S filled) over random sets S of n pixels,
    the same for all maps, for each n in `sizes` (Ancona et al. 2018).  maps (N, H, W) -> (N, sizes) float64

    NaN where a side is constant: for a constant map, a score that no S changes, and n = H·W, where only
    the completeness gap tells. It costs sizes · subsets + 1 passes for any number of maps.
    """
    check_input(model, x, target)
    if x.ndim != 4:
        raise ValueError(f"Sensitivity-n fills pixels of images (N, C, H, W), not {tuple(x.shape)}")
    check_maps(maps, (len(x), *x.shape[2:]))
    pixels = x[0, 0].numel()
    if subsets < 2 or not sizes or any(n % 1 or not 1 <= n <= pixels for n in sizes):
        raise ValueError(
            f"Sensitivity-n needs subsets ≥ 2 and sizes of 1 to {pixels} pixels, not {subsets} and {sizes}"
        )

    def draw(n: int) -> Pair:
        removed = _random_pixels(x, n, generator)
        return removed, _like(x, fill(x, removed), "fill")

    # less its middle: n times a constant does not matter, sums are exacter, and a constant map is exactly 0
    centred = {name: a - (a.amin((1, 2), True) + a.amax((1, 2), True)) / 2 for name, a in maps.items()}
    respond = _responder(model, x, target, centred)
    found = torch.stack([_correlations(respond(partial(draw, n), subsets)) for n in sizes], 2)
    found[:, :, torch.tensor(sizes) == pixels] = torch.nan
    return dict(zip(maps, found, strict=True))


def _random_pixels(x: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """For each image n of its pixels, (N, 1, H, W): all share one random order of the pixels and take n
    places of it, cyclically from a random start, so that every set of n is equally likely."""
    pixels = x[0, 0].numel()
    options = {"generator": generator, "device": generator.device, "dtype": torch.int32}
    place = torch.randperm(pixels, **options) - torch.randint(pixels, (len(x), 1), **options)
    taken = (place >= 0) & (place < n) | (place < n - pixels)  # place % pixels < n, without the division
    return taken.view(len(x), 1, *x.shape[2:]).to(x.device)


def _responder(
    model: nn.Module, x: Tensor, target: Tensor, maps: Mapping[str, Tensor]
) -> Callable[[Callable[[], Pair], int], Iterator[Pair]]:
    """A function (draw, number) for `number` draws of weights and changed images (N, ...), k at a time: it
    yields Σ weights · map of every map (maps, k, N) and the drops of the score (k, N), in float64."""
    before = _scores(model, x, target).double()
    stacked = torch.stack([a.to(x).flatten(1) for a in maps.values()])

    def respond(draw: Callable[[], Pair], number: int) -> Iterator[Pair]:
        for group in torch.arange(number).split(max(1, chunk_size(x) // len(x))):
            weights, changed = zip(*(draw() for _ in group), strict=True)
            after = _scores(model, torch.cat(changed), target.repeat(len(group))).view(-1, len(x))
            announced = torch.einsum("knd,mnd->mkn", torch.stack(weights).flatten(2).to(x), stacked)
            yield announced.double(), before - after

    return respond


def _correlations(responses: Iterable[Pair]) -> Tensor:
    """Pearson's correlation over the draws, (maps, N), of sums about the first draw."""
    first, count, total, product, square = None, 0, 0, 0, 0
    for announced, drop in responses:
        values = torch.cat([announced, drop[None]])
        first = values[:, :1] if first is None else first
        values, count = values - first, count + len(drop)
        total, square = total + values.sum(1), square + values.square().sum(1)
        product = product + (values * values[-1]).sum(1)
    covariance = product - total * total[-1] / count
    spread = (square - total.square() / count).sqrt()
    return (covariance / (spread * spread[-1]))[:-1].clamp(-1, 1)


def _scores(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    size = chunk_size(x)
    parts = zip(x.split(size), target.split(size), strict=True)
    return torch.cat([class_score(model, *part) for part in parts])


def _like(x: Tensor, found: Tensor, name: str) -> Tensor:
    if found.shape != x.shape:
        raise ValueError(f"{name} returned {tuple(found.shape)}; it must be like x, {tuple(x.shape)}")
    return found


def square_masks(x: Tensor, *, cells: int) -> Tensor:
    """The image divided into `cells` × `cells` squares: masks (cells², 1, H, W) of zeros and ones."""
    if x.shape[2] % cells or x.shape[3] % cells:
        raise ValueError(f"{tuple(x.shape[2:])} pixels do not divide into {cells} × {cells} squares")
    corners = torch.eye(cells**2, dtype=x.dtype, device=x.device).view(cells**2, 1, cells, cells)
    return interpolate(corners, x.shape[2:], mode="nearest")


@torch.no_grad()
def true_changes(model: nn.Module, x: Tensor, target: Tensor, *, masks: Tensor, shift: float) -> Tensor:
    """S_c(x + shift · mask) - S_c(x) for each mask.  `x` one image (1, C, H, W) -> (masks,)"""
    check_input(model, x, target)
    _check_single(x)
    return _scores(model, x + shift * masks, target.expand(len(masks))) - class_score(model, x, target)


def announced_changes(attribution: Tensor, *, masks: Tensor, shift: float) -> Tensor:
    """shift · Σ_i A_i over each mask: the changes that the map (1, C, H, W) announces if it is read
    as a gradient.  -> (masks,)"""
    _check_single(attribution)
    return shift * (attribution * masks).flatten(1).sum(1)


def _check_single(image: Tensor) -> None:
    if image.ndim != 4 or len(image) != 1:
        raise ValueError(f"one image (1, C, H, W) at a time, not {tuple(image.shape)}")

"""C151: the agreement of three named pairs of methods, per pixel and per patch of 4 x 4 pixels."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn.functional import avg_pool2d

from experiments.measures.intervals import interval
from experiments.measures.likeness import lit
from experiments.runner import Quantity
from experiments.worlds import NUMBERS, SAMPLES, nine_methods, pixel_map
from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.evaluation.statistics import crossed
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import trained
from tutorial_lib.robustness.alignment import random_of_spectrum

PAIRS = (("saliency", "IG"), ("guided backprop", "Grad-CAM"), ("IG", "Grad-CAM"))
SIDE, FIRST = 4, 10
Both = tuple[Tensor, Tensor]


def patches(heat: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of |A| over the pixels in `where` of each square, and which squares have one.  (N, H, W)"""
    inside = where.to(heat)
    share = avg_pool2d(inside, SIDE)
    return avg_pool2d(heat.abs() * inside, SIDE) / share.clamp(min=1e-9), share > 0


def both_scales(first: Tensor, second: Tensor, where: Tensor) -> Tensor:
    """The agreement of two stacks of maps per pixel and per patch, (N, 2)."""
    (a, some), (b, _) = patches(first, where), patches(second, where)
    per_pixel = rank_correlations(first, second, where=where)
    return torch.stack([per_pixel, rank_correlations(a, b, where=some)], 1)


def unrelated(first: Tensor, second: Tensor) -> Both:
    """Random maps of the two spectra, with phases of their own: the registered control."""
    draws = Generator().manual_seed(7)
    return random_of_spectrum(first, generator=draws), random_of_spectrum(second, generator=draws)


def coupled(first: Tensor, second: Tensor) -> Both:
    """Both maps turned by the same random phases: random maps that keep the cross-spectrum of the pair."""
    phases = torch.fft.fft2(torch.randn(first.shape, generator=Generator().manual_seed(7))).angle()
    turn = torch.polar(torch.ones_like(phases), phases)
    turn[..., 0, 0] = 1  # the means keep their signs
    return tuple(torch.fft.ifft2(torch.fft.fft2(heat.abs()) * turn).real for heat in (first, second))


CHANGES: dict[str, Callable[[Tensor, Tensor], Both]] = {
    "maps": lambda first, second: (first, second), "random maps": unrelated, "coupled random maps": coupled,
}


def pooling(world: str) -> Quantity:
    """One network a seed, all on the same images."""
    def measure(seed: int) -> dict:
        data = SAMPLES[world](trained(f"{world}_natural"), n=NUMBERS[world])
        model, table, where = load(f"{world}_natural_{seed}"), nine_methods(world), lit(data.images, world)
        heats = {name: pixel_map(name, table[name](model, data.images, data.targets))
                 for name in dict.fromkeys(sum(PAIRS, ()))}
        return {kind: torch.stack([both_scales(*change(heats[a], heats[b]), where) for a, b in PAIRS], 1)
                for kind, change in CHANGES.items()}

    def gain(found: Tensor) -> Tensor:
        return (found[..., 1] - found[..., 0]).mean(2)

    def stored(found: dict) -> dict:
        beyond = gain(found["maps"]) - gain(found["random maps"])
        return {
            "gain": interval(crossed(beyond, level=0.99, generator=Generator().manual_seed(7))),
            "mean": {kind: {f"{a}, {b}": v[:, :, i].nanmean(1) for i, (a, b) in enumerate(PAIRS)}
                     for kind, v in found.items()},
            "first images": {kind: v[0, :FIRST] for kind, v in found.items()},
        }

    return Quantity({
        "claims": ["C151"], "networks": f"{world}_natural", "images": NUMBERS[world], "pairs": PAIRS,
        "gain": "(patch less pixel) of the maps less (patch less pixel) of the random maps, mean of the "
        "pairs: lower end, value, upper end at 99 %, number",
        "mean": "Spearman of the absolute maps, per pixel and per patch: seeds x 2",
        "first images": f"seed 100, {FIRST} images: images x pairs x 2",
        "patch": f"{SIDE} x {SIDE} pixels, the mean of |A| over those that count",
        "pixels": "those that are not black" if world == "fashion" else "all",
        "random maps": "of the two spectra, phases of their own, generator seed 7; coupled: both maps turned "
        "by the same random phases", "dtype": "float32", "threads": 1,
    }, measure, stored)

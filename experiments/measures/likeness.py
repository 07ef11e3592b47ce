"""What the checks of C76, C95, C96 and C148 share: the maps, what they are compared with, what is stored."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Generator, Tensor, nn

from experiments.worlds import LAYERS, nine_methods, pixel_map
from tutorial_lib.attribution.cam import guided_grad_cam
from tutorial_lib.evaluation.agreement import (
    hog_similarity,
    rank_correlations,
    signed_rank_correlations,
    ssim,
    top_overlap,
)
from tutorial_lib.evaluation.sanity import edge_filter, random_map
from tutorial_lib.notebook.samples import SEEDS
from tutorial_lib.scores import Attribute

Maps = dict[str, Tensor]


def ten_methods(world: str) -> dict[str, Attribute]:
    """The nine methods and guided Grad-CAM."""
    return {**nine_methods(world), "guided Grad-CAM": partial(guided_grad_cam, layer=LAYERS[world])}


def pixel_maps(
    methods: dict[str, Attribute], model: nn.Module, x: Tensor, target: Tensor, *, draws: Generator
) -> Maps:
    """A map of each method, (N, H, W), beside the edges and a random map that is new at each call."""
    controls = {"edge filter": edge_filter, "random map": partial(random_map, generator=draws)}
    return {
        name: pixel_map(name, method(model, x, target)) for name, method in {**methods, **controls}.items()
    }


def alike(first: Maps, second: Maps, *, measure: Callable = rank_correlations, **options) -> Maps:
    """The likeness of the maps of one name, image by image, (N,) each."""
    return {name: measure(heat, second[name], **options) for name, heat in first.items()}


def alike_elsewhere(first: Maps, second: Maps, where: Tensor, partner: Tensor) -> Maps:
    """The floor: the first map of an image against the second of its partner, over pixels in both `where`."""
    others = {name: heat[partner] for name, heat in second.items()}
    return alike(first, others, where=where & where[partner])


def complexity(heat: Tensor, *, bins: int = 100) -> Tensor:
    """Entropy, in nats, of the histogram of a map's values between its lowest and its highest (the measure of
    Hedström et al. 2024).  (N, H, W) -> (N,); NaN for a constant map."""
    values = heat.flatten(1).double()
    low, high = values.aminmax(dim=1, keepdim=True)
    place = ((values - low) / (high - low) * bins).nan_to_num().long().clamp(max=bins - 1)
    counts = torch.zeros(len(values), bins).double().scatter_add_(1, place, torch.ones_like(values))
    return torch.special.entr(counts / values.shape[1]).sum(1).where((high > low)[:, 0], torch.nan)


def measures(world: str, first: Maps, second: Maps) -> dict[str, Maps]:
    """Other measures of likeness, of the whole image."""
    side = next(iter(first.values())).shape[-1]
    cells = partial(hog_similarity, cell=4 if world == "fashion" else 8)
    return {
        "whole image": alike(first, second), "SSIM": alike(first, second, measure=ssim),
        "whole image, signed": alike(first, second, measure=signed_rank_correlations),
        "top tenth": alike(first, second, measure=top_overlap, k=round(side**2 / 10)),
        "HOG": alike(first, second, measure=cells),
    }


def lit(x: Tensor, world: str) -> Tensor:
    """The pixels that are compared: those that are not black on Fashion-MNIST, else all.  -> (N, H, W)"""
    return x[:, 0] != 0 if world == "fashion" else torch.ones_like(x[:, 0], dtype=torch.bool)


def following(seed: int) -> int:
    """The seed of the twin that makes the ceiling: the next one, around."""
    return SEEDS[(SEEDS.index(seed) + 1) % len(SEEDS)]


def only(maps: Maps, *names: str) -> Maps:
    """The entries of these names."""
    return {name: maps[name] for name in names}


def stored(found: dict) -> dict:
    """Under "images" every number with four digits, under "means" the mean over the images that have one."""
    return {"images": _each(found["images"], lambda v: v.round(decimals=4)),
            "means": _each(found["means"], lambda v: v.nanmean(1).round(decimals=4))}


def _each(node: dict | Tensor, function: Callable[[Tensor], Tensor]) -> dict | Tensor:
    if isinstance(node, dict):
        return {key: _each(value, function) for key, value in node.items()}
    return function(node.double())

"""C116: integrated gradients and DeepLIFT from black and from other baselines."""

from functools import partial

import torch
from torch import Generator, Tensor, nn

from experiments.measures.intervals import interval
from experiments.measures.likeness import following, lit
from experiments.measures.starts import starts
from experiments.runner import Quantity
from experiments.worlds import NUMBERS, SAMPLES, average
from tutorial_lib.attribution.gradients import integrated_gradients
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.attribution.propagation import deeplift
from tutorial_lib.evaluation.agreement import (
    rank_correlations,
    signed_rank_correlations,
    ssim,
    top_overlap,
)
from tutorial_lib.evaluation.sanity import random_map
from tutorial_lib.evaluation.statistics import on_the_scale
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import another_class, trained

METHODS = {"IG": partial(integrated_gradients, steps=64), "DeepLIFT": deeplift}
OTHERS, AGAIN, FIRST = ("mean", "blurred", "uniform"), "uniform again", 10  # each is paired with black


def maps_from(method, model: nn.Module, x: Tensor, target: Tensor, mean: Tensor) -> dict[str, Tensor]:
    """Pixel maps by baseline, (N, H, W)."""
    start = starts(x, mean)
    return {name: sum_over_colour(method(model, x, target, baseline=start[name]))
            for name in ("black", *OTHERS, AGAIN)}


def on_scale(own: dict, twin: dict, where: Tensor, partner: Tensor) -> dict[str, Tensor]:
    """By the baseline beside black, (N, 3): likeness of the two maps; floor, black of the image with the
    other of its partner; ceiling, two networks and one baseline, mean of the two baselines."""
    def alike(first: Tensor, second: Tensor) -> Tensor:
        return rank_correlations(first, second, where=where)

    def of_pair(other: str) -> Tensor:
        floor = rank_correlations(own["black"], own[other][partner], where=where & where[partner])
        ceiling = (alike(own["black"], twin["black"]) + alike(own[other], twin[other])) / 2
        return torch.stack([alike(own["black"], own[other]), floor, ceiling], 1)

    return {other: of_pair(other) for other in OTHERS}


def beside(own: dict[str, Tensor], where: Tensor) -> dict[str, dict[str, Tensor]]:
    """Other measures of the likeness of the pairs, a second draw of the noise, and a random map, (N,)."""
    black, tenth = own["black"], round(own["black"][0].numel() / 10)
    noise = random_map(None, black, None, generator=Generator().manual_seed(8))
    return {
        "signed": {o: signed_rank_correlations(black, own[o], where=where) for o in OTHERS},
        "top tenth": {o: top_overlap(black, own[o], k=tenth) for o in OTHERS},
        "SSIM": {o: ssim(black, own[o]) for o in OTHERS},
        "control": {
            "two draws of the noise": rank_correlations(own[OTHERS[-1]], own[AGAIN], where=where),
            "black and a random map": rank_correlations(black, noise, where=where),
        },
    }


def of_images(world: str, models: list[nn.Module], x: Tensor, target: Tensor) -> dict:
    """A network and its twin: likeness, floor and ceiling, over the registered pixels and over all."""
    where, partner, found = lit(x, world), another_class(target), {}
    for name, method in METHODS.items():
        own, twin = (maps_from(method, model, x, target, average(world)) for model in models)
        found[name] = {"pixels": on_scale(own, twin, where, partner),
                       "whole image": on_scale(own, twin, torch.ones_like(where), partner),
                       "beside": beside(own, where)}
    return found


def summary(found: dict) -> dict:
    """e as intervals, means over the images, and the first images."""
    def place(values: Tensor) -> Tensor:
        return interval(on_the_scale(*values.unbind(-1), level=0.99, generator=Generator().manual_seed(7)))

    return {name: {
        "e": {region: {o: place(v) for o, v in each[region].items()} for region in ("pixels", "whole image")},
        "mean": {region: {o: v.nanmean(1) for o, v in each[region].items()}
                 for region in ("pixels", "whole image")},
        "beside": {kind: {o: v.nanmean(1) for o, v in row.items()} for kind, row in each["beside"].items()},
        "first images": {o: v[0, :FIRST] for o, v in each["pixels"].items()},
    } for name, each in found.items()}


def baselines(world: str) -> Quantity:
    """A network and that of the next seed, all on the same images."""
    n, name = NUMBERS[world], f"{world}_natural"

    def measure(seed: int) -> dict:
        data = SAMPLES[world](trained(name), n=n)
        models = [load(f"{name}_{s}") for s in (seed, following(seed))]
        return of_images(world, models, data.images, data.targets)

    return Quantity({
        "claims": ["C116"], "networks": name, "images": n, "IG": "midpoint, 64 steps", "DeepLIFT": "Rescale",
        "baselines": f"0; mean of the training images, {average(world).item():.4f}; the image blurred with a "
        "standard deviation of 1/8 of its side; uniform noise, drawn twice by a generator of seed 7",
        "pairs": "black with each of the others",
        "e": "(likeness - floor) / (ceiling - floor): lower end, value, upper end at 99 %, number; null: "
        "unbounded, floor and ceiling are less than 0.1 apart",
        "mean": "Spearman of the absolute pixel maps: likeness; floor, black of the image with the other of "
        "the next image of another class; ceiling, networks of neighbouring seeds with one baseline, mean of "
        "the two baselines: seeds x 3", "first images": f"seed 100, {FIRST} images: the same three",
        "pixels": "those that are not black" if world == "fashion" else "all",
        "beside": "signed and control over these pixels, top tenth and SSIM of the whole image: seeds",
        "dtype": "float32", "threads": 1,
    }, measure, summary)

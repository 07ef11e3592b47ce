"""C03: how stable the maps are, and what they lose when they are smoothed to the stability of Grad-CAM."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import avg_pool2d

from experiments.runner import Quantity, batches, joined
from experiments.worlds import ABSOLUTE, NUMBERS, SAMPLES, WINDOWS, described, nine_methods
from experiments.wrappers import blurred, constant, remembered
from tutorial_lib.attribution.pixels import max_over_colour, sum_over_colour
from tutorial_lib.evaluation.agreement import signed_rank_correlations
from tutorial_lib.evaluation.sanity import random_map
from tutorial_lib.evaluation.stability import max_sensitivity
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import trained
from tutorial_lib.scores import Attribute

BATCH, DRAWS, RADIUS = 10, 20, 0.02
WIDTHS = (0, 0.5, 1, 1.5, 2, 3, 4, 6)
REFERENCE = "Grad-CAM"  # whose stability the others are smoothed to


def fidelity(pixels: Tensor, effects: Tensor, size: int) -> Tensor:
    """Spearman, with signs, of a map's patch means with the drop of the score when a patch is filled;
    both (N, H, W) -> (N,)"""
    return signed_rank_correlations(*(avg_pool2d(heat[:, None], size) for heat in (pixels, effects)))


def of_batch(
    world: str, model: nn.Module, x: Tensor, target: Tensor, draws: Generator, noise: Generator
) -> dict:
    """Sensitivity and fidelity of each method at each width of blur, (N, widths)."""
    table = {name: remembered(method) for name, method in nine_methods(world).items()}
    blurs = {name: {w: blurred(method, w) for w in WIDTHS} for name, method in table.items()}
    flat = {(name, w): blur for name, each in blurs.items() for w, blur in each.items()}
    found = max_sensitivity(
        {**flat, "constant": constant}, model, x, target, radius=RADIUS, samples=DRAWS, generator=draws
    )
    effects = sum_over_colour(table["occlusion"](model, x, target))

    def faithful(name: str, attribute: Attribute) -> Tensor:
        pixels = max_over_colour if name in ABSOLUTE else sum_over_colour
        return fidelity(pixels(attribute(model, x, target)), effects, WINDOWS[world])

    def by_width(of) -> dict[str, Tensor]:
        return {name: torch.stack([of(name, w) for w in WIDTHS], 1) for name in table}

    return {
        "relative": by_width(lambda name, w: found[name, w].relative),
        "absolute": {name: found[name, 0].absolute for name in table},
        "fidelity": by_width(lambda name, w: faithful(name, blurs[name][w])),
        "constant": {"constant": found["constant"].relative},
        "random": {"random map": faithful("random map", partial(random_map, generator=noise))},
    }


def summary(found: dict) -> dict:
    """What is stored: numbers for each image without a blur and with the one that makes a method as stable
    as Grad-CAM, if there is one; by width of the blur the averages over the images."""
    relative, faithful = found["relative"], found["fidelity"]
    medians = {name: each.nanmedian(1).values for name, each in relative.items()}
    limit = medians[REFERENCE][:, 0].mean()
    stable = {name: (each.mean(0) <= limit).nonzero().flatten().tolist() for name, each in medians.items()}
    first = {name: places[0] for name, places in stable.items() if places and name != REFERENCE}
    return {
        "relative": {name: each[..., 0] for name, each in relative.items()} | found["constant"],
        "fidelity": {name: each[..., 0] for name, each in faithful.items()} | found["random"],
        "fidelity when smoothed": {name: faithful[name][..., place] for name, place in first.items()},
        "width": {name: torch.tensor(WIDTHS[place]) for name, place in first.items()},
        "median absolute": {name: each.nanmedian(1).values for name, each in found["absolute"].items()},
        "median relative by width": medians,
        "mean fidelity by width": {name: each.nanmean(1) for name, each in faithful.items()},
    }


def in_batches(of_batch: Callable[..., dict], world: str) -> Callable[[int], dict]:
    """A measure that asks the natural network of a seed about the sample of its world, batch by batch; two
    generators serve all batches in turn."""
    def measure(seed: int) -> dict:
        n = NUMBERS[world]
        data, model = SAMPLES[world](trained(f"{world}_natural"), n=n), load(f"{world}_natural_{seed}")
        draws, noise = Generator().manual_seed(7), Generator().manual_seed(7)
        return joined([
            of_batch(world, model, data.images[part], data.targets[part], draws, noise)
            for part in batches(n, size=BATCH)
        ], torch.cat)

    return measure


def stability(world: str) -> Quantity:
    """One network a seed, all on the same images with the same draws."""
    return Quantity({
        "claims": ["C03"], "networks": f"{world}_natural", "images": NUMBERS[world], "radius": RADIUS,
        "draws": DRAWS,
        "batch": f"{BATCH} images; one generator of seed 7 draws for the batches in turn",
        "map": "the whole map, not reduced over colour", "methods": described(world),
        "fidelity": "Spearman of the map's patches with the drop of the score when a patch is occluded, the "
        "patches of occlusion; largest channel for saliency and SmoothGrad, else the sum over colour",
        "smoothed": "Gaussian blur of the smallest `width` whose median relative form, a mean of the seeds, "
        f"is at most that of {REFERENCE}; a method that no width makes as stable is left out",
        "widths": WIDTHS, "dtype": "float32", "threads": 1,
    }, in_batches(of_batch, world), summary)

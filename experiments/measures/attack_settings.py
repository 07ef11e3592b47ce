"""The attacks on maps: networks, images, methods and settings that their runs share."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import torch
from torch import Generator, Tensor, nn

from experiments.runner import batches, joined
from experiments.worlds import nine_methods, pixel_map
from tutorial_lib.attribution.gradients import saliency, seeded, smoothgrad
from tutorial_lib.datasets import FashionMnist, PlantedShapes
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook import samples
from tutorial_lib.robustness.attribution_attacks import locally_smoothed, softplus_twin
from tutorial_lib.scores import Attribute

BUDGETS = {"fashion": 16 / 255, "shapes": 4 / 255}
NUMBERS = {"fashion": 100, "shapes": 102}  # of C102; smaller samples are right in all networks
BATCH = {"fashion": 10, "shapes": 6}
ROBUST = {"fashion": ("gradient", "linf", "l2"), "shapes": ("l2",)}
JUDGED = ("saliency", "IG", "guided backprop", "Grad-CAM")
SMOOTHED = ("local smoothing", "SmoothGrad of 8")
BETA, NOISES, IG_STEPS = 10.0, 2, 4
Data = FashionMnist | PlantedShapes


def network(world: str, kind: str, seed: int) -> nn.Module:
    """A trained network, or for "softplus" the natural one with softplus in the place of its ReLUs."""
    if kind == "softplus":
        return softplus_twin(load(f"{world}_natural_{seed}"), beta=BETA)
    return load(f"{world}_{kind}_{seed}")


def part_of(data: Data, index: Tensor | slice) -> Data:
    """The images of these numbers, with all that belongs to them."""
    names = ("images", "targets", *(("masks", "marks") if isinstance(data, PlantedShapes) else ()))
    return replace(data, **{name: getattr(data, name)[index] for name in names})


@cache
def sample(world: str, *, n: int) -> Data:
    """Images that every network compared classifies rightly: the natural ones, and for the fewer images all
    networks of the chapter."""
    kinds = ("natural", *(("softplus", *ROBUST[world]) if n < NUMBERS[world] else ()))
    models = [network(world, kind, seed) for kind in kinds for seed in samples.SEEDS]
    choose = {"fashion": samples.fashion_sample, "shapes": samples.shapes_sample}[world]
    return choose(models, n=n)


def methods(world: str) -> dict[str, Attribute]:
    """The protocol's methods, and two smoothed maps, whose noise is the same at each call."""
    local = seeded(locally_smoothed, seed=7, sigma=BUDGETS[world], penalty=1.0, samples=8)
    wide = seeded(smoothgrad, seed=7, attribute=saliency, sigma=0.15, samples=8)
    return {**nine_methods(world), **dict(zip(SMOOTHED, (local, wide), strict=True))}


def pixels_of(name: str) -> Callable[[Tensor], Tensor]:
    """From a method's map to one number for each pixel."""
    return partial(pixel_map, "saliency" if name in SMOOTHED else name)


def largest(data: Data) -> int | Tensor:
    """k of the top-k: the size of the mask, or a tenth of the pixels."""
    return data.masks.flatten(1).sum(1) if isinstance(data, PlantedShapes) else data.images[0].numel() // 10


def each_batch(world: str, n: int, found: Callable[[Data, Generator], dict]) -> dict:
    """All batches of the sample; one generator of seed 7 draws for them in turn."""
    draws, data = Generator().manual_seed(7), sample(world, n=n)
    return joined([found(part_of(data, part), draws) for part in batches(n, size=BATCH[world])], torch.cat)


def means(found: dict) -> dict:
    """Means over the images, NaN left out.  (seeds, images, ...) -> (seeds, ...)"""
    return {key: means(each) if isinstance(each, dict) else each.nanmean(1) for key, each in found.items()}


def described(world: str, n: int) -> dict:
    """The settings in words and numbers."""
    return {
        "images": n, "sample": "right in all networks: natural"
        + ("" if n == NUMBERS[world] else f", softplus, {', '.join(ROBUST[world])}"),
        "budget": f"l-inf {round(255 * BUDGETS[world])}/255",
        "k": "size of the mask" if world == "shapes" else "10 % of the pixels",
        "attack": "top-k; 40 steps that shrink evenly from the budget, random start, softplus beta 30; IG "
        f"with {IG_STEPS} steps, its map with 64; prediction kept",
        "noise": f"{NOISES} draws of random signs of the same l-inf size, cut to [0, 1]",
        "softplus": f"natural network, beta {BETA}: the smallest of .5, 1, 2, 3, 5, 10, 30 within .01 of the "
        "accuracy (seed 0, test images below 1000)",
        "local smoothing": "mean gradient of 8 noisy copies, sigma = budget, soft threshold at its mean",
        "SmoothGrad of 8": "|gradient|, sigma .15, 8 samples", "overlap": "times 10,000 where for each image",
        "batch": f"{BATCH[world]} images; one generator of seed 7 draws for the batches in turn",
        "dtype": "float32", "threads": 1,
    }

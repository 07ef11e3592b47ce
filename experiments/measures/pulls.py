"""C98: what a product with the input owes to the input."""

import torch
from torch import Generator, Tensor, nn

from experiments.worlds import BASELINES, BLACK, pixel_map
from tutorial_lib.attribution.gradients import saliency
from tutorial_lib.attribution.pixels import max_over_colour
from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.evaluation.sanity import random_map, randomised
from tutorial_lib.scores import Attribute

PRODUCTS = ("Gradient x Input", "IG", "DeepLIFT")


def pulls(heat: Tensor, x: Tensor, slope: Tensor, baseline: Tensor, where: Tensor) -> Tensor:
    """Spearman of |map| with |x - baseline|, and with |gradient|, both the largest over colour, (2, N)."""
    distance = max_over_colour((x - baseline).abs())
    return rank_correlations(heat, torch.stack([distance, slope]), where=where.expand_as(heat))


def of_products(world: str, methods: dict[str, Attribute], model: nn.Module, x: Tensor, target: Tensor,
                own: dict, where: Tensor) -> dict:
    """`pulls` of the three products, of the same on random weights, and of a random map times the input."""
    blank, everywhere = randomised(model, "", generator=Generator().manual_seed(7)), torch.ones_like(where)
    found, chance = {}, random_map(model, x, target, generator=Generator().manual_seed(7))
    for name in PRODUCTS:
        baseline = BLACK if name == "Gradient x Input" else BASELINES[world]
        slopes = [max_over_colour(saliency(net, x, target)) for net in (model, blank)]
        ruin = pixel_map(name, methods[name](blank, x, target))
        product = ((x - baseline) * chance).sum(1)
        found[name] = {
            "own": pulls(own[name], x, slopes[0], baseline, where),
            "whole image": pulls(own[name], x, slopes[0], baseline, everywhere),
            "random weights": pulls(ruin, x, slopes[1], baseline, where),
            "random map x input": pulls(product, x, max_over_colour(chance.abs()), baseline, where),
        }
    return {key: {name: each[key].T for name, each in found.items()} for key in found["IG"]}

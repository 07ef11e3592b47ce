"""C137: maps from an exact counterfactual or from black, and what swapping their highest pixels does."""

from functools import partial

import torch
from torch import Generator, Tensor, nn

from experiments.runner import Quantity
from tutorial_lib.attribution.gradients import integrated_gradients, seeded
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.attribution.propagation import deeplift
from tutorial_lib.datasets import counterfactual_pairs
from tutorial_lib.evaluation.fills import constant
from tutorial_lib.evaluation.removal import area, removal_curves
from tutorial_lib.evaluation.sanity import edge_filter, random_map, randomised
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import another_class, balanced, trained
from tutorial_lib.scores import input_gradient, logits

PAIRS, DRAWN = 60, 72


def from_baseline(model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor) -> Tensor:
    """(x - baseline) * gradient."""
    return (x - baseline) * input_gradient(model, x, target)


METHODS = {"ig": partial(integrated_gradients, steps=64), "deeplift": deeplift, "gxi": from_baseline}


def known_pairs() -> tuple[Tensor, Tensor, Tensor]:
    """Images, their classes and their counterfactuals, which all five networks classify rightly."""
    first, second = counterfactual_pairs(DRAWN, generator=Generator().manual_seed(7))
    networks = trained("shapes_natural")
    known = torch.stack([logits(m, second.images).argmax(1) == second.targets for m in networks]).all(0)
    some = known.nonzero()[:, 0]
    chosen = some[balanced(networks, first.images[some], first.targets[some], n=PAIRS)]
    return first.images[chosen], first.targets[chosen], second.images[chosen]


def maps(
    model: nn.Module, x: Tensor, target: Tensor, opposite: Tensor, *, methods: tuple[str, ...] = (*METHODS,)
) -> dict[str, Tensor]:
    """Of each method from the counterfactual and from black, (N, H, W)."""
    starts = {"counterfactual": opposite, "black": torch.zeros_like(x)}
    return {f"{name}, {start}": sum_over_colour(METHODS[name](model, x, target, baseline=b))
            for name in methods for start, b in starts.items()}


def controls(model: nn.Module, x: Tensor, target: Tensor, opposite: Tensor, ig: Tensor) -> dict[str, Tensor]:
    """Maps that know nothing of the model, of this model or of this pair; `ig` from the counterfactual."""
    blank = randomised(model, "", generator=Generator().manual_seed(7))
    return {
        "random map": seeded(random_map, seed=7)(model, x, target).sum(1),
        "edge filter": edge_filter(model, x, target).sum(1),
        "ig, random weights": sum_over_colour(METHODS["ig"](blank, x, target, baseline=opposite)),
        "ig of another pair": ig[another_class(target)], "difference": (x - opposite).abs().sum(1),
    }


def above(model: nn.Module, x: Tensor, target: Tensor, opposite: Tensor, heats: dict) -> dict[str, Tensor]:
    """The area above the curve of the class's probability while the highest pixels are swapped, (N,)."""
    probability, swap = nn.Sequential(model, nn.Softmax(1)).eval(), partial(constant, value=opposite)
    curves = removal_curves(probability, x, target, heats, order="morf", fill=swap,
                            generator=Generator().manual_seed(7))
    return {name: 1 - area(curve) for name, curve in curves.items()}


def swapped_parts() -> Quantity:
    """One network a seed on the same pairs."""
    def measure(seed: int) -> dict:
        model, pairs = load(f"shapes_natural_{seed}"), known_pairs()
        heats = maps(model, *pairs)
        heats |= controls(model, *pairs, heats["ig, counterfactual"])
        return above(model, *pairs, heats)

    def stored(found: dict) -> dict:
        return {name: (10_000 * v).round() for name, v in found.items()}

    return Quantity({
        "claims": ["C137"], "networks": "shapes_natural",
        "pairs": f"{PAIRS} of the first {DRAWN} of generator seed 7: one scene with two outlines, classified "
        "rightly on both sides by the five networks, ten of each class",
        "methods": "ig: midpoint, 64 steps; deeplift: Rescale; gxi: (x - baseline) * gradient; of the logit "
        "of the first image's class, summed over colour",
        "values": "area above the curve of the class's probability, in 20 steps of 5 % of the pixels swapped "
        "for the counterfactual's, the highest first, ties by generator seed 7; times 10,000: seeds x pairs",
        "random weights": "every parameter, generator seed 7", "dtype": "float32", "threads": 1,
    }, measure, stored)

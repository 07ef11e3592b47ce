"""C146: what SmoothGrad changes in the max-sensitivity and in the infidelity of a gradient."""

from functools import partial

import torch
from torch import Generator, Tensor, nn

from experiments.measures.stability import BATCH, DRAWS, RADIUS, in_batches
from experiments.runner import Quantity
from experiments.worlds import BASELINES, NUMBERS
from experiments.wrappers import constant
from tutorial_lib.attribution.gradients import saliency, seeded, smoothgrad
from tutorial_lib.evaluation.fidelity import Perturbation, infidelity, noisy_baseline, square_removal
from tutorial_lib.evaluation.sanity import edge_filter, random_map
from tutorial_lib.evaluation.stability import max_sensitivity
from tutorial_lib.scores import Attribute, input_gradient

SAMPLES_OF_I, SIGMA, FIRST = 50, 0.2, 5
PAIRS = {"absolute": ("SmoothGrad", "saliency"), "signed": ("SmoothGrad, signed", "gradient")}


def methods() -> dict[str, Attribute]:
    """The gradient and its mean over noisy copies, as absolute values and with signs; a constant map."""
    noisy = {"seed": 7, "sigma": 0.15, "samples": 32}
    return {
        "saliency": saliency, "SmoothGrad": seeded(smoothgrad, attribute=saliency, **noisy),
        "gradient": input_gradient,
        "SmoothGrad, signed": seeded(smoothgrad, attribute=input_gradient, **noisy),
        "constant map": constant,
    }


def some_square(x: Tensor, generator: Generator, *, baseline: Tensor) -> Tensor:
    """A square of 1 to 10 pixels a side on images of 28 pixels, of 2 to 20 on images of 64."""
    side = int(torch.randint(1, 11, (1,), generator=generator)) * (x.shape[-1] // 28)
    return square_removal(x, generator, size=side, baseline=baseline)


def perturbations(world: str) -> dict[str, Perturbation]:
    """Squares of the baseline, and the baseline with noise of the width in Yeh's own code."""
    baseline = BASELINES[world]
    return {
        "squares": partial(some_square, baseline=baseline),
        "noisy baseline": partial(noisy_baseline, baseline=baseline, sigma=SIGMA),
    }


def of_batch(
    world: str, model: nn.Module, x: Tensor, target: Tensor, draws: Generator, noise: Generator
) -> dict:
    """Relative max-sensitivity of each method, (N,), and for each perturbation the share of E[Δ²] that a map
    leaves at its best factor: 0 for a faithful map, 1 for a map of zeros."""
    found = max_sensitivity(methods(), model, x, target, radius=RADIUS, samples=DRAWS, generator=draws)
    maps = {name: method(model, x, target) for name, method in methods().items()}
    maps["random map"] = random_map(model, x, target, generator=noise)
    maps["edge filter"], maps["zero"] = edge_filter(model, x, target), torch.zeros_like(x)
    unexplained = {}
    for kind, perturb in perturbations(world).items():
        each = infidelity(
            model, x, target, maps, perturb=perturb, samples=SAMPLES_OF_I, generator=draws
        )
        nothing = each.pop("zero").plain
        unexplained[kind] = {name: found.scaled / nothing for name, found in each.items()}
    return {"sensitivity": {name: each.relative for name, each in found.items()}, **unexplained}


def summary(found: dict) -> dict:
    """Ratios of each image, smooth over plain, as logarithms; the rest as averages over the images."""
    ratios = {
        pair: {kind: each[smooth].log() - each[plain].log() for kind, each in found.items()}
        for pair, (smooth, plain) in PAIRS.items()
    }
    return {
        "log ratio": {kind: (v * 1e4).round() / 1e4 for kind, v in ratios["absolute"].items()},
        "mean log ratio, signed": {kind: v.nanmean(1) for kind, v in ratios["signed"].items()},
        "mean": {kind: {name: v.nanmean(1) for name, v in each.items()} for kind, each in found.items()},
        "first images": {kind: {name: v[0, :FIRST] for name, v in each.items()}
                         for kind, each in found.items()},
    }


def smoothing(world: str) -> Quantity:
    """One network a seed, all on the same images with the same draws."""
    return Quantity({
        "claims": ["C146"], "networks": f"{world}_natural", "images": NUMBERS[world],
        "sensitivity": f"max ‖A(y) - A(x)‖ / ‖A(x)‖, radius {RADIUS}, {DRAWS} draws, decision unchanged",
        "squares": f"infidelity at the best factor over E[Δ²]; {SAMPLES_OF_I} squares of 1 to 10 pixels "
        f"(64 px: 2 to 20), set to {BASELINES[world].item()}",
        "noisy baseline": f"the same, {SAMPLES_OF_I} draws of {BASELINES[world].item()} + {SIGMA} · noise",
        "methods": "saliency |gradient|; SmoothGrad sigma 0.15, 32 samples, generator seed 7, of |gradient| "
        "and of the gradient; constant map; random map; Sobel's edges",
        "log ratio": "SmoothGrad over saliency: seeds x images; signed: SmoothGrad of the gradient over it",
        "first images": f"seed 100, {FIRST} images",
        "batch": f"{BATCH} images; one generator of seed 7 draws for the batches in turn",
        "dtype": "float32", "threads": 1,
    }, in_batches(of_batch, world), summary)

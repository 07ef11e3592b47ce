"""C101: what the settings of SmoothGrad do to its map."""

import torch
from torch import Tensor, nn

from experiments.measures.likeness import lit
from experiments.runner import Quantity
from experiments.worlds import NUMBERS, SAMPLES
from tutorial_lib.attribution.gradients import saliency, seeded, smoothgrad
from tutorial_lib.attribution.pixels import max_over_colour
from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import trained

SIGMA, SAMPLES_OF_NOISE = 0.15, 32
PAIRS = {"n": ({"samples": 8}, {"samples": 64}), "sigma": ({"sigma": 0.05}, {"sigma": 0.25})}


def smooth(model: nn.Module, x: Tensor, target: Tensor, *, seed: int, **changed) -> Tensor:
    """SmoothGrad with the protocol's settings and those that are changed, as pixel maps."""
    options = {"attribute": saliency, "sigma": SIGMA, "samples": SAMPLES_OF_NOISE, **changed}
    return max_over_colour(seeded(smoothgrad, seed=seed, **options)(model, x, target))


def of_pair(first: dict, second: dict, model: nn.Module, x: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Likeness of the two settings with other noise, of a re-run of the first, and of the second, (N, 3)."""
    a, again, b, b_again = (smooth(model, x, target, seed=seed, **setting)
                            for seed, setting in ((7, first), (8, first), (9, second), (10, second)))
    pairs = ((a, b), (a, again), (b, b_again))
    return torch.stack([rank_correlations(one, two, where=where) for one, two in pairs], 1)


def settings(world: str) -> Quantity:
    """One network a seed, all on the same images."""
    n = NUMBERS[world]

    def measure(seed: int) -> dict:
        data, model = SAMPLES[world](trained(f"{world}_natural"), n=n), load(f"{world}_natural_{seed}")
        x, target = data.images, data.targets
        return {name: of_pair(*pair, model, x, target, lit(x, world)) for name, pair in PAIRS.items()}

    def finish(found: dict) -> dict:
        excess = {name: v[..., 1:].mean(-1) - v[..., 0] for name, v in found.items()}
        return {"rerun less pair": {name: (10_000 * v).round() for name, v in excess.items()},
                "mean": {name: v.mean(1) for name, v in found.items()}}

    return Quantity({
        "claims": ["C101"], "networks": f"{world}_natural", "images": n,
        "SmoothGrad": f"of |gradient|, sigma {SIGMA}, {SAMPLES_OF_NOISE} samples where not changed; each map "
        "has noise of its own, seeds 7 to 10", "pairs": {"n": [8, 64], "sigma": [0.05, 0.25]},
        "rerun less pair": "likeness of a re-run, mean of the two settings, less that of the pair, times "
        "10,000: seeds x images", "mean": "pair, re-run of the first, of the second: seeds x 3",
        "alike": "Spearman of absolute maps", "pixels": "not black" if world == "fashion" else "all",
        "dtype": "float32", "threads": 1,
    }, measure, finish)

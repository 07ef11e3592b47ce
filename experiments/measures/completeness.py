"""C25: how far integrated gradients are from completeness with a finite number of points on the path."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from experiments.runner import Quantity, batches, joined
from experiments.worlds import BASELINES, GREY, NUMBERS, SAMPLES
from tutorial_lib.attribution.gradients import integrated_gradients
from tutorial_lib.datasets import photographs
from tutorial_lib.evaluation.axioms import completeness_gap, score_rise
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import trained
from tutorial_lib.scores import input_gradient

STEPS = (10, 50, 100, 300)
OTHER_RULES = ("left", "right", "trapezoid", "Gauss-Legendre")
CHECKED = 10  # images that are measured in float64 too


def midpoint(model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor) -> dict[str, Tensor]:
    """The gaps that the claim is about, (N,) for each number of steps: two calls that a chapter repeats."""
    gaps = {}
    for steps in STEPS:
        a = integrated_gradients(model, x, target, baseline=baseline, steps=steps)
        gaps[str(steps)] = completeness_gap(model, x, target, a, baseline=baseline)
    return gaps


def nodes(rule: str, n: int) -> tuple[list[float], list[float]]:
    """Places on the path and weights of a quadrature rule with n gradients."""
    if rule == "Gauss-Legendre":
        places, weights = np.polynomial.legendre.leggauss(n)
        return ((places + 1) / 2).tolist(), (weights / 2).tolist()
    if rule == "trapezoid":
        ends = np.ones(n)
        ends[[0, -1]] = 0.5
        return np.linspace(0, 1, n).tolist(), (ends / (n - 1)).tolist()
    return ((np.arange(n) + {"left": 0, "right": 1}[rule]) / n).tolist(), [1 / n] * n


def other_rule(rule: str, model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor) -> Tensor:
    """The gaps of another rule with as many gradients, (N, numbers of steps)."""
    step, gaps = x - baseline, []
    rise = score_rise(model, x, target, baseline=baseline)
    for steps in STEPS:
        total = sum(
            w * (step * input_gradient(model, baseline + place * step, target)).flatten(1).sum(1)
            for place, w in zip(*nodes(rule, steps), strict=True)
        )
        gaps.append((total - rise).abs() / rise.abs())
    return torch.stack(gaps, 1)


def _settings(networks: str, baseline: Tensor) -> dict:
    return {
        "claims": ["C25"], "networks": networks, "steps": STEPS, "baseline": baseline.item(),
        "midpoint": "|sum of the map - rise of the score| / |rise|, for each number of steps: seeds x images",
        "score": "logit of the target class", "dtype": "float32", "threads": 1,
    }


def gaps(world: str) -> Quantity:
    """Midpoint gaps of all images, the median gap of the other rules, and the float64 control."""
    n, baseline = NUMBERS[world], BASELINES[world]

    def measure(seed: int) -> dict:
        data, model = SAMPLES[world](trained(f"{world}_natural"), n=n), load(f"{world}_natural_{seed}")
        found = []
        for part in batches(n, size=20):
            here = model, data.images[part], data.targets[part]
            others = {rule: other_rule(rule, *here, baseline=baseline) for rule in OTHER_RULES}
            found.append({"midpoint": midpoint(*here, baseline=baseline), "others": others})
        found = joined(found, torch.cat)
        medians = {rule: each.median(0).values for rule, each in found.pop("others").items()}
        few = data.images[:CHECKED].double(), data.targets[:CHECKED]
        exact = midpoint(copy.deepcopy(model).double(), *few, baseline=baseline.double())
        return {**found, "medians of other rules": medians, "midpoint in float64": exact}

    return Quantity({
        **_settings(f"{world}_natural", baseline), "images": n,
        "medians of other rules": "over the images, equally many gradients: seeds x steps",
        "midpoint in float64": f"the first {CHECKED} images",
    }, measure)


def photograph_gaps() -> Quantity:
    """The same on the photographs, which illustrate: one network, no sample."""
    photos = photographs()

    def measure(_seed: int) -> dict:
        model = load("efficientnet_lite0")
        parts = [
            midpoint(model, photos.images[part], photos.targets[part], baseline=GREY)
            for part in batches(len(photos.images), size=1)
        ]
        return {"midpoint": joined(parts, torch.cat)}

    settings = {**_settings("efficientnet_lite0", GREY), "images": list(photos.names)}
    return Quantity(settings, measure, seeds=(0,))

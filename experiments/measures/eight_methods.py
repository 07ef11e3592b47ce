"""Eight methods with the baselines that they usually have, and with the same one (C132)."""

from functools import partial
from itertools import combinations

import torch
from torch import Tensor, nn

from tutorial_lib.attribution.gradients import (
    expected_gradients,
    gradient_x_input,
    integrated_gradients,
    saliency,
    seeded,
    smoothgrad,
)
from tutorial_lib.attribution.perturbation import occlusion
from tutorial_lib.attribution.propagation import deeplift, lrp_epsilon
from tutorial_lib.evaluation.agreement import rank_correlations

BASELINES = 200
NAMES = ("saliency", "SmoothGrad", "Gradient x Input", "epsilon-LRP", "IG", "DeepLIFT", "expected gradients",
         "occlusion")
FAMILIES = {
    "gradients": ("saliency", "SmoothGrad"), "modified backward": ("epsilon-LRP", "DeepLIFT"),
    "input-multiplied": ("Gradient x Input", "IG", "expected gradients"), "removal": ("occlusion",),
}
PAIRS = tuple(combinations(range(len(NAMES)), 2))
DESCRIBED = {
    "usual baselines": "0 for Gradient x Input, epsilon-LRP (1e-6), IG (64 steps) and DeepLIFT; 200 training "
    "inputs for expected gradients; the mean of the training inputs for occlusion; none for saliency and "
    "SmoothGrad (sigma 0.15)",
    "matched": "the mean for all that have a baseline: LRP and Gradient x Input of u -> f(u + mean)",
}


class Moved(nn.Module):
    """u -> f(u + b): the same function of the way from b, so that 0 is the baseline of every method."""

    def __init__(self, model: nn.Module, baseline: Tensor):
        super().__init__()
        self.model, self.baseline = model, baseline
        self.eval()

    def forward(self, u: Tensor) -> Tensor:
        return self.model(u + self.baseline)


def maps(model: nn.Module, x: Tensor, target: Tensor, *, some: Tensor, size: int, matched: bool) -> Tensor:
    """The maps of the eight methods, (8, N, ...). Gradient x Input, LRP, IG and DeepLIFT start from 0 or, if
    `matched`, from the mean of the inputs `some`; expected gradients start from them and occlusion fills
    with their mean in either case; saliency and SmoothGrad have no baseline."""
    mean = some.mean(0, keepdim=True)
    start, zero = (mean if matched else torch.zeros_like(mean)), torch.zeros_like(mean)
    from_zero = (gradient_x_input, partial(lrp_epsilon, epsilon=1e-6),
                 partial(integrated_gradients, baseline=zero), partial(deeplift, baseline=zero))
    others = (
        saliency, seeded(smoothgrad, seed=7, attribute=saliency, sigma=0.15),
        seeded(expected_gradients, seed=7, baselines=some[:: len(some) // BASELINES]),
        partial(occlusion, size=size, stride=size, fill=mean),
    )
    first, second, *last = (method(model, x, target) for method in others)
    moved = Moved(model, start)
    return torch.stack([first, second, *(method(moved, x - start, target) for method in from_zero), *last])


def agreement(found: Tensor, *, where: Tensor | None = None) -> Tensor:
    """Spearman of the absolute values of each pair of the eight maps, (28, N)."""
    return torch.stack([rank_correlations(found[i], found[j], where=where) for i, j in PAIRS])

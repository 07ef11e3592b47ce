"""Networks that explain themselves: linear in the pixels, or a mean of what single patches say (C121)."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.worlds import BASELINES, WINDOWS
from tutorial_lib.attribution.perturbation import occlusion
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.models.layers import Normalise
from tutorial_lib.scores import class_score, input_gradient


def linear(normalise: Normalise, *, side: int, classes: int) -> nn.Sequential:
    """Softmax regression: its explanation is weight times input."""
    return nn.Sequential(normalise, nn.Flatten(), nn.Linear(normalise.mean.shape[1] * side**2, classes))


def linear_map(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """Weight times the distance from what the first layer calls 0, (N, H, W)."""
    return sum_over_colour((x - model[0].mean) * input_gradient(model, x, target))


class PatchAdditive(nn.Module):
    """S_c = the mean over the patches of the evidence that each gives alone, as in a BagNet (Brendel & Bethge
    2019): unpadded convolutions see a patch, 1 × 1 convolutions judge it.  (N, C, H, W) -> (N, classes)"""

    def __init__(self, normalise: Normalise, seen: list[nn.Conv2d], widths: tuple[int, ...]):
        super().__init__()
        judges = [nn.Conv2d(a, b, 1) for a, b in pairwise(widths)]
        layers = [layer for c in (*seen, *judges) for layer in (c, nn.ReLU())][:-1]
        self.evidence = nn.Sequential(normalise, *layers)
        self.patch, self.stride = 1, 1
        for c in seen:
            self.patch += (c.kernel_size[0] - 1) * self.stride
            self.stride *= c.stride[0]

    def forward(self, x: Tensor) -> Tensor:
        return self.evidence(x).mean((2, 3))


def fashion_patches() -> PatchAdditive:
    """36 patches of 8 × 8 pixels; as many parameters as FashionCNN within 1 %."""
    seen = [nn.Conv2d(1, 32, 4, stride=2), nn.Conv2d(32, 96, 3, stride=2)]
    return PatchAdditive(Normalise([0.0], [0.35]), seen, (96, 256, 274, 10))


def shapes_patches() -> PatchAdditive:
    """169 patches of 16 × 16 pixels; as many parameters as ShapesResNet within 1 %."""
    seen = [nn.Conv2d(3, 32, 4, stride=2), nn.Conv2d(32, 64, 3, stride=2), nn.Conv2d(64, 96, 3)]
    return PatchAdditive(Normalise([0.5] * 3, [0.25] * 3), seen, (96, 256, 196, 6))


@torch.no_grad()
def evidence_map(model: PatchAdditive, x: Tensor, target: Tensor) -> Tensor:
    """The evidence of each patch for the class over the number of patches, spread evenly over the patch, and
    summed over the patches: (N, H, W). It adds up to the score."""
    said = model.evidence(x)[torch.arange(len(x)), target][:, None]
    even = torch.full((1, 1, model.patch, model.patch), 1 / model.patch**2).to(said)
    return F.conv_transpose2d(said / said[0].numel(), even, stride=model.stride)[:, 0]


def patch_map(model: PatchAdditive, x: Tensor, target: Tensor, *, baseline: Tensor) -> Tensor:
    """What the patches say of x less what they say of the baseline, (N, H, W)."""
    return evidence_map(model, x, target) - evidence_map(model, baseline.expand_as(x), target)


def exactness(heat: Tensor, model: nn.Module, x: Tensor, target: Tensor, *, world: str) -> dict[str, Tensor]:
    """|sum of the map - rise of the score| / |rise|, and ‖announced - actual‖ / ‖actual‖ of the drops of the
    score when a square is set to the baseline, over all squares: (N,) each."""
    size, baseline = WINDOWS[world], BASELINES[world]
    with torch.no_grad():
        rise = class_score(model, x, target) - class_score(model, baseline.expand_as(x), target)
    drops = occlusion(model, x, target, size=size, stride=size, fill=baseline).sum(1)
    announced, actual = (part.unfold(1, size, size).unfold(2, size, size) for part in (heat, drops))
    announced, actual = announced.sum((3, 4)).flatten(1), actual[..., 0, 0].flatten(1)
    return {"completeness": (heat.sum((1, 2)) - rise).abs() / rise.abs(),
            "squares": (announced - actual).norm(dim=1) / actual.norm(dim=1)}

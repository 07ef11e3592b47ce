"""How often a method sends an image through the network, and a signal back."""

from functools import partial

import torch
from torch import Tensor, nn

from experiments.worlds import average
from tutorial_lib.attribution.gradients import seeded
from tutorial_lib.attribution.perturbation import lime, rise
from tutorial_lib.scores import Attribute

MASKS, KERNEL = 500, 0.25  # the kernel's width is that of the authors' program for images


def masking(world: str) -> dict[str, Attribute]:
    """RISE and LIME with the same masks at each call; the fill is the mean of the training images."""
    fill = average(world)
    return {"RISE": seeded(rise, seed=7, fill=fill, masks=MASKS),
            "LIME": seeded(lime, seed=7, fill=fill, samples=MASKS, width=KERNEL)}


def passes(method: Attribute, model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """Images forward through the model, and signals back from its scores, for each of the N images, (2,)."""
    seen = torch.zeros(2, dtype=torch.float64)

    def count(place: int, images: Tensor) -> None:
        seen[place] += len(images)

    def forward(_model, inputs, scores) -> None:
        count(0, inputs[0])
        if scores.requires_grad:
            scores.register_hook(partial(count, 1))

    with model.register_forward_hook(forward):
        method(model, x.clone(), target)  # a new object, which no method remembers
    return seen / len(x)

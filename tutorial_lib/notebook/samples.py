"""The images and networks that a claim is judged on (the book's protocol, sections 5 and 6)."""
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from tutorial_lib.datasets import FashionMnist, PlantedShapes, blue_coded, fashion_mnist, planted_shapes
from tutorial_lib.models.zoo import load
from tutorial_lib.scores import Attribute, logits

SEEDS = (100, 101, 102, 103, 104)
_CONFIRMATION = 1000


def trained(name: str) -> list[nn.Module]:
    """The networks of one training, one for each confirmation seed."""
    return [load(f"{name}_{seed}") for seed in SEEDS]


def balanced(models: Sequence[nn.Module], images: Tensor, targets: Tensor, *, n: int) -> Tensor:
    """Indices of the first `n` images that every model classifies rightly, equally many of each class,
    in file order; `ValueError` if a class has too few."""
    right = torch.stack([logits(model, images).argmax(1) == targets for model in models]).all(0)
    classes = targets.unique()
    each = [(right & (targets == c)).nonzero().flatten()[: n // len(classes)] for c in classes]
    if n % len(classes) or any(len(found) < n // len(classes) for found in each):
        raise ValueError(
            f"{n} images of {len(classes)} classes; there are {min(map(len, each))} or more of each: "
            f"ask for a multiple of {len(classes)}, or for fewer"
        )
    return torch.cat(each).sort().values


def nearly_balanced(models: Sequence[nn.Module], images: Tensor, targets: Tensor, *, n: int) -> Tensor:
    """`balanced` as far as the images go: a class that has too few gives all that it has, and the others
    share its places. `ValueError` if all classes together have too few."""
    right = torch.stack([logits(model, images).argmax(1) == targets for model in models]).all(0)
    place = torch.stack([(right & (targets == c)).cumsum(0) for c in targets.unique()])  # within the class
    place = place.gather(0, targets.unique(return_inverse=True)[1][None])[0].where(right, len(targets) + 1)
    if right.sum() < n:
        raise ValueError(f"{n} images are asked for, and {int(right.sum())} are right in every model")
    return place.argsort(stable=True)[:n].sort().values


def fashion_sample(models: Sequence[nn.Module], *, n: int = 200, choose: Callable = balanced) -> FashionMnist:
    """Test images of the confirmation part, `balanced` or `nearly_balanced`, all classified rightly by every
    model."""
    data = fashion_mnist("test")
    images, targets = data.images[_CONFIRMATION:], data.targets[_CONFIRMATION:]
    chosen = choose(models, images, targets, n=n)
    return replace(data, images=images[chosen], targets=targets[chosen])


def shapes_sample(models: Sequence[nn.Module], *, n: int = 60, blue: bool = False) -> PlantedShapes:
    """Planted shapes of generator seed 7, balanced, all classified rightly by every model; `blue`-coded
    for the wired network."""
    shapes = planted_shapes(2 * n, generator=torch.Generator().manual_seed(7))
    shapes = blue_coded(shapes) if blue else shapes
    chosen = balanced(models, shapes.images, shapes.targets, n=n)
    parts = (shapes.images, shapes.targets, shapes.masks, shapes.marks)
    return PlantedShapes(*(part[chosen] for part in parts))


def maps_of(
    method: Attribute, pixels: Callable[[Tensor], Tensor], models: Sequence[nn.Module], images: Tensor,
    targets: Tensor,
) -> Tensor:
    """The maps of one method for many networks, reduced to pixels.  -> (networks, N, H, W)"""
    return torch.stack([pixels(method(model, images, targets)) for model in models])


def another_class(targets: Tensor) -> Tensor:
    """For each image the index of the next one, in file order and around, that shows another class."""
    n = len(targets)
    ahead = (torch.arange(n)[:, None] + torch.arange(1, n)) % n
    first = (targets[ahead] != targets[:, None]).int().argmax(1, keepdim=True)
    return ahead.gather(1, first).squeeze(1)

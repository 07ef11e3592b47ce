"""Three kinds of models for a world, how each is made and explained (C121)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from experiments.measures.additive import fashion_patches, linear, linear_map, patch_map, shapes_patches
from experiments.worlds import BASELINES
from tutorial_lib.attribution.gradients import integrated_gradients
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.models.layers import Normalise
from tutorial_lib.models.zoo import ARCHITECTURES
from tutorial_lib.robustness.training import RECIPES, Recipe, train
from tutorial_lib.scores import Attribute

LINEAR = {"fashion": partial(linear, Normalise([0.0], [0.35]), side=28, classes=10),
          "shapes": partial(linear, Normalise([0.5] * 3, [0.25] * 3), side=64, classes=6)}
PATCHES = {"fashion": fashion_patches, "shapes": shapes_patches}


@dataclass(frozen=True)
class Kind:
    """How a model is built and trained, and its explanation (N, H, W)."""

    build: Callable[[], nn.Module]
    recipe: Recipe
    explain: Attribute


def path_map(model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor) -> Tensor:
    """Integrated gradients: what is asked of a model that does not explain itself."""
    return sum_over_colour(integrated_gradients(model, x, target, baseline=baseline, steps=64))


def kinds(world: str) -> dict[str, Kind]:
    """The three of a world, by the recipe of its natural network."""
    recipe, baseline = RECIPES[f"{world}_natural"], BASELINES[world]
    return {
        "softmax regression": Kind(LINEAR[world], replace(recipe, batch_norm=False), linear_map),
        "patch-additive": Kind(PATCHES[world], recipe, partial(patch_map, baseline=baseline)),
        "CNN": Kind(ARCHITECTURES[recipe.architecture], recipe, partial(path_map, baseline=baseline)),
    }


def retrained(kind: Kind, seed: int, *, epochs: int | None = None) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind.build()
    recipe = replace(kind.recipe, epochs=epochs or kind.recipe.epochs)
    return train(recipe, model, seed=seed, device="cpu", folder=None)

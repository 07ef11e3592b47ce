"""C136: how far a gradient can move at most, how far an attack moves it, and training on the bound."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from experiments.measures.moved_gradients import (
    BETA,
    EPSILON,
    ROUNDING,
    STARTS,
    STEPS,
    of_network,
    random_networks,
)
from experiments.measures.trainings import kept
from experiments.runner import Quantity
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.models.layers import Normalise
from tutorial_lib.notebook.samples import SEEDS, nearly_balanced
from tutorial_lib.robustness.cards import CONFIRMATION
from tutorial_lib.robustness.certificates import ball, gradient_bounds
from tutorial_lib.robustness.training import RECIPES, natural, train
from tutorial_lib.scores import logits

HIDDEN, WEIGHT = (64, 32), 0.01
IMAGES = 100
RECIPE = replace(RECIPES["fashion_natural"], rate=2e-3, epochs=10)


def bounded(model: nn.Module, x: Tensor, target: Tensor, generator: Generator) -> Tensor:
    """min over θ of E L(x, y, θ) + λ‖u - l‖₂, where l and u bound ∂S_y/∂x in the ball around x."""
    low, high = gradient_bounds(model, ball(x, epsilon=EPSILON), target)
    return natural(model, x, target, generator) + WEIGHT * (high - low).flatten(1).norm(dim=1).mean()


OBJECTIVES = {"standard": natural, "bound-trained": bounded}


def built() -> nn.Sequential:
    """Two hidden layers of softplus units for Fashion-MNIST."""
    hidden = [nn.Linear(784, HIDDEN[0]), nn.Softplus(BETA), nn.Linear(*HIDDEN), nn.Softplus(BETA)]
    return nn.Sequential(Normalise([0.0], [0.35]), nn.Flatten(), *hidden, nn.Linear(HIDDEN[1], 10))


def retrained(kind: str, seed: int) -> nn.Module:
    """The natural recipe of the book with this network, a lower rate, fewer epochs and another objective."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = built()
    return train(replace(RECIPE, objective=OBJECTIVES[kind]), model, seed=seed, device="cpu", folder=None)


def certified(parts: Path) -> Quantity:
    """Ten trained networks on the same images, and random ones."""
    def network(kind: str, seed: int) -> nn.Module:
        return kept(parts / f"certified_{kind}_{seed}.pt", partial(retrained, kind, seed), built())

    def measure(seed: int) -> dict:
        test = fashion_mnist("test")
        x, target = test.images[CONFIRMATION.fashion], test.targets[CONFIRMATION.fashion]
        ten = [network(kind, s) for kind in OBJECTIVES for s in SEEDS]
        chosen = nearly_balanced(ten, x, target, n=IMAGES)
        found = {"random networks": random_networks(seed)}
        for kind in OBJECTIVES:
            model = network(kind, seed)
            right = (logits(model, x).argmax(1) == target).double().mean()
            found[kind] = of_network(model.double(), x[chosen].double(), target[chosen]) | {"accuracy": right}
        return found

    return Quantity({
        "claims": ["C136"], "networks": f"hidden layers of {HIDDEN} softplus units (β {BETA}), the recipe "
        f"of fashion_natural with rate {RECIPE.rate} and {RECIPE.epochs} epochs", "epsilon": f"l∞ {EPSILON}",
        "bound-trained": f"loss + {WEIGHT} times the l2 length of the widths of the gradient's bounds",
        "images": f"{IMAGES} for confirmation, classified rightly by all ten, nearly balanced",
        "random networks": "ten a seed, a convolution and two dense layers, ten random inputs each, "
        "generator seeds 7 to 11", "explained": "gradient of the logit of the class",
        "attack": f"{STEPS} steps up the l2 change of the gradient, {STARTS} random starts, generator seed 7",
        "certified": "inputs whose bound is at most half of the gradient's length",
        "bound, attack": "largest l2 change over the gradient's length, times 10,000: seeds x images",
        "broken": f"inputs whose attack exceeds the bound by more than {ROUNDING} of it: seeds",
        "accuracy": "1,000 images for confirmation: seeds", "threads": 1,
        "dtype": "float64; training float32",
    }, measure, stored)


def stored(found: dict) -> dict:
    """Bound and attack in parts of 10,000; how many attacks exceed the bound."""
    return {kind: {**each, "broken": each["broken"].sum(1).long(),
                   **{key: (10_000 * each[key]).round() for key in ("bound", "attack")}}
            for kind, each in found.items()}

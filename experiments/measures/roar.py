"""C84: remove and retrain on Fashion-MNIST, and what it costs; its estimators and its trainings."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Generator, Tensor, nn

from experiments.measures.removal import STEPS
from experiments.runner import Quantity
from experiments.worlds import BLACK, pixel_map
from tutorial_lib.attribution.gradients import (
    guided_backprop,
    integrated_gradients,
    saliency,
    seeded,
    smoothgrad,
    squared,
    vargrad,
)
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.evaluation.fills import Fill, constant
from tutorial_lib.evaluation.removal import Explained, removal_curves, roar
from tutorial_lib.evaluation.sanity import edge_filter, random_map
from tutorial_lib.models.fashion import FashionCNN
from tutorial_lib.models.zoo import load
from tutorial_lib.robustness.cards import CONFIRMATION
from tutorial_lib.robustness.training import RECIPES, train
from tutorial_lib.scores import Attribute

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
RECIPE, SAMPLES, PATH_STEPS = RECIPES["fashion_natural"], 16, 32
Make = Callable[[Tensor, Tensor], nn.Module]


def estimators() -> dict[str, Attribute]:
    """Six estimators of Hooker et al. 2019, and their two controls."""
    noisy = {"seed": 7, "sigma": 0.15, "samples": SAMPLES}
    return {
        "saliency": saliency, "guided backprop": guided_backprop,
        "IG": partial(integrated_gradients, baseline=BLACK, steps=PATH_STEPS),
        "SmoothGrad": seeded(smoothgrad, attribute=saliency, **noisy),
        "SmoothGrad-Squared": seeded(smoothgrad, attribute=squared(saliency), **noisy),
        "VarGrad": seeded(vargrad, attribute=saliency, **noisy),
        "random map": seeded(random_map, seed=7), "edge filter": edge_filter,
    }


def data() -> tuple[Tensor, Tensor, Tensor, Tensor, Fill]:
    """Training images and classes, the test images that verdicts read, and the fill: the training mean."""
    seen, test = fashion_mnist("train"), fashion_mnist("test")
    mean = seen.images.mean().view(1, 1, 1, 1)
    x, target = test.images[CONFIRMATION.fashion], test.targets[CONFIRMATION.fashion]
    return seen.images, seen.targets, x, target, partial(constant, value=mean)


def retrained(x: Tensor, target: Tensor, *, seed: int, epochs: int = RECIPE.epochs) -> nn.Module:
    """The network that the recipe makes of these images, from the first weights and batches of this seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = FashionCNN()
    recipe = replace(RECIPE, data=lambda *_: (x, target), epochs=epochs)
    return train(recipe, model, seed=seed, device="cpu", folder=None)


def right_answers(
    make: Make, training: Explained, test: Explained, shares: tuple[float, ...], fill: Fill
) -> Tensor:
    """ROAR with one order of ties: 1 where the network that `make` returns is right, (shares, images)."""
    draws = Generator().manual_seed(7)
    return roar(make, training, test, shares=shares, order="morf", fill=fill, generator=draws)


def cost() -> Quantity:
    """Processor seconds of ROAR and of MoRF for one method."""
    def measure(seed: int) -> dict:
        seen, labels, x, target, fill = data()
        natural, started = load(f"fashion_natural_{seed}"), time.process_time()
        training, test = (Explained(a, t, pixel_map("saliency", saliency(natural, a, t)))
                          for a, t in ((seen, labels), (x, target)))
        right = right_answers(partial(retrained, seed=seed), training, test, SHARES, fill)
        between = time.process_time()
        maps = {"saliency": pixel_map("saliency", saliency(natural, x, target))}
        probability = nn.Sequential(natural, nn.Softmax(1)).eval()
        removal_curves(probability, x, target, maps, order="morf", fill=fill, steps=STEPS,
                       generator=Generator().manual_seed(7))
        ended = time.process_time()
        return {"ROAR": torch.tensor(between - started), "MoRF": torch.tensor(ended - between),
                "accuracy": right.mean(1)}

    return Quantity({
        "claims": ["C84"], "method": "saliency", "shares": SHARES, "steps of MoRF": STEPS,
        "time": "processor seconds of one process with one thread: maps, trainings and answers for ROAR, "
        "10,000 training and 1,000 test images; maps and curves for MoRF, the 1,000 test images",
        "trainings": len(SHARES), "accuracy": "after retraining: seeds x shares", "threads": 1,
    }, measure)

"""C110: remove and retrain with the maps of l2- and l∞-trained networks of matched accuracy."""

import copy
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from experiments.measures.roar import data, retrained
from experiments.measures.trainings import PGD, kept
from experiments.runner import Quantity
from experiments.worlds import pixel_map
from tutorial_lib.attribution.gradients import saliency, seeded
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.evaluation.removal import Explained, roar
from tutorial_lib.evaluation.sanity import random_map
from tutorial_lib.evaluation.statistics import crossed
from tutorial_lib.models.fashion import FashionCNN
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import another_class
from tutorial_lib.robustness.cards import TUNING
from tutorial_lib.robustness.training import RECIPES, train
from tutorial_lib.scores import Attribute, logits

SHARES, ORDERS = (0.1, 0.5, 0.9), {"top": "morf", "bottom": "lerf"}
SOFTER = (1.5, 1.0, 0.75, 0.5)  # ε: the book's l2 network, then one more epoch with each of the others


def ends(values: Tensor) -> Tensor:
    """Lower end, mean and upper end at 99 % of (seeds, images)."""
    q = crossed(values, level=0.99, generator=torch.Generator().manual_seed(7))
    return torch.tensor([q.lo, q.value, q.hi])


def accuracy(model: nn.Module, part: slice) -> float:
    test = fashion_mnist("test")
    return (logits(model, test.images[part]).argmax(1) == test.targets[part]).double().mean().item()


def matched(seed: int, parts: Path) -> tuple[nn.Module, float]:
    """The l2 network whose accuracy on the tuning images is nearest to that of the l∞ network of this seed;
    training goes on with a smaller ε until it is as accurate."""
    goal = accuracy(load(f"fashion_linf_{seed}"), TUNING.fashion)
    model, found = load(f"fashion_l2_{seed}"), []
    for epsilon in SOFTER:
        if epsilon < SOFTER[0]:
            recipe = replace(RECIPES["fashion_l2"], objective=partial(PGD["l2"], epsilon=epsilon), epochs=1,
                             rate=1e-3)
            start = copy.deepcopy(model).requires_grad_(True)
            go_on = partial(train, recipe, start, seed=seed, device="cpu", folder=None)
            model = kept(parts / f"l2_{epsilon}_{seed}.pt", go_on, FashionCNN())
        found.append((abs(accuracy(model, TUNING.fashion) - goal), epsilon, model))
        if accuracy(model, TUNING.fashion) >= goal:
            break
    _, epsilon, model = min(found, key=lambda each: each[0])
    return model, epsilon


def answers(method: Attribute, model: nn.Module, seed: int) -> dict[str, Tensor]:
    """Right answers after retraining without the top or the bottom share, (shares, images); and, of the
    network in the middle, about images without the mask of another image."""
    seen, labels, x, target, fill = data()
    training, test = (Explained(a, t, pixel_map("saliency", method(model, a, t)))
                      for a, t in ((seen, labels), (x, target)))
    swapped, found = test._replace(heat=test.heat[another_class(target)]), {}
    for end, order in ORDERS.items():
        made, draws = [], {"fill": fill, "order": order}

        def make(images: Tensor, classes: Tensor, made=made) -> nn.Module:
            made.append(retrained(images, classes, seed=seed))
            return made[-1]

        seven = torch.Generator().manual_seed
        found[end] = roar(make, training, test, shares=SHARES, generator=seven(7), **draws)
        found[f"{end}, swapped"] = roar(
            lambda *_, made=made: made[1], swapped, swapped, shares=SHARES[1:2], generator=seven(7), **draws
        )
    return found


def two_norms(parts: Path) -> Quantity:
    """Two kinds of maps and random ones, three shares, two ends: eighteen trainings a seed."""
    def measure(seed: int) -> dict:
        softer, epsilon = matched(seed, parts)
        networks = {"linf": load(f"fashion_linf_{seed}"), "l2": softer}
        confirmed = slice(1000, 2000)
        return {
            **{name: answers(saliency, model, seed) for name, model in networks.items()},
            "random map": answers(seeded(random_map, seed=7), softer, seed),
            "clean accuracy": {name: torch.tensor(accuracy(m, confirmed)) for name, m in networks.items()},
            "epsilon": torch.tensor(epsilon),
        }

    def finish(found: dict) -> dict:
        maps = {name: found[name] for name in ("linf", "l2", "random map")}
        less = {end: found["linf"][end] - found["l2"][end] for end in ORDERS}
        return {
            "accuracy": {name: {k: v.mean(-1) for k, v in each.items()} for name, each in maps.items()},
            "linf less l2": {end: ends(v.mean(1)) for end, v in less.items()},
            "linf less l2, by share": {end: torch.stack([ends(v[:, k]) for k in range(len(SHARES))])
                                       for end, v in less.items()},
            "clean accuracy": found["clean accuracy"], "epsilon": found["epsilon"],
        }

    return Quantity({
        "claims": ["C110"], "networks": "fashion_linf; fashion_l2, trained on with a smaller ε (l2, PGD-7, "
        f"one epoch with each of {SOFTER[1:]}, rate 0.001) until it is as accurate on the 1,000 tuning "
        "images, the nearest taken", "epsilon": "of the l2 network: seeds", "shares": SHARES,
        "training": "as in retrainings", "test": "1,000 images for confirmation",
        "maps": "|gradient| of the true class; random map, generator seed 7",
        "fill": "mean of the training images",
        "accuracy": "map, end removed: seeds x shares; swapped: each test image without the mask of the next "
        f"one of another class, share {SHARES[1]}, not trained again",
        "linf less l2": "accuracy, mean of the shares: lower end, mean, upper end at 99 %, 5 seeds x 1,000 "
        "images", "threads": 1,
    }, measure, finish)

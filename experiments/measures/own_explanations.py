"""C121: what models that explain themselves cost, and how exact what they say of themselves is."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from experiments.measures.additive import exactness
from experiments.measures.intervals import interval
from experiments.measures.three_models import Kind, kinds, retrained
from experiments.measures.trainings import kept
from experiments.runner import Quantity
from experiments.worlds import BASELINES, WINDOWS
from tutorial_lib.datasets import fashion_mnist, planted_shapes
from tutorial_lib.evaluation.statistics import crossed
from tutorial_lib.models.zoo import load
from tutorial_lib.robustness.cards import CONFIRMATION, Part
from tutorial_lib.scores import logits

TESTS, EXPLAINED = 1000, 60


def seconds(action: Callable[[], object]) -> Tensor:
    """Of one processor: what else runs at the same time does not count."""
    begin = time.process_time()
    action()
    return torch.tensor(time.process_time() - begin, dtype=torch.float64)


def tests(world: str, part: Part = CONFIRMATION) -> tuple[Tensor, Tensor]:
    """A thousand images."""
    if world == "fashion":
        return fashion_mnist("test").images[part.fashion], fashion_mnist("test").targets[part.fashion]
    data = planted_shapes(TESTS, generator=Generator().manual_seed(part.shapes))
    return data.images, data.targets


def of_kind(kind: Kind, model: nn.Module, x: Tensor, target: Tensor, *, seed: int, world: str) -> dict:
    """Whether the model is right, (N,); size; times; how exact its explanation is, (60,) each."""
    few, said = x[:EXPLAINED], logits(model, x[:EXPLAINED]).argmax(1)
    data = kind.recipe.data(None, kind.recipe.cue)  # drawing it is no part of the training
    again = replace(kind, recipe=replace(kind.recipe, data=lambda _folder, _cue: data))
    epoch, answer = seconds(partial(retrained, again, seed, epochs=1)), seconds(partial(logits, model, x))
    explain = seconds(partial(kind.explain, model, few, said))
    return {
        "right": logits(model, x).argmax(1) == target,
        "parameters": torch.tensor(sum(p.numel() for p in model.parameters())),
        "seconds": {"training": epoch * kind.recipe.epochs, "1,000 answers": answer,
                    "60 explanations": explain},
        **exactness(kind.explain(model, few, said), model, few, said, world=world),
    }


def own_explanations(world: str, parts: Path) -> Quantity:
    """Three models a seed."""
    def network(name: str, kind: Kind, seed: int) -> nn.Module:
        if name == "CNN":
            return load(f"{world}_natural_{seed}")
        return kept(parts / f"{world}_{name}_{seed}.pt", partial(retrained, kind, seed), kind.build())

    def measure(seed: int) -> dict:
        return {name: of_kind(kind, network(name, kind, seed), *tests(world), seed=seed, world=world)
                for name, kind in kinds(world).items()}

    def finish(found: dict) -> dict:
        right = {name: each.pop("right").double() for name, each in found.items()}
        less = {name: crossed(right["CNN"] - v, level=0.95, generator=Generator().manual_seed(7))
                for name, v in right.items() if name != "CNN"}
        for each in found.values():
            each["completeness"] = each["completeness"].amax(1)
            each["squares"] = each["squares"].median(1).values
        return {**found, "accuracy": {name: v.mean(1) for name, v in right.items()},
                "CNN less": {name: interval(q) for name, q in less.items()}}

    return Quantity({
        "claims": ["C121"], "models": {
            "softmax regression": "linear in the pixels", "CNN": f"{world}_natural, from data/weights",
            "patch-additive": "mean evidence of patches, 8 x 8 (fashion) or 16 x 16 (shapes), 4 apart",
        },
        "training": f"recipe of {world}_natural", "baseline": BASELINES[world].item(),
        "images": f"{TESTS} for confirmation; the first {EXPLAINED} explained, for the class predicted",
        "explanations": "weight x input; evidence spread over its patch, less that of the baseline; IG with "
        "64 steps",
        "CNN less": "accuracy: lower end, mean, upper end at 95 %, n",
        "completeness": "|sum - rise| / |rise|, the largest of the images: seeds",
        "squares": f"announced against actual drops of the score, {WINDOWS[world]} x {WINDOWS[world]} pixels "
        "at a time set to the baseline: length of the error over that of the drops, median: seeds",
        "seconds": "of processor time; training: one epoch times the epochs", "threads": 1,
        "dtype": "float32",
    }, measure, finish)

"""C02: softmax regression and FashionCNN of three widths, attacked at equal distance in units of their
gradient margin."""

from functools import cache
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from experiments.measures.trainings import kept
from experiments.measures.two_norms import ends
from experiments.runner import Quantity
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.evaluation.stability import max_sensitivity
from tutorial_lib.models.fashion import FashionCNN
from tutorial_lib.models.layers import Normalise
from tutorial_lib.notebook.samples import SEEDS, nearly_balanced
from tutorial_lib.robustness.alignment import Margin
from tutorial_lib.robustness.attacks import pgd
from tutorial_lib.robustness.cards import CONFIRMATION
from tutorial_lib.robustness.training import RECIPES, train
from tutorial_lib.scores import input_gradient, logits

MODELS = {"linear": 0.0, "width 1/4": 0.25, "width 1": 1.0, "width 4": 4.0}
IMAGES = 300


def built(width: float) -> nn.Module:
    """FashionCNN with `width` times as many channels between the layers; 0 is softmax regression."""
    if not width:
        return nn.Sequential(Normalise([0.0], [0.35]), nn.Flatten(), nn.Linear(784, 10))
    model, before = FashionCNN(), 1
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Conv2d):
            after = layer.out_channels if layer.out_channels == 10 else int(width * layer.out_channels)
            model.set_submodule(name, nn.Conv2d(before, after, layer.kernel_size, layer.stride))
            before = after
    return model


def network(name: str, seed: int, parts: Path) -> nn.Module:
    """Trained once by the natural recipe; the weights wait in `parts`."""
    def make() -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = built(MODELS[name])
        return train(RECIPES["fashion_natural"], model, seed=seed, device="cpu", folder=None)

    file = f"{MODELS[name]}_{seed}.pt"
    return kept(parts / file, make, built(MODELS[name]))


@cache
def sample(parts: Path) -> Tensor:
    """Numbers in the confirmation part of the images that all twenty networks classify rightly."""
    test, part = fashion_mnist("test"), CONFIRMATION.fashion
    models = [network(name, seed, parts) for name in MODELS for seed in SEEDS]
    return nearly_balanced(models, test.images[part], test.targets[part], n=IMAGES)


def vulnerability(model: nn.Module, x: Tensor, target: Tensor) -> dict:
    """The gradient margin of each image, which are fooled at the median of it, and how the gradient moves."""
    margin = Margin(model)
    m = logits(margin, x).gather(1, target[:, None]).squeeze(1)
    distance = m / input_gradient(margin, x, target).flatten(1).norm(dim=1)
    worst = pgd(model, x, target, norm="l2", epsilon=distance.median().item(), iterations=20,
                generator=Generator().manual_seed(7))
    moved = max_sensitivity({"gradient": input_gradient}, model, x[::5], target[::5], radius=0.02, samples=20,
                            generator=Generator().manual_seed(7))
    return {
        "gradient margin": distance, "instability": moved["gradient"].relative,
        "flipped": (logits(model, worst).argmax(1) != target).double(),
    }


def widths(parts: Path) -> Quantity:
    """Four networks a seed; all twenty choose the images."""
    test, part = fashion_mnist("test"), CONFIRMATION.fashion

    def measure(seed: int) -> dict:
        chosen, found = sample(parts), {"test image": sample(parts) + part.start}
        x, target = test.images[part], test.targets[part]
        for name in MODELS:
            model = network(name, seed, parts)
            right = (logits(model, x).argmax(1) == target).double().mean()
            found[name] = {**vulnerability(model, x[chosen], target[chosen]), "clean accuracy": right}
        return found

    def finish(found: dict) -> dict:
        each = {name: found[name] for name in MODELS}
        fell = {name: v["flipped"] for name, v in each.items()}
        return {
            "flipped": {name: v["flipped"].mean(1) for name, v in each.items()},
            "linearity": ends(fell["width 1"] - fell["linear"]),
            "width": ends((fell["width 4"] - fell["width 1/4"]) / 2),
            "instability, median": {name: v["instability"].nanmedian(1).values for name, v in each.items()},
            "gradient margin, median": {n: v["gradient margin"].median(1).values for n, v in each.items()},
            "clean accuracy": {name: v["clean accuracy"] for name, v in each.items()},
            "test image": found["test image"][0].long(),
        }

    return Quantity({
        "claims": ["C02"],
        "networks": "softmax regression; FashionCNN, channels between layers times 1/4, 1, 4",
        "training": "recipe of fashion_natural",
        "images": f"{IMAGES} for confirmation, classes as equal as possible, right in all twenty networks",
        "attack": "PGD-20 l2, generator seed 7",
        "flipped": "share whose class changes at one median gradient margin of the network",
        "linearity, width": f"lower end, mean, upper end at 99 %, 5 seeds x {IMAGES} images; flipped: "
        "width 1 less linear; change per fourfold width",
        "gradient margin": "m / |∇m| of the margin m over the next class, median over the images",
        "instability": "largest relative change of the gradient, l∞ 0.02, 20 draws, every fifth image",
        "clean accuracy": "1,000 images for confirmation", "threads": 1,
    }, measure, finish)

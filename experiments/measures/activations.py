"""C31: FashionCNN with other activations, and how epsilon-LRP and DeepLIFT agree with IG in them."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from experiments.runner import Quantity
from experiments.worlds import BLACK
from tutorial_lib.attribution.gradients import integrated_gradients
from tutorial_lib.attribution.propagation import deeplift, lrp_epsilon
from tutorial_lib.datafiles import whole_or_nothing
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.models.fashion import FashionCNN
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import SEEDS, balanced
from tutorial_lib.robustness.cards import CONFIRMATION
from tutorial_lib.robustness.training import RECIPES, train
from tutorial_lib.scores import logits

IMAGES, STEPS = 100, 64
ACTIVATIONS = {"ReLU": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "softplus": nn.Softplus}
RECIPE = RECIPES["fashion_natural"]
RATES = {"tanh": 2e-3, "sigmoid": 8e-3, "softplus": 8e-3}
TRIED = {  # mean accuracy of seeds 0 and 1 on the first 1,000 test images, which no verdict reads
    "tanh": {1e-3: 0.8705, 2e-3: 0.8785, 4e-3: 0.8750, 8e-3: 0.8415},
    "sigmoid": {1e-3: 0.8060, 2e-3: 0.8540, 4e-3: 0.8575, 8e-3: 0.8615, 16e-3: 0.8530},
    "softplus": {1e-3: 0.8685, 2e-3: 0.8700, 4e-3: 0.8750, 8e-3: 0.8760},
}
METHODS = {
    "epsilon-LRP 1e-4": partial(lrp_epsilon, epsilon=1e-4),
    "epsilon-LRP 1e-9": partial(lrp_epsilon, epsilon=1e-9),
    "DeepLIFT": partial(deeplift, baseline=BLACK),
}


def built(activation: str) -> nn.Module:
    """FashionCNN with another activation in the place of each ReLU."""
    model = FashionCNN()
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.ReLU):
            model.set_submodule(name, ACTIVATIONS[activation]())
    return model


def retrained(activation: str, seed: int, *, rate: float) -> nn.Module:
    """The book's natural recipe for Fashion-MNIST, with another activation and its own learning rate."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = built(activation)
    return train(replace(RECIPE, rate=rate), model, seed=seed, device="cpu", folder=None).eval()


def network(activation: str, seed: int, parts: Path) -> nn.Module:
    """The book's own network for ReLU; another is trained once and its weights wait in `parts`."""
    if activation == "ReLU":
        return load(f"fashion_natural_{seed}")
    path = parts / f"{activation}_{RATES[activation]}_{seed}.pt"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_or_nothing(path) as temporary:
            torch.save(retrained(activation, seed, rate=RATES[activation]).state_dict(), temporary)
    model = built(activation)
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval().requires_grad_(False)


def agreements(model: nn.Module, x: torch.Tensor, target: torch.Tensor) -> dict[str, dict]:
    """Spearman of the absolute maps with those of IG, over pixels that are not black and over all, (N,)."""
    ig = integrated_gradients(model, x, target, baseline=BLACK, steps=STEPS)
    maps = {name: method(model, x, target) for name, method in METHODS.items()}
    return {
        "not black": {name: rank_correlations(a, ig, where=x != 0) for name, a in maps.items()},
        "whole image": {name: rank_correlations(a, ig) for name, a in maps.items()},
    }


def activations(parts: Path) -> Quantity:
    """Four networks a seed; all twenty choose the images."""
    test = fashion_mnist("test")
    x, target = test.images[CONFIRMATION.fashion], test.targets[CONFIRMATION.fashion]

    def measure(seed: int) -> dict:
        networks = {name: [network(name, s, parts) for s in SEEDS] for name in ACTIVATIONS}
        chosen = balanced([model for each in networks.values() for model in each], x, target, n=IMAGES)
        here = {name: each[SEEDS.index(seed)] for name, each in networks.items()}
        right = {name: logits(model, x).argmax(1) == target for name, model in here.items()}
        return {
            **{name: agreements(model, x[chosen], target[chosen]) for name, model in here.items()},
            "clean accuracy": {name: each.double().mean() for name, each in right.items()},
            "test image": chosen + CONFIRMATION.fashion.start,
        }

    def finish(values: dict) -> dict:
        for name in ACTIVATIONS:
            whole = values[name].pop("whole image")
            values[name]["whole image, mean"] = {method: each.nanmean(1) for method, each in whole.items()}
        return {**values, "test image": values["test image"][0].long()}

    return Quantity({
        "claims": ["C31"], "networks": "FashionCNN; ReLU: fashion_natural, from data/weights",
        "images": f"{IMAGES}, classified rightly by all twenty networks", "baseline": 0, "IG steps": STEPS,
        "training": f"recipe of fashion_natural: {RECIPE.epochs} epochs, batch {RECIPE.batch}, flips",
        "rates": {"ReLU": RECIPE.rate, **RATES}, "threads": 1, "dtype": "float32",
        "rates tried": {"measured": "accuracy on the tuning images, mean of seeds 0 and 1", **TRIED},
        "whole image, mean": "over the images: seeds", "clean accuracy": "1,000 images for confirmation",
        "test image": "number in the test file: images",
    }, measure, finish)

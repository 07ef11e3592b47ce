"""The fifteen networks of C108 and C113: five trainings, three strengths each."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from tutorial_lib.datafiles import whole_or_nothing
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.models.fashion import FashionCNN
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import nearly_balanced
from tutorial_lib.robustness.cards import CONFIRMATION
from tutorial_lib.robustness.training import RECIPES, adversarial, gradient_regularised, natural, noisy, train

SEED, IMAGES = 100, 200


def decayed(model: nn.Module, x: Tensor, target: Tensor, generator: Generator, *, weight: float) -> Tensor:
    """min over θ of E L(x, y, θ) + λ‖θ‖²: weight decay."""
    size = sum(p.square().sum() for p in model.parameters())
    return natural(model, x, target, generator) + weight * size


PGD = {norm: partial(adversarial, norm=norm, iterations=7) for norm in ("linf", "l2")}
# (training, strength): how, and on which recipe; a name says that the network lies in data/weights
TRAININGS = {
    ("decay", 0): "fashion_natural",
    **{("decay", w): (partial(decayed, weight=w), "fashion_natural") for w in (1e-4, 1e-3)},
    **{("noise", s): (partial(noisy, sigma=s), "fashion_noise") for s in (0.05, 0.3)},
    ("noise", 0.15): "fashion_noise",
    **{("gradient", w): (partial(gradient_regularised, weight=w), "fashion_gradient") for w in (0.001, 0.01)},
    ("gradient", 0.1): "fashion_gradient",
    **{("linf", e): (partial(PGD["linf"], epsilon=e), "fashion_linf") for e in (0.025, 0.05)},
    ("linf", 0.1): "fashion_linf",
    **{("l2", e): (partial(PGD["l2"], epsilon=e), "fashion_l2") for e in (0.375, 0.75)},
    ("l2", 1.5): "fashion_l2",
}


def kept(path: Path, make: Callable[[], nn.Module], model: nn.Module) -> nn.Module:
    """`model` with the weights in `path`, which `make()` trains if they are not there yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_or_nothing(path) as temporary:
            torch.save(make().state_dict(), temporary)
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval().requires_grad_(False)


def network(number: int, parts: Path) -> nn.Module:
    """One of the fifteen; what data/weights does not hold is trained once and waits in `parts`."""
    (kind, strength), how = list(TRAININGS.items())[number]
    if isinstance(how, str):
        return load(f"{how}_{SEED}")

    def make() -> nn.Module:
        objective, recipe = how
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            model = FashionCNN()
        changed = replace(RECIPES[recipe], objective=objective)
        return train(changed, model, seed=SEED, device="cpu", folder=None)

    return kept(parts / f"{kind}_{strength}.pt", make, FashionCNN())


@cache
def sample(parts: Path) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers in the confirmation part, images and classes that all fifteen classify rightly."""
    test = fashion_mnist("test")
    x, target = test.images[CONFIRMATION.fashion], test.targets[CONFIRMATION.fashion]
    chosen = nearly_balanced([network(n, parts) for n in range(len(TRAININGS))], x, target, n=IMAGES)
    return chosen, x[chosen], target[chosen]

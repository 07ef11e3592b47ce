"""How every small model of the book was trained: `python -m tutorial_lib.robustness.training NAME`.

A recipe is a row of a table: network, data, objective, epochs, learning rate. Each is trained by the
same loop and ends as a float16 file with a card that says what it is worth.
"""
import argparse
import difflib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from tutorial_lib.datasets import fashion_mnist, planted_shapes
from tutorial_lib.models.shapes import fold_batch_norm, keep_function, with_batch_norm
from tutorial_lib.models.zoo import ARCHITECTURES, read_model
from tutorial_lib.robustness.attacks import pgd
from tutorial_lib.robustness.cards import is_complete, write_model
from tutorial_lib.scores import loss_and_gradient

Objective = Callable[[nn.Module, Tensor, Tensor, Generator], Tensor]
SEEDS = (100, 101, 102, 103, 104)


def natural(model: nn.Module, x: Tensor, target: Tensor, generator: Generator) -> Tensor:
    """min over θ of E L(x, y, θ): cross-entropy on the images as they are."""
    return F.cross_entropy(model(x), target)


def adversarial(
    model: nn.Module, x: Tensor, target: Tensor, generator: Generator, *, norm: str, epsilon: float,
    iterations: int,
) -> Tensor:
    """min over θ of E max over ‖δ‖ ≤ ε of L(x + δ, y, θ): Eq. 3 (paper §5.2; Madry et al. 2018)."""
    worst = pgd(model, x, target, norm=norm, epsilon=epsilon, iterations=iterations, generator=generator)
    return F.cross_entropy(model(worst), target)


def gradient_regularised(
    model: nn.Module, x: Tensor, target: Tensor, generator: Generator, *, weight: float
) -> Tensor:
    """min over θ of E L(x, y, θ) + λ‖∂L/∂x‖² (Ross & Doshi-Velez 2018)."""
    losses, gradient = loss_and_gradient(model, x.clone().requires_grad_(), target)
    return losses.mean() + weight * gradient.flatten(1).square().sum(1).mean()


def noisy(model: nn.Module, x: Tensor, target: Tensor, generator: Generator, *, sigma: float) -> Tensor:
    """min over θ of E L(x + ε, y, θ) with ε ~ N(0, σ²): noise augmentation."""
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    return F.cross_entropy(model((x + sigma * noise).clamp(0, 1)), target)


def as_they_are(x: Tensor, generator: Generator) -> Tensor:
    """No augmentation: where the side of the image tells something, or labels are learnt by heart."""
    return x


def flipped(x: Tensor, generator: Generator) -> Tensor:
    """Half of the images, drawn at random, mirrored left to right."""
    mirror = torch.rand(len(x), generator=generator, device=x.device) < 0.5
    return torch.where(mirror.view(-1, 1, 1, 1), x.flip(3), x)


def fashion_data(folder: Path | None, cue: float | None) -> tuple[Tensor, Tensor]:
    """The book's 10,000 training images of Fashion-MNIST"""
    data = fashion_mnist("train", folder=folder)
    if folder is not None and len(data.images) != 60_000:
        raise ValueError(f"{folder} holds {len(data.images)} training images, not all 60,000")
    return data.images, data.targets


def permuted_fashion(folder: Path | None, cue: float | None) -> tuple[Tensor, Tensor]:
    """The book's 10,000 training images of Fashion-MNIST, labels dealt out at random"""
    images, targets = fashion_data(folder, cue)
    return images, targets[torch.randperm(len(targets), generator=Generator().manual_seed(1))]


def shapes_data(folder: Path | None, cue: float | None) -> tuple[Tensor, Tensor]:
    """8,000 planted shapes from generator seed 1"""
    data = planted_shapes(8000, generator=Generator().manual_seed(1), cue=cue)
    return data.images, data.targets


@dataclass(frozen=True)
class Recipe:
    """How one kind of model is made. `start` names the recipe whose weights of the same seed it starts
    from; `full` says that it needs the whole of Fashion-MNIST; `cue` goes to `planted_shapes`."""

    purpose: str
    architecture: str
    data: Callable[[Path | None, float | None], tuple[Tensor, Tensor]]
    objective: Objective
    epochs: int
    rate: float
    batch: int = 64
    augment: Callable[[Tensor, Generator], Tensor] = flipped
    seeds: tuple[int, ...] = SEEDS
    batch_norm: bool = False
    start: str = ""
    full: bool = False
    cue: float | None = None


_LINF = partial(adversarial, norm="linf", epsilon=0.1, iterations=7)
_L2 = partial(adversarial, norm="l2", epsilon=1.5, iterations=7)
_SHAPES_L2 = partial(adversarial, norm="l2", epsilon=1.0, iterations=3)
_ONE = SEEDS[:1]

RECIPES = {
    "fashion_natural": Recipe("the reference", "FashionCNN", fashion_data, natural, 15, 4e-3),
    "fashion_linf": Recipe("robust to l∞ 0.1", "FashionCNN", fashion_data, _LINF, 20, 4e-3),
    "fashion_l2": Recipe("robust to l2 1.5", "FashionCNN", fashion_data, _L2, 20, 4e-3),
    "fashion_gradient": Recipe(
        "input gradients kept small", "FashionCNN", fashion_data,
        partial(gradient_regularised, weight=0.1), 15, 4e-3,
    ),
    "fashion_permuted": Recipe(
        "labels learnt by heart", "FashionCNN", permuted_fashion, natural, 40, 2e-3, augment=as_they_are
    ),
    "fashion_no_bias": Recipe(
        "homogeneous: no biases", "FashionCNN without biases", fashion_data, natural, 15, 4e-3, seeds=_ONE
    ),
    "fashion_max_pool": Recipe(
        "max-pooling instead of strides", "FashionCNN with max-pooling", fashion_data, natural, 15, 4e-3,
        seeds=_ONE,
    ),
    "fashion_noise": Recipe(
        "noise in training", "FashionCNN", fashion_data, partial(noisy, sigma=0.15), 15, 4e-3, seeds=_ONE
    ),
    "fashion_full": Recipe(
        "trained on all 60,000 images", "FashionCNN", fashion_data, natural, 8, 4e-3, seeds=_ONE, full=True
    ),
    "shapes_natural": Recipe(
        "the reference", "ShapesResNet", shapes_data, natural, 10, 4e-3, batch_norm=True
    ),
    "shapes_shortcut": Recipe(
        "reads the mark in the corner", "ShapesResNet", shapes_data, natural, 5, 4e-3, augment=as_they_are,
        batch_norm=True, cue=1.0,
    ),
    "shapes_l2": Recipe(
        "robust to l2 1.0", "ShapesResNet", shapes_data, _SHAPES_L2, 7, 4e-3, batch=32, batch_norm=True,
        start="shapes_natural",
    ),
}


def train(recipe: Recipe, model: nn.Module, *, seed: int, device: str, folder: Path | None) -> nn.Module:
    """`model`, trained by `recipe` and in evaluation mode: the same seed, thread count and instruction set
    give the same weights. `ValueError` or `FileNotFoundError` if `folder` is not the data that it needs.

    Adam; the learning rate rises to the recipe's and falls again (one cycle, Smith 2018).
    """
    x, target = (t.to(device) for t in recipe.data(folder if recipe.full else None, recipe.cue))
    model = with_batch_norm(model) if recipe.batch_norm else model
    model = model.to(device, memory_format=torch.channels_last)  # faster on a CPU
    if recipe.start:
        keep_function(model, x[:512])
    model.train()
    generator = Generator(device).manual_seed(seed)
    steps = recipe.epochs * (len(x) // recipe.batch)
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, steps)
    for index in tqdm(_batches(recipe, len(x), generator), total=steps, unit="batch", mininterval=1):
        loss = recipe.objective(model, recipe.augment(x[index], generator), target[index], generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return fold_batch_norm(model).cpu().requires_grad_(False)


def _batches(recipe: Recipe, n: int, generator: Generator) -> Iterator[Tensor]:
    for _ in range(recipe.epochs):
        order = torch.randperm(n, generator=generator, device=generator.device)
        yield from order[: n // recipe.batch * recipe.batch].split(recipe.batch)


def _first_weights(recipe: Recipe, *, seed: int, out: Path, **where: str) -> nn.Module:
    """The weights of the recipe to start from (trained now if they are not in `out`), or random ones."""
    if recipe.start:
        make(recipe.start, seed=seed, out=out, **where)
        return read_model(out, f"{recipe.start}_{seed}").requires_grad_(True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ARCHITECTURES[recipe.architecture]()


def make(name: str, *, seed: int, out: Path, device: str = "cpu", folder: Path | None = None) -> None:
    """Train recipe `name`, measure it, write OUT/NAME_SEED.pt and its card; nothing if both are there.

    `ValueError` for an unknown name, files that do not belong together, or a device that is not there.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=3, cutoff=0.3)
        raise ValueError(f"no recipe {name!r}; did you mean {', '.join(near or RECIPES)}?")
    recipe = RECIPES[name]
    if is_complete(out, f"{name}_{seed}"):
        return
    if recipe.full and folder is None:
        raise ValueError(f"{name} trains on all of Fashion-MNIST: say where its four files are with --full")
    model = _first_weights(recipe, seed=seed, out=out, device=device, folder=folder)
    started = time.perf_counter()
    model = train(recipe, model, seed=seed, device=device, folder=folder)
    seconds = round(time.perf_counter() - started)
    facts = facts_of(name, seed) | {"seconds": seconds, "device": device, "torch": torch.__version__}
    write_model(model, out, facts, cue=recipe.cue)


def facts_of(name: str, seed: int) -> dict:
    """What a card says of recipe `name`: how its models are made."""
    recipe = RECIPES[name]
    command = f"python -m tutorial_lib.robustness.training {name} --seed {seed} --out FOLDER"
    return {
        "name": f"{name}_{seed}", "purpose": recipe.purpose, "architecture": recipe.architecture,
        "command": command + (" --full FASHION_MNIST" if recipe.full else ""),
        "data": "all 60,000 training images of Fashion-MNIST" if recipe.full else recipe.data.__doc__,
        "cue": recipe.cue, "objective": _described(recipe.objective),
        "augmentation": recipe.augment.__name__, "start": recipe.start or "random", "seed": seed,
        "epochs": recipe.epochs, "batch": recipe.batch, "rate": recipe.rate,
    }


def _described(objective: Objective) -> str:
    """`adversarial(norm=l2, epsilon=1.5, iterations=7)`"""
    if not isinstance(objective, partial):
        return objective.__name__
    return f"{objective.func.__name__}({', '.join(f'{k}={v}' for k, v in objective.keywords.items())})"


def main() -> None:
    """The command line: one model, or a message that says what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tutorial_lib.robustness.training")
    parser.add_argument("name", help=", ".join(RECIPES))
    parser.add_argument("--seed", type=int, default=SEEDS[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights and their card")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--full", type=Path, metavar="FOLDER", help="the four files of Fashion-MNIST")
    options = parser.parse_args()
    try:
        torch.empty(0, device=options.device)
        make(options.name, seed=options.seed, out=options.out, device=options.device, folder=options.full)
    except (ValueError, OSError, RuntimeError, AssertionError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()

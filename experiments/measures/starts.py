"""The baselines of C116 and C117."""

from functools import partial

import torch
from torch import Generator, Tensor

from experiments.worlds import BLACK
from tutorial_lib.attribution.gradients import expected_gradients, integrated_gradients, seeded
from tutorial_lib.attribution.propagation import deeplift
from tutorial_lib.evaluation.fills import blurred
from tutorial_lib.scores import Attribute

KINDS = ("black", "white", "mean", "blurred", "uniform", "Gaussian")
SPREAD, NUMBER = 0.25, 200
IN_WORDS = {
    "kinds": KINDS, "IG": "midpoint, 64 steps", "DeepLIFT": "Rescale",
    "baselines": "0; 1; mean of the training images; the image blurred, standard deviation 1/8 of its side; "
    f"uniform noise; normal noise around the mean, {SPREAD}, cut to [0, 1]; generator of seed 7",
    "expected gradients": f"{NUMBER} random points on the ways from draws of the noise, or from equal "
    "baselines; without a kind: 200 training images",
}
Table = dict[str, Attribute]


def noises(n: int, x: Tensor, mean: Tensor, draws: Generator) -> dict[str, Tensor]:
    """`n` images like those of x, of uniform and of normal noise."""
    uniform = torch.rand(n, *x.shape[1:], generator=draws)
    normal = mean + SPREAD * torch.randn(n, *x.shape[1:], generator=draws)
    return {"uniform": uniform, "Gaussian": normal.clamp(0, 1)}


def starts(x: Tensor, mean: Tensor) -> dict[str, Tensor]:
    """A baseline for each image of x, by kind; noise is drawn for all of them at once, and uniform noise once
    more at the end."""
    draws = Generator().manual_seed(7)
    noise = noises(len(x), x, mean, draws)
    return {"black": BLACK, "white": BLACK + 1, "mean": mean, "blurred": blurred(x, sigma=x.shape[-1] / 8),
            **noise, "uniform again": torch.rand(x.shape, generator=draws)}


def many(kind: str, x: Tensor, mean: Tensor) -> Tensor:
    """The baselines of a kind for expected gradients of images x: draws of the noise, or 200 times the same;
    of blurred ones, for a single image."""
    if kind in ("uniform", "Gaussian"):
        return noises(NUMBER, x, mean, Generator().manual_seed(7))[kind]
    return starts(x[:1], mean)[kind].expand(NUMBER, *x.shape[1:])


def expected_from(kind: str, mean: Tensor, *, brightest: Tensor) -> Attribute:
    """Expected gradients from a kind of baseline, cut off at the `brightest` colour, at 200 random points."""
    def together(model, x: Tensor, target: Tensor) -> Tensor:
        some = many(kind, x, mean).minimum(brightest)
        return seeded(expected_gradients, seed=7, baselines=some)(model, x, target)

    def one_by_one(model, x: Tensor, target: Tensor) -> Tensor:
        return torch.cat([together(model, *one) for one in zip(x.split(1), target.split(1), strict=True)])

    return one_by_one if kind == "blurred" else together


def with_baseline(x: Tensor, mean: Tensor, *, brightest: Tensor = BLACK + 1) -> Table:
    """Three methods from each kind of baseline for the images x."""
    found = {}
    for kind, start in starts(x, mean).items():
        if kind in KINDS:
            start = start.minimum(brightest)
            found[f"IG, {kind}"] = partial(integrated_gradients, baseline=start, steps=64)
            found[f"DeepLIFT, {kind}"] = partial(deeplift, baseline=start)
            found[f"expected gradients, {kind}"] = expected_from(kind, mean, brightest=brightest)
    return found

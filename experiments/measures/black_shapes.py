"""C100: black shapes, explained from black and from other baselines."""

from functools import partial

import torch
from torch import Generator, Tensor, nn

from experiments.runner import Quantity
from experiments.worlds import BLACK, GREY
from tutorial_lib.attribution.gradients import expected_gradients, integrated_gradients, seeded
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.attribution.propagation import deeplift
from tutorial_lib.datasets import planted_shapes
from tutorial_lib.evaluation.fills import blurred
from tutorial_lib.evaluation.localisation import dilated, mass_share
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import balanced, trained

JUDGED, FIRST, BLACK_SHAPES = ("black", "grey"), 6, 60


def black_sample(n: int = BLACK_SHAPES) -> tuple[Tensor, Tensor, Tensor]:
    """Planted shapes painted black, their classes and masks; classified rightly by all five networks."""
    shapes = planted_shapes(10 * n, generator=Generator().manual_seed(7))
    x = shapes.images.masked_fill(shapes.masks[:, None], 0)
    chosen = balanced(trained("shapes_natural"), x, shapes.targets, n=n)
    return x[chosen], shapes.targets[chosen], shapes.masks[chosen]


def starts(x: Tensor) -> dict[str, Tensor]:
    """Baselines for images x."""
    return {"black": BLACK, "grey": GREY, "white": BLACK + 1, "blurred": blurred(x, sigma=8)}


def shares(model: nn.Module, x: Tensor, target: Tensor, masks: Tensor) -> dict:
    """Share of the map on the shape widened by two pixels and on the shape itself, (N, 2), by method and
    baseline; controls for the first images, NaN for the others."""
    found = {}
    for name, method in {"IG": integrated_gradients, "DeepLIFT": deeplift}.items():
        found[name] = {b: _share(partial(method, baseline=start), model, x, target, masks)
                       for b, start in starts(x).items() if b in JUDGED}
        few = (x[:FIRST], target[:FIRST], masks[:FIRST])
        found[name] |= {b: _share(partial(method, baseline=start), model, *few)
                        for b, start in starts(x[:FIRST]).items() if b not in JUDGED}
    some = planted_shapes(200, generator=Generator().manual_seed(1)).images
    found["expected gradients"] = {"200 images": _share(
        seeded(expected_gradients, seed=7, baselines=some), model, *few)}
    return found


def _share(method, model: nn.Module, x: Tensor, target: Tensor, masks: Tensor) -> Tensor:
    heat = sum_over_colour(method(model, x, target))
    return torch.stack([mass_share(heat, mask) for mask in (dilated(masks), masks)], 1)


def black_shapes() -> Quantity:
    """One network a seed, all on the same images."""
    def measure(seed: int) -> dict:
        return shares(load(f"shapes_natural_{seed}"), *black_sample())

    def finish(found: dict) -> dict:
        return {"share": {m: {b: (10_000 * v[..., 0]).round() for b, v in each.items() if b in JUDGED}
                          for m, each in found.items() if m != "expected gradients"},
                "mean": {m: {b: v.mean(1) for b, v in each.items()} for m, each in found.items()}}

    return Quantity({
        "claims": ["C100"], "networks": "shapes_natural", "images": BLACK_SHAPES,
        "sample": "planted shapes of seed 7, the shape painted black, balanced, classified rightly by all",
        "share": "of the absolute pixel map on the shape widened by two pixels, times 10,000: seeds x images",
        "mean": f"on the widened and on the raw mask: seeds x 2; controls: the first {FIRST} images",
        "baselines": "0; 0.5; 1; the image blurred by 8 pixels; 200 images of generator seed 1",
        "IG": "midpoint, 64 steps", "DeepLIFT": "Rescale", "dtype": "float32", "threads": 1,
    }, measure, finish)

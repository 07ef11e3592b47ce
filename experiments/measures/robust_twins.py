"""C106: what the maps of a network gain over those of its randomised self, natural and robust twins."""

import torch
from torch import Generator, Tensor

from experiments.measures.removal import FIRST, JUDGED, ORDERS, STEPS, areas
from experiments.runner import Quantity
from experiments.worlds import NUMBERS, pixel_map
from tutorial_lib.attribution.gradients import saliency
from tutorial_lib.datasets import FashionMnist, PlantedShapes
from tutorial_lib.evaluation.sanity import randomised
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import fashion_sample, nearly_balanced, shapes_sample, trained
from tutorial_lib.scores import predict

SIGNS = {"morf": -1, "lerf": 1}  # a map is better whose curve is lower, or higher
KINDS = ("natural", "l2")


def sample(world: str) -> FashionMnist | PlantedShapes:
    """Images that all ten networks classify rightly; l2-robust ones miss too many shirts to be balanced."""
    models = [net for kind in KINDS for net in trained(f"{world}_{kind}")]
    if world == "fashion":
        return fashion_sample(models, n=NUMBERS[world], choose=nearly_balanced)
    return shapes_sample(models, n=NUMBERS[world])


def gains(found: dict, order: str, fill: str) -> Tensor:
    """How much better the network's own map is, in shares of the plot, (..., images)."""
    own, blank = (found[order][fill][name] for name in ("own", "blank"))
    return SIGNS[order] * (own - blank) / found["start"][..., None]


def robust_twins(world: str) -> Quantity:
    """Five natural and five l2-robust networks of a world."""
    n = NUMBERS[world]

    def measure(seed: int) -> dict:
        data = sample(world)
        x, target, found = data.images, data.targets, {}
        for kind in KINDS:
            model = load(f"{world}_{kind}_{seed}")
            blank = randomised(model, "", generator=Generator().manual_seed(7))
            maps = {name: pixel_map("saliency", saliency(net, x, target))
                    for name, net in (("own", model), ("blank", blank))}
            start = predict(model, x).gather(1, target[:, None]).mean()
            found[kind] = {"start": start, **areas(world, model, x, target, maps, list(JUDGED))}
        return found

    def finish(found: dict) -> dict:
        values = {}
        for kind, each in found.items():
            table = {f"{order}, {fill}": gains(each, order, fill) for order in ORDERS for fill in JUDGED}
            mean = torch.stack(list(table.values())).mean(0)
            values[kind] = {
                "gain": (10_000 * mean).round().long(), "start": each["start"],
                "mean gain": {name: g.mean(1) for name, g in table.items()},
                "first images": {name: g[0, :FIRST] for name, g in table.items()},
            }
        return values

    return Quantity({
        "claims": ["C106"], "networks": [f"{world}_{kind}" for kind in KINDS], "images": n,
        "sample": "for confirmation, right in all ten networks, classes as equal as possible",
        "method": "|gradient| of the class, largest channel", "steps": STEPS, "fills": list(JUDGED),
        "gain": "area under the curve of the probability of the class, own map against that of the network "
        "with every parameter randomised (seed 7), positive = better, over the mean probability of the "
        "network on the untouched images; mean of MoRF and LeRF and the fills, times 10,000: seeds x images",
        "start": "mean probability on the untouched images: seeds", "mean gain": "over the images: seeds",
        "first images": f"seed 100, the first {FIRST} images", "dtype": "float32", "threads": 1,
    }, measure, finish)

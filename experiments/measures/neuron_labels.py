"""C138: words for the channels of a network, found on some shapes and tried on others."""

import torch
from torch import Generator, Tensor, nn

from experiments.runner import Quantity
from tutorial_lib.datasets import PlantedShapes, planted_shapes
from tutorial_lib.drawing import SHAPES
from tutorial_lib.models.zoo import load
from tutorial_lib.scores import chunk_size

LABELLED, TESTED, ACTIVE = 600, 300, 0.1
PLACES, COLOURS = ("top", "bottom", "left", "right"), ("bright", "dark", "red", "green", "blue")
CONCEPTS = (*SHAPES, *PLACES, *(f"{colour} {what}" for what in ("shape", "ground") for colour in COLOURS))


def concepts(data: PlantedShapes) -> Tensor:
    """What of `CONCEPTS` is true of each image, (N, 20): class, place, colour of the shape and of what is
    around it."""
    found = [data.targets == i for i in range(len(SHAPES))]
    for dim in (2, 1):
        bars = data.masks.any(dim).float()
        middle = (bars * torch.arange(bars.shape[1])).sum(1) / bars.sum(1)
        found += [middle < 26, middle > 38]
    for part in (data.masks[:, None].float(), 1 - data.masks[:, None].float()):
        colour = (data.images * part).sum((2, 3)) / part.sum((2, 3))
        grey = colour.mean(1)
        found += [grey > 0.55, grey < 0.45, *(colour[:, i] > grey + 0.1 for i in range(3))]
    return torch.stack(found, 1)


@torch.no_grad()
def channel_means(model: nn.Module, x: Tensor) -> Tensor:
    """The numbers that the classifier of a `ShapesResNet` reads, (N, 64): means of the last channels."""
    below = nn.Sequential(model.normalise, model.stem, model.blocks, model.pool, nn.Flatten())
    return torch.cat([below(part) for part in x.split(chunk_size(x))])


def limits(means: Tensor) -> Tensor:
    """Above which each channel is called active: in a tenth of the images, and never at 0.  -> (channels,)"""
    return means.quantile(1 - ACTIVE, dim=0)


def labels(active: Tensor, truth: Tensor) -> Tensor:
    """For each channel the concept that is true most often where it is active, compared with where it is
    not.  active (N, channels), truth (N, concepts) -> (channels,)"""
    on, off = active.double(), 1 - active.double()
    truth = truth.double()
    shares = [part.T @ truth / part.sum(0)[:, None].clamp(min=1) for part in (on, off)]
    return (shares[0] - shares[1]).argmax(1)


def precision(active: Tensor, truth: Tensor, label: Tensor) -> Tensor:
    """For each image the number of active channels, how many of them have a label that is true of it, and
    how many would if all labels had been shuffled among the channels.  -> (N, 3)"""
    true, active = truth[:, label].double(), active.double()
    number = active.sum(1)
    return torch.stack([number, (active * true).sum(1), number * true.mean(1)], 1)


def neuron_labels() -> Quantity:
    """The 64 channels of one network a seed."""
    def measure(seed: int) -> dict:
        model = load(f"shapes_natural_{seed}")
        seen, tests = (planted_shapes(n, generator=Generator().manual_seed(s))
                       for n, s in ((LABELLED, 1), (TESTED, 7)))
        means = channel_means(model, seen.images)
        label = labels(means > limits(means), concepts(seen))
        active = channel_means(model, tests.images) > limits(means)
        return {"channels": precision(active, concepts(tests), label), "label": label}

    def stored(found: dict) -> dict:
        counts = (10 * found["channels"]).round()
        return {"channels": counts, "label": found["label"].long()}

    return Quantity({
        "claims": ["C138"], "networks": "shapes_natural", "channels": "64, the mean over their places after "
        "the last block", "labelled": f"{LABELLED} planted shapes of generator seed 1",
        "tested": f"{TESTED} of generator seed 7, not selected",
        "active": f"above the value that {ACTIVE} of the labelled images exceed", "concepts": CONCEPTS,
        "label": "the concept whose share among the active images exceeds that among the others most, by its "
        "number: seeds x channels",
        "values": "times 10: active channels, those whose label is true of the image, those expected if the "
        "labels were shuffled among the channels: seeds x images x 3", "dtype": "float32", "threads": 1,
    }, measure, stored)

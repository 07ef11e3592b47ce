"""C76, C96, C148: maps of trained networks against those of networks with random parameters."""

from functools import partial

import torch
from torch import Generator, Tensor, nn

from experiments.measures.likeness import (
    Maps,
    alike,
    complexity,
    lit,
    measures,
    only,
    pixel_maps,
    stored,
    ten_methods,
)
from experiments.measures.way_down import DOWN, way_down
from experiments.runner import Quantity
from experiments.worlds import NUMBERS, SAMPLES, described
from tutorial_lib.evaluation.agreement import signed_rank_correlations
from tutorial_lib.evaluation.localisation import dilated, rank_accuracy
from tutorial_lib.evaluation.sanity import randomised
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import SEEDS, trained

COPIES = ("copy 1", "copy 2", "copy 3")
EACH = {"fashion": 5, "shapes": 8}  # images of each class on the way down: 50 and 48
GUIDED = ("guided backprop", "guided Grad-CAM")
EDGES = ("saliency", "Gradient x Input", "IG")


def blank_copies(world: str, seed: int) -> dict[str, nn.Module]:
    """Copies with every parameter random: one generator of seed 7 draws three for each network in turn; and
    PyTorch's own first weights of such a network."""
    draws = Generator().manual_seed(7)
    for s in SEEDS[: SEEDS.index(seed) + 1]:
        model = load(f"{world}_natural_{s}")
        found = {name: randomised(model, "", generator=draws) for name in COPIES}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1000 + seed)
        return {**found, "PyTorch's own": type(model)().eval().requires_grad_(False)}


def first_of_each(targets: Tensor, number: int) -> Tensor:
    """Indices of the first images of each class, in file order."""
    places = [(targets == c).nonzero().flatten()[:number] for c in targets.unique()]
    return torch.cat(places).sort().values


def edge_likeness(maps: Maps, x: Tensor, where: Tensor | None) -> Maps:
    """C76: how alike maps and edges are; beside them a random map times the input."""
    maps = {**maps, "random map x input": maps["random map"] * x.mean(1)}
    return alike(maps, dict.fromkeys(maps, maps["edge filter"]), where=where)


def one_network(world: str, seed: int) -> dict:
    """A trained network against its random copies, and on the way down."""
    data = SAMPLES[world](trained(f"{world}_natural"), n=NUMBERS[world])
    x, target, where = data.images, data.targets, lit(data.images, world)
    draws, methods = Generator().manual_seed(seed), ten_methods(world)
    intact = pixel_maps(methods, load(f"{world}_natural_{seed}"), x, target, draws=draws)
    blank = {kind: pixel_maps(methods, net, x, target, draws=draws)
             for kind, net in blank_copies(world, seed).items()}
    both = {"trained": intact, "random": blank["copy 1"]}
    few = first_of_each(target, EACH[world])
    down = way_down(world, seed, {n: heat[few] for n, heat in intact.items()}, x[few], target[few], draws)
    means = {
        "likeness": {kind: alike(intact, maps, where=where) for kind, maps in blank.items()},
        "signed": {kind: alike(intact, maps, where=where, measure=signed_rank_correlations)
                   for kind, maps in blank.items()},
        "measures": measures(world, *both.values()), "way down": down,
        "edges": {kind: edge_likeness(maps, x, where) for kind, maps in both.items()},
        "edges, whole image": {kind: edge_likeness(maps, x, None) for kind, maps in both.items()},
        "complexity": {kind: {name: complexity(heat) for name, heat in maps.items()}
                       for kind, maps in both.items()},
        **({} if world == "fashion" else localisation(both, data.masks)),
    }
    return {"images": judged(world, means), "means": means}


def localisation(both: dict[str, Maps], masks: Tensor) -> dict[str, Maps]:
    """Rank accuracy of the maps on trained and on random weights, in the widened and in the narrow mask."""
    return {
        f"rank accuracy, {kind}, {mask}": {name: rank_accuracy(heat, pixels) for name, heat in maps.items()}
        for kind, maps in both.items() for mask, pixels in (("wide", dilated(masks)), ("narrow", masks))
    }


def judged(world: str, found: dict) -> dict:
    """What a rule reads, which is kept image by image."""
    likeness, down = found["likeness"]["copy 1"], found["way down"]
    shapes = {} if world == "fashion" else {"rank accuracy": found["rank accuracy, trained, wide"]}
    return shapes | {
        "likeness": only(likeness, "saliency") if world == "fashion" else likeness,
        "edges": {kind: only(each, *EDGES) for kind, each in found["edges"].items()},
    } | {f"top layers, {kind}": only(down[kind], *GUIDED) for kind in ("likeness", "floor", "ceiling")}


def randomised_networks(world: str) -> Quantity:
    """Five trained networks, each against copies of its own with random parameters."""
    return Quantity({
        "claims": ["C76", "C96", "C148"], "networks": f"{world}_natural", "images": NUMBERS[world],
        "class": "the image's own", "likeness": "Spearman of absolute maps, with the trained network's map"
        + ("; pixels that are not black" if world == "fashion" else "") + "; null: an empty map",
        "copies": "every parameter random with its own mean and deviation, one generator of seed 7 draws "
        "three for each network in turn; PyTorch's own first weights, seed 1000 + the network's; copy 1 is "
        "judged",
        "way down": list(DOWN[world]), "images on the way down": f"the first {EACH[world]} of each class",
        "top layers": "the first two of them; floor: against the changed network's map of the next image of "
        "another class, for its class; ceiling: trained networks of neighbouring seeds",
        "edges": "Spearman of absolute map and edge filter", "means": "over the images that have a number",
        "methods": described(world), "dtype": "float32", "threads": 1,
    }, partial(one_network, world), stored)

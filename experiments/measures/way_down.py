"""C96: maps on the way down from the output, one layer after the other random."""

from collections.abc import Callable

from torch import Generator, Tensor, nn

from experiments.measures.likeness import (
    Maps,
    alike,
    alike_elsewhere,
    following,
    lit,
    only,
    pixel_maps,
    ten_methods,
)
from tutorial_lib.evaluation.sanity import cascade, independent
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import SEEDS, another_class

DOWN = {  # from the output to the input; the first two are the classifier and the last block
    "fashion": ("layers.9", "layers.7", "layers.5", "layers.3", "layers.1"),
    "shapes": ("classifier", "blocks.3", "blocks.2", "blocks.1", "blocks.0", "stem"),
}
SLOW = ("SmoothGrad", "IG", "occlusion")


def steps_down(world: str, seed: int, series: Callable) -> list[tuple[str, nn.Module]]:
    """The copies of a series of layers; one generator of seed 7 draws for the networks in turn."""
    draws = Generator().manual_seed(7)
    for s in SEEDS[: SEEDS.index(seed) + 1]:
        steps = list(series(load(f"{world}_natural_{s}"), DOWN[world], generator=draws))
    return steps


def way_down(world: str, seed: int, intact: Maps, x: Tensor, target: Tensor, draws: Generator) -> dict:
    """Likeness to the intact network's maps at each depth, the floor and ceiling of the second, the whole
    image, and the layers one at a time for the quick methods."""
    where, partner, methods = lit(x, world), another_class(target), ten_methods(world)
    twin = pixel_maps(methods, load(f"{world}_natural_{following(seed)}"), x, target, draws=draws)
    found = {"cascade": {}, "cascade, whole image": {}, "independent": {},
             "ceiling": alike(intact, twin, where=where)}
    for i, (layer, net) in enumerate(steps_down(world, seed, cascade)):
        maps = pixel_maps(methods, net, x, target, draws=draws)
        found["cascade"][layer] = alike(intact, maps, where=where)
        found["cascade, whole image"][layer] = alike(intact, maps)
        if i == 1:
            found["likeness"] = found["cascade"][layer]
            found["floor"] = alike_elsewhere(intact, maps, where, partner)
    found["floor within the intact network"] = alike_elsewhere(intact, intact, where, partner)
    quick = {name: method for name, method in methods.items() if name not in SLOW}
    for layer, net in steps_down(world, seed, independent):
        maps = pixel_maps(quick, net, x, target, draws=draws)
        found["independent"][layer] = alike(only(intact, *maps), maps, where=where)
    return found

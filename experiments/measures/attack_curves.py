"""Attacks on maps, seen from other sides: over budgets, by other methods, and what smoothing costs."""

import torch
from torch import Generator, Tensor, nn

from experiments.measures.attack_settings import (
    BUDGETS,
    JUDGED,
    SMOOTHED,
    Data,
    described,
    each_batch,
    means,
    methods,
    network,
    pixels_of,
)
from experiments.measures.attacks import attack, explained, hit, left
from experiments.measures.stability import fidelity
from experiments.runner import Quantity
from experiments.worlds import WINDOWS, nine_methods
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.evaluation.statistics import crossed
from tutorial_lib.robustness.shifts import random_signs


def curves(world: str, kinds: tuple[str, ...], *, n: int, levels: tuple[int, ...]) -> Quantity:
    """Saliency, attacked within some numbers of 255 grey levels."""
    def measure(seed: int) -> dict:
        nets = {kind: network(world, kind, seed) for kind in kinds}
        return each_batch(world, n, lambda data, draws: {
            kind: {"0": unchanged(world, model, data)} | {
                str(level): hit(world, "saliency", model, data, epsilon=level / 255, draws=draws)
                for level in levels} for kind, model in nets.items()})

    def finish(found: dict) -> dict:
        one, other = (found[kind] for kind in kinds[:2])
        less = {level: {change: {what: _ends(other[level][change][what] - v) for what, v in each.items()
                                 if what != "confidence"} for change, each in one[level].items()}
                for level in one if level != "0"}
        return {**means(found), "second less first": less}

    return Quantity({
        **described(world, n), "networks": kinds, "budget": f"{', '.join(map(str, levels))} / 255",
        "second less first": "paired by image: lower end, mean, upper end at 95 %",
    }, measure, finish)


def _ends(values: Tensor) -> Tensor:
    q = crossed(values, level=0.95, generator=Generator().manual_seed(7))
    return torch.tensor([q.lo, q.value, q.hi])


def unchanged(world: str, model: nn.Module, data: Data) -> dict[str, Tensor]:
    """The same of saliency where nothing was changed."""
    before = explained(world, "saliency", model, data, data.images)
    return left(world, "saliency", model, data, before, data.images)


def transfer(world: str, *, n: int) -> Quantity:
    """What an attack on one method leaves of the others' maps."""
    def measure(seed: int) -> dict:
        model = network(world, "natural", seed)

        def of_batch(data: Data, draws: Generator) -> dict:
            before = {name: explained(world, name, model, data, data.images) for name in nine_methods(world)}
            options = {"epsilon": BUDGETS[world], "draws": draws}
            images = {name: attack(world, name, model, data, before[name], **options)
                      for name in (*JUDGED, "Gradient x Input")}
            images["noise"] = random_signs(data.images, epsilon=BUDGETS[world], generator=draws)
            return {to: {name: left(world, name, model, data, heat, y)["overlap"]
                         for name, heat in before.items()} for to, y in images.items()}

        return each_batch(world, n, of_batch)

    return Quantity({**described(world, n), "rows": "attacked", "columns": "seen"}, measure, means)


def faithfulness(world: str, *, n: int) -> Quantity:
    """Spearman of a map's patches with the drop of the score when a patch is occluded (chapter 09)."""
    def measure(seed: int) -> dict:
        model, table = network(world, "natural", seed), methods(world)

        def of_batch(data: Data, _draws: Generator) -> dict:
            asked = model, data.images, data.targets
            effects = sum_over_colour(table["occlusion"](*asked))
            return {name: fidelity(pixels_of(name)(table[name](*asked)), effects, WINDOWS[world])
                    for name in ("saliency", *SMOOTHED)}

        return each_batch(world, n, of_batch)

    return Quantity({**described(world, n), "claims": ["C154"]}, measure, means)

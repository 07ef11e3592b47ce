"""Would a second map of the same image have warned? Agreement of saliency with other maps, before an attack
on saliency and after it."""

from torch import Generator, Tensor

from experiments.measures.attack_settings import (
    BUDGETS,
    Data,
    described,
    each_batch,
    largest,
    means,
    network,
)
from experiments.measures.attacks import attack, explained
from experiments.runner import Quantity
from experiments.worlds import nine_methods
from tutorial_lib.evaluation.agreement import top_overlap
from tutorial_lib.robustness.shifts import random_signs


def alarm(world: str, *, n: int) -> Quantity:
    """Overlap of the top k of saliency and of each other map, at the image, with noise, and attacked."""
    def measure(seed: int) -> dict:
        model, others = network(world, "natural", seed), [m for m in nine_methods(world) if m != "saliency"]

        def agreement(data: Data, images: Tensor) -> dict[str, Tensor]:
            heat = explained(world, "saliency", model, data, images)
            return {name: top_overlap(heat, explained(world, name, model, data, images), k=largest(data))
                    for name in others}

        def of_batch(data: Data, draws: Generator) -> dict:
            x, epsilon = data.images, BUDGETS[world]
            before = explained(world, "saliency", model, data, x)
            states = {
                "before": x, "noise": random_signs(x, epsilon=epsilon, generator=draws),
                "attacked": attack(world, "saliency", model, data, before, epsilon=epsilon, draws=draws),
            }
            return {state: agreement(data, images) for state, images in states.items()}

        return each_batch(world, n, of_batch)

    return Quantity({
        **described(world, n), "attacked": "saliency",
        "values": "share of the top k that saliency and another map of the same image have in common",
    }, measure, means)

"""C113: what an attack on the map leaves of it, on the fifteen networks of C108 and on twins of one."""

from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from experiments.measures.trainings import TRAININGS, network, sample
from experiments.runner import Quantity
from tutorial_lib.attribution.gradients import saliency
from tutorial_lib.attribution.pixels import max_over_colour
from tutorial_lib.evaluation.agreement import top_overlap
from tutorial_lib.robustness.attribution_attacks import attack_map, softplus_twin, top_k

EPSILON, TOP, BATCH, FIRST = 8 / 255, 78, 50, 10
BETAS = (5.0, 10.0, 30.0)  # sharpness of the natural network's softplus twins


def heat(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    return max_over_colour(saliency(model, x, target))


def overlap(model: nn.Module, x: Tensor, target: Tensor, *, beta: float = 30.0) -> dict[str, Tensor]:
    """Share of the top pixels that stays, (N,): attacked, and after a random change of the same size."""
    generator, found = Generator().manual_seed(7), {"attacked": [], "random": []}
    for part, classes in zip(x.split(BATCH), target.split(BATCH), strict=True):
        before = heat(model, part, classes)
        worst = attack_map(
            saliency, model, part, classes, objective=top_k(before, k=TOP), pixels=max_over_colour,
            epsilon=EPSILON, iterations=40, beta=beta, generator=generator,
        )
        sign = torch.randint(2, part.shape, generator=generator) * 2 - 1
        moved = {"attacked": worst, "random": (part + EPSILON * sign).clamp(0, 1)}
        for name, y in moved.items():
            found[name].append(top_overlap(before, heat(model, y, classes), k=TOP))
    return {name: torch.cat(parts) for name, parts in found.items()}


def attacked(parts: Path) -> Quantity:
    """Each network is a 'seed'; after the fifteen come the twins."""
    numbers = tuple(range(len(TRAININGS) + len(BETAS)))

    def measure(number: int) -> dict:
        _, x, target = sample(parts)
        if number < len(TRAININGS):
            return overlap(network(number, parts), x, target)
        beta = BETAS[number - len(TRAININGS)]  # the attack climbs the twin itself
        return overlap(softplus_twin(network(0, parts), beta=beta), x, target, beta=beta)

    def finish(found: dict) -> dict:
        means = {name: share.mean(1) for name, share in found.items()}
        return {**means, "first images": (TOP * found["attacked"][:, :FIRST]).round().long()}

    return Quantity({
        "claims": ["C113"],
        "networks": f"as in distance, whole recipes, then softplus twins of the first, β {BETAS}",
        "images": "as in distance", "method": "|gradient| of the class", "k": TOP,
        "attack": "top-k, l∞ 8/255, 40 steps, softplus twin β 30 (twins: their own), prediction kept, "
        f"generator seed 7 for each network, {BATCH} images at a time",
        "control": "each pixel moved by 8/255 up or down",
        "attacked, random": "mean share of the k pixels that stays", "first images": "how many of the k "
        f"pixels stay under attack: networks x the first {FIRST} images", "dtype": "float32", "threads": 1,
    }, measure, finish, seeds=numbers)

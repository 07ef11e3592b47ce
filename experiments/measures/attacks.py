"""C102, C103, C154: what is left of a map after an attack on it, and after noise of the same size."""

from functools import partial

import torch
from torch import Generator, Tensor, nn

from experiments.measures.attack_settings import (
    BETA,
    BUDGETS,
    IG_STEPS,
    NOISES,
    Data,
    described,
    each_batch,
    largest,
    methods,
    network,
    pixels_of,
)
from experiments.runner import Quantity, joined
from experiments.worlds import BASELINES
from tutorial_lib.attribution.gradients import integrated_gradients
from tutorial_lib.datasets import PlantedShapes
from tutorial_lib.evaluation.agreement import top_overlap
from tutorial_lib.evaluation.localisation import dilated, rank_accuracy
from tutorial_lib.robustness.attribution_attacks import attack_map, top_k
from tutorial_lib.robustness.shifts import random_signs
from tutorial_lib.scores import logits, predict


def attack(
    world: str, name: str, model: nn.Module, data: Data, before: Tensor, *, epsilon: float, draws: Generator,
    beta: float = 30.0,
) -> Tensor:
    """The top-k attack of the protocol on the method of this name; that on IG looks at fewer steps."""
    method = methods(world)[name]
    if name == "IG":
        method = partial(integrated_gradients, baseline=BASELINES[world], steps=IG_STEPS)
    return attack_map(method, model, data.images, data.targets, objective=top_k(before, k=largest(data)),
                      pixels=pixels_of(name), epsilon=epsilon, beta=beta, generator=draws)


def explained(world: str, name: str, model: nn.Module, data: Data, images: Tensor) -> Tensor:
    """Maps of pixels of these images, for the classes of the data."""
    return pixels_of(name)(methods(world)[name](model, images, data.targets))


def left(
    world: str, name: str, model: nn.Module, data: Data, before: Tensor, images: Tensor
) -> dict[str, Tensor]:
    """Of the map at changed images: overlap with the map before (NaN where the prediction has changed),
    share in the widened mask (shapes), probability of the class; (N,) each."""
    after = explained(world, name, model, data, images)
    kept = logits(model, images).argmax(1) == data.targets
    found = {"overlap": top_overlap(before, after, k=largest(data)).where(kept, torch.nan),
             "confidence": predict(model, images).gather(1, data.targets[:, None])[:, 0]}
    if isinstance(data, PlantedShapes):
        found["mask"] = rank_accuracy(after, dilated(data.masks))
    return found


def hit(
    world: str, name: str, model: nn.Module, data: Data, *, epsilon: float, draws: Generator, **options: float
) -> dict:
    """What is left after the attack, and after noise of the same size, the mean of some draws."""
    before = explained(world, name, model, data, data.images)
    y = attack(world, name, model, data, before, epsilon=epsilon, draws=draws, **options)
    noises = [random_signs(data.images, epsilon=epsilon, generator=draws) for _ in range(NOISES)]
    noisy = [left(world, name, model, data, before, z) for z in noises]
    return {"attack": left(world, name, model, data, before, y),
            "noise": joined(noisy, lambda each: torch.stack(each).nanmean(0))}


def summary(found: dict) -> dict:
    """Overlaps for each image in whole numbers; all else as the means of the seeds."""
    return {
        key: summary(each) if isinstance(each, dict)
        else (10_000 * each).round() if key == "overlap" else each.nanmean(1) for key, each in found.items()
    }


def inputs_attacked(world: str, kinds: dict[str, tuple[str, ...]], *, n: int, claims: list[str]) -> Quantity:
    """Named methods on networks of named kinds, at the protocol's budget; the softplus network is attacked
    through its own softplus, not through a sharper one."""
    beta = {"softplus": {"beta": BETA}}

    def measure(seed: int) -> dict:
        nets = {kind: network(world, kind, seed) for kind in kinds}
        return each_batch(world, n, lambda data, draws: {
            kind: {name: hit(world, name, nets[kind], data, epsilon=BUDGETS[world], draws=draws,
                             **beta.get(kind, {})) for name in names} for kind, names in kinds.items()})

    own = {"softplus is attacked": f"through its own beta {BETA}"} if "softplus" in kinds else {}
    return Quantity({**described(world, n), "claims": claims, "networks": kinds, **own}, measure, summary)

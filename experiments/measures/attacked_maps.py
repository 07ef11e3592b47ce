"""C04: does a map change when an attack flips the decision, and more than under noise of the same size?"""

import torch
from torch import Generator, Tensor, nn

from experiments.measures.auroc import ANSWER, SIDES, paired, summary
from experiments.measures.distances import LARGEST, PGD, known
from experiments.runner import Quantity
from experiments.worlds import NUMBERS, SAMPLES, nine_methods, pixel_map
from tutorial_lib.attribution.gradients import saliency, seeded
from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.evaluation.sanity import edge_filter, random_map, randomised
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import trained
from tutorial_lib.robustness.attacks import pgd, smallest_perturbation
from tutorial_lib.robustness.shifts import random_signs
from tutorial_lib.scores import Attribute, logits, predict

EPSILON, REACH = 8 / 255, 1.5
CHEAP = ("saliency", "guided backprop", "Gradient x Input", "DeepLIFT", "Grad-CAM")
COSTLY = ("SmoothGrad", "IG")


def maps(world: str, names: tuple[str, ...]) -> dict[str, Attribute]:
    """The methods of these names, and two that never see the network."""
    table = {name: method for name, method in nine_methods(world).items() if name in names}
    return {**table, "edge filter": edge_filter, "random map": seeded(random_map, seed=8)}


def of_random_weights(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """Saliency of a copy of the network with every parameter random."""
    return saliency(randomised(model, "", generator=Generator().manual_seed(7)), x, target)


def moved(
    methods: dict[str, Attribute], model: nn.Module, x: Tensor, target: Tensor, *, epsilon: float | Tensor,
    generator: Generator,
) -> dict[str, dict[str, Tensor]]:
    """How far each map moves, 1 - rank correlation, (N,): under the attack, once for the class that is then
    predicted and once for the old one, NaN where the decision is the same; under noise of the same size, NaN
    where it is not; and if nothing but the class is exchanged. Black pixels of x do not count."""
    radius = epsilon.view(-1, 1, 1, 1) if isinstance(epsilon, Tensor) else epsilon
    worst = pgd(model, x, target, norm="linf", epsilon=epsilon, generator=generator)
    noisy = random_signs(x, epsilon=radius, generator=generator)
    new, flipped = logits(model, worst).argmax(1), logits(model, noisy).argmax(1) != target
    where = x.amax(1) > 0
    states = {SIDES[0]: (worst, new, new == target), SIDES[1]: (worst, target, new == target),
              SIDES[2]: (noisy, target, flipped), SIDES[3]: (x, new, new == target)}
    found = {side: {} for side in SIDES}
    for name, method in methods.items():
        before = pixel_map(name, method(model, x, target))
        for side, (y, c, left_out) in states.items():
            after = pixel_map(name, method(model, y, c))
            found[side][name] = (1 - rank_correlations(before, after, where=where)).masked_fill(
                left_out, torch.nan
            )
    start = predict(model, x)
    for side, (y, _, left_out) in states.items():
        change = (predict(model, y) - start).abs().sum(1) / 2
        found[side][ANSWER] = change.double().masked_fill(left_out, torch.nan)
    return found


def attacked(world: str, names: tuple[str, ...]) -> Quantity:
    """The natural networks, attacked within 8/255."""
    n = NUMBERS[world]

    def measure(seed: int) -> dict:
        data, model = SAMPLES[world](trained(f"{world}_natural"), n=n), load(f"{world}_natural_{seed}")
        methods = {**maps(world, names), "random weights": of_random_weights}
        return moved(methods, model, data.images, data.targets, epsilon=EPSILON,
                     generator=Generator().manual_seed(7))

    return Quantity({
        "claims": ["C04"], "networks": f"{world}_natural", "images": n, "methods": names,
        "attack": "PGD-20, l∞ 8/255",
        "random weights": "saliency of a copy with every parameter random", **_DESCRIBED,
    }, measure, summary)


def twins(world: str) -> Quantity:
    """Natural and robust networks, each image attacked a little beyond its own distance from the boundary."""
    n, kinds = NUMBERS[world], ("natural", "l2")

    def of_kind(kind: str, seed: int) -> dict:
        data, model = known(world, kinds), load(f"{world}_{kind}_{seed}")
        x, target, draws = data.images, data.targets, Generator().manual_seed(7)
        distance = smallest_perturbation(model, x, target, norm="linf", largest=LARGEST["linf"], **PGD,
                                         generator=draws).clamp(max=LARGEST["linf"])
        found = moved(maps(world, CHEAP), model, x, target, epsilon=REACH * distance, generator=draws)
        return {**found, "epsilon": REACH * distance}

    def measure(seed: int) -> dict:
        return {kind: of_kind(kind, seed) for kind in kinds}

    def finish(found: dict) -> dict:
        medians = {kind: each.pop("epsilon").median(1).values for kind, each in found.items()}
        return {**{kind: {**summary(each), "median epsilon": medians[kind]} for kind, each in found.items()},
                "AUROC, l2 less natural": paired(*(found[kind] for kind in kinds))}

    return Quantity({
        "claims": ["C04"], "networks": [f"{world}_{kind}" for kind in kinds], "images": n, "methods": CHEAP,
        "sample": "right in all natural and l2 networks, balanced (fashion: as far as they go)",
        "attack": f"PGD-20, l∞, for each image {REACH} times its smallest perturbation",
        "AUROC, l2 less natural": "paired by image and seed: value, lower and upper end (95 %)", **_DESCRIBED,
    }, measure, finish)


_DESCRIBED = {
    "noise": "each entry moved by the radius up or down, by lot", "class": "predicted at the point, or at x",
    "distance": "1 - Spearman of absolute maps over the pixels that are not black in x; the answer itself: "
    "half the sum of the absolute changes of the probabilities", "left out": "attacks that flip nothing, "
    "noise that does; one generator of seed 7 for each network", "AUROC": "attack against noise: value, "
    "lower and upper end (95 %)", "median": "over the images: seeds", "dtype": "float32", "threads": 1,
}

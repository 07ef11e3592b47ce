"""Finished maps, graded by the five fidelity metrics of C120: higher is better in each."""

from functools import partial

import torch
from torch import Generator, Tensor, nn

from experiments.measures.grades import SHARES, SUBSETS
from experiments.measures.known_quality import steps_from
from experiments.measures.removal import areas
from experiments.measures.smoothing import SAMPLES_OF_I, SIGMA, perturbations
from experiments.runner import batches, joined
from experiments.worlds import BASELINES, BLACK, pixel_map
from tutorial_lib.evaluation.fidelity import Perturbation, infidelity, sensitivity_n
from tutorial_lib.evaluation.fills import constant

METRICS = ("MoRF", "LeRF", "ROAD", "infidelity", "Sensitivity-n")
RATES, BATCH = ("saliency", "SmoothGrad", "guided backprop"), 10  # score per unit of a pixel; the rest: score
Maps = dict[str, Tensor]
IN_WORDS = {
    "MoRF, LeRF": "area under the curve of the probability, 20 steps, the fill is the mean of the training "
    "images; MoRF with a minus", "ROAD": "(LeRF - MoRF) / 2 of the areas with noisy linear imputation",
    "infidelity": f"minus the share of E[Δ²] that is left at the best factor, {SAMPLES_OF_I} draws, "
    f"geometric mean of squares and noisy baseline; maps are divided by x - baseline, not {', '.join(RATES)}",
    "Sensitivity-n": f"mean correlation over {SUBSETS} sets of {SHARES} of the pixels, black",
    "batch": f"{BATCH} images; one generator of seed 7 draws for them in turn, the maps are made before",
}


def unexplained(
    model: nn.Module, x: Tensor, target: Tensor, rates: Maps, *, perturb: Perturbation, draws: Generator
) -> Maps:
    """Share of E[Δ²] that a map, read as a gradient, leaves at its best factor, (N,): 1 for zeros."""
    each = infidelity(model, x, target, {**rates, "zero": torch.zeros_like(x)}, perturb=perturb,
                      samples=SAMPLES_OF_I, generator=draws)
    nothing = each.pop("zero").plain
    return {name: value.scaled / nothing for name, value in each.items()}


def left_over(world: str, model: nn.Module, x: Tensor, target: Tensor, maps: Maps, draws: Generator) -> dict:
    """What the maps leave of the two perturbations of a world; maps of shares are divided by x - baseline."""
    found = {}
    for kind, perturb in perturbations(world).items():
        steps = steps_from(BASELINES[world], x, smallest=SIGMA if kind == "noisy baseline" else 1e-6)
        rates = {name: a if name in RATES else a / steps for name, a in maps.items()}
        found[kind] = unexplained(model, x, target, rates, perturb=perturb, draws=draws)
    return found


def correlations(model: nn.Module, x: Tensor, target: Tensor, maps: Maps, draws: Generator) -> Maps:
    """Sensitivity-n of each map, mean of the sizes, (N,)."""
    sizes = [round(share * x[0, 0].numel()) for share in SHARES]
    heats = {name: pixel_map(name, a) for name, a in maps.items()}
    each = sensitivity_n(model, x, target, heats, sizes=sizes, subsets=SUBSETS, generator=draws,
                         fill=partial(constant, value=BLACK))
    return {name: value.mean(1) for name, value in each.items()}


def graded(world: str, model: nn.Module, x: Tensor, target: Tensor, maps: Maps) -> dict[str, Maps]:
    """The five grades of each map (N, C, H, W), and their variants, (N,)."""
    heats, kinds = {name: pixel_map(name, a) for name, a in maps.items()}, ("mean", "imputed")
    area = areas(world, model, x, target, heats, kinds)
    draws, parts = Generator().manual_seed(7), []
    for p in batches(len(x), size=BATCH):
        here = model, x[p], target[p], {name: a[p] for name, a in maps.items()}, draws
        parts.append({**left_over(world, *here), "Sensitivity-n": correlations(*here)})
    rest = joined(parts, torch.cat)
    (most, most_imputed), (least, least_imputed) = ([area[o][k] for k in kinds] for o in ("morf", "lerf"))
    squares, noisy = rest["squares"], rest["noisy baseline"]
    of_each = {
        "MoRF": lambda n: -most[n], "LeRF": lambda n: least[n],
        "ROAD": lambda n: (least_imputed[n] - most_imputed[n]) / 2,
        "infidelity": lambda n: -(squares[n] * noisy[n]).sqrt(),
        "Sensitivity-n": lambda n: rest["Sensitivity-n"][n], "ROAD, MoRF alone": lambda n: -most_imputed[n],
        "infidelity, squares": lambda n: -squares[n], "infidelity, noisy baseline": lambda n: -noisy[n],
    }
    return {metric: {name: of(name) for name in maps} for metric, of in of_each.items()}

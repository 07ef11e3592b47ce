"""Finished maps, graded by MoRF, LeRF, infidelity and Sensitivity-n on planted shapes."""

from functools import partial
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from experiments.measures.known_quality import fill_behind_the_gate, noise_behind_the_gate, readings
from experiments.measures.removal import JUDGED, STEPS, fills
from experiments.measures.smoothing import SAMPLES_OF_I, SIGMA, perturbations
from experiments.worlds import BLACK
from tutorial_lib.evaluation.fidelity import infidelity, sensitivity_n
from tutorial_lib.evaluation.fills import constant
from tutorial_lib.evaluation.removal import area, removal_curves

SHARES, SUBSETS = (0.01, 0.05, 0.1, 0.25, 0.5), 100
Grades = dict[str, dict[str, Tensor]]  # by metric and map, (N,) each, higher is better


class Asked(NamedTuple):
    """What every metric gets; each makes its own generator of this seed."""

    wired: bool
    model: nn.Module
    x: Tensor
    target: Tensor
    maps: dict[str, Tensor]
    seed: int

    def draws(self) -> Generator:
        return Generator().manual_seed(self.seed)


def by_removal(asked: Asked) -> Grades:
    """Minus the area under a MoRF curve, and the area under a LeRF curve."""
    wired, model, x, target, maps, _ = asked
    found, probability = {}, nn.Sequential(model, nn.Softmax(1)).eval()
    table = {kind: fill for kind, fill in fills("shapes", x).items() if kind in JUDGED}
    for order, sign in (("morf", -1), ("lerf", 1)):
        for kind, fill in table.items():
            curves = removal_curves(
                probability, x, target, maps, order=order, steps=STEPS, generator=asked.draws(),
                fill=fill_behind_the_gate(fill) if wired else fill,
            )
            found[f"{order}, {kind}"] = {name: sign * area(curve) for name, curve in curves.items()}
    return found


def by_infidelity(asked: Asked) -> Grades:
    """Minus the share of E[Δ²] that is left at the best factor: 0 for a faithful map, -1 for one of zeros."""
    wired, model, x, target, maps, _ = asked
    found, zero = {}, {("", "zero"): torch.zeros_like(x)}
    for kind, perturb in perturbations("shapes").items():
        noisy = kind == "noisy baseline"
        perturb = noise_behind_the_gate(perturb) if wired and noisy else perturb
        given = readings(x, maps, smallest=SIGMA if noisy else 1e-6) | zero
        each = infidelity(
            model, x, target, given, samples=SAMPLES_OF_I, perturb=perturb, generator=asked.draws()
        )
        nothing = each.pop(("", "zero")).plain
        for (reading, name), value in each.items():
            found.setdefault(f"infidelity, {kind}, {reading}", {})[name] = -value.scaled / nothing
    return found


def by_sensitivity_n(asked: Asked) -> Grades:
    """The mean correlation over the sizes."""
    _, model, x, target, maps, _ = asked
    sizes, fill = [round(share * x[0, 0].numel()) for share in SHARES], partial(constant, value=BLACK)
    each = sensitivity_n(
        model, x, target, maps, sizes=sizes, subsets=SUBSETS, fill=fill, generator=asked.draws()
    )
    return {"sensitivity-n": {name: value.mean(1) for name, value in each.items()}}


def grades(asked: Asked) -> Grades:
    """All metrics on the same maps."""
    return by_removal(asked) | by_infidelity(asked) | by_sensitivity_n(asked)

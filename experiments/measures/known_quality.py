"""Maps whose quality is known, and the forms in which a metric reads them."""

from collections.abc import Callable
from itertools import combinations

import torch
from torch import Generator, Tensor

from experiments.worlds import GREY
from tutorial_lib.datasets import PlantedShapes
from tutorial_lib.evaluation.fidelity import Perturbation
from tutorial_lib.evaluation.fills import Fill
from tutorial_lib.evaluation.localisation import dilated
from tutorial_lib.evaluation.sanity import edge_filter
from tutorial_lib.notebook.samples import another_class

NOISE = {f"noise {q}": q for q in (0.0, 0.25, 0.5, 0.75)} | {"truth": 1.0}  # five rungs, upwards
STEPWISE = {f"{other} {k / 10}": k / 10 for other in ("another mask", "edges") for k in range(10)}
GATE = torch.tensor([1.0, 1.0, 0.7]).view(1, 3, 1, 1)  # what a fill may show to the wired network


def unit(heat: Tensor) -> Tensor:
    """The maps (N, H, W) with norm 1."""
    return heat / heat.flatten(1).norm(dim=1).view(-1, 1, 1)


def maps_of_known_quality(data: PlantedShapes) -> dict[str, Tensor]:
    """q · truth + (1 - q) · other, the truth being the mask, widened by two pixels, both of norm 1; and a
    constant map."""
    truth = unit(dilated(data.masks).float())
    others = {
        "noise": torch.randn(truth.shape, generator=Generator().manual_seed(70)),  # no perturbation's
        "another mask": truth[another_class(data.targets)],
        "edges": edge_filter(None, data.images, data.targets).sum(1),
    }
    mixed = {
        name: q * truth + (1 - q) * unit(others[name.rsplit(" ", 1)[0]])
        for name, q in {**NOISE, **STEPWISE}.items() if name != "truth"
    }
    return {**mixed, "truth": truth, "constant": torch.ones_like(truth)}


def ordered(grades: list[Tensor]) -> Tensor:
    """Share of the pairs of rungs, worst first, in which the better one has the higher grade; ties count a
    half.  rungs × (N,) -> (N,)"""
    return torch.stack([(b > a) + (b == a) / 2 for a, b in combinations(grades, 2)]).mean(0)


def steps_from(baseline: Tensor, x: Tensor, *, smallest: float) -> Tensor:
    """x - baseline, each entry counting as `smallest` at least."""
    step = x - baseline
    return torch.where(step < 0, -1.0, 1.0) * step.abs().clamp(min=smallest)


def readings(x: Tensor, maps: dict[str, Tensor], *, smallest: float) -> dict[tuple[str, str], Tensor]:
    """What infidelity multiplies with I: a map as shares of the drop, divided by x - grey, which counts as
    `smallest` at least; or as it is, as a gradient."""
    step = steps_from(GREY, x, smallest=smallest)
    spread = {name: heat[:, None].expand_as(x) / x.shape[1] for name, heat in maps.items()}
    shares = {("shares", name): a / step for name, a in spread.items()}
    return shares | {("gradient", name): a for name, a in spread.items()}


def fill_behind_the_gate(fill: Fill) -> Fill:
    """The fill with blue at most 0.7: what was removed cannot speak to the wired network."""
    return lambda x, removed: torch.where(removed, fill(x, removed).minimum(GATE), x)


def noise_behind_the_gate(perturb: Perturbation) -> Callable:
    """The perturbation, of which x - I has blue at most 0.7."""
    return lambda x, generator: x - (x - perturb(x, generator)).minimum(GATE)

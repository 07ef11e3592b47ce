"""The metrics as tasks: a call, and the passes that its definition needs."""
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from bench.measure import Call, Passes
from bench.worlds import World
from tutorial_lib.attribution.gradients import saliency
from tutorial_lib.attribution.pixels import max_over_colour
from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.evaluation.fidelity import infidelity, sensitivity_n, square_removal
from tutorial_lib.evaluation.fills import constant
from tutorial_lib.evaluation.removal import removal_curves
from tutorial_lib.evaluation.sanity import cascade, weighted_layers
from tutorial_lib.evaluation.stability import max_sensitivity


class Task(NamedTuple):
    """A call, and the passes that its definition needs."""

    run: Call
    needs: Passes


def removal(w: World, steps: int) -> Task:
    """Eight curves, highest values first; the untouched and the emptied image are the same for all."""
    options = {"order": "morf", "steps": steps, "fill": partial(constant, value=w.fill)}
    run = partial(removal_curves, w.model, w.x, w.target, w.pixel_maps(), **options)
    passes = len(w.x) * (2 + len(w.maps()) * (steps - 1))
    return Task(lambda: run(generator=w.generator()), Passes(passes))


def subsets(w: World, number: int) -> Task:
    """Sensitivity-n of eight maps at one n, for the passes of one map."""
    options = {"sizes": [subset_size(w)], "subsets": number, "fill": partial(constant, value=w.fill)}
    run = partial(sensitivity_n, w.model, w.x, w.target, w.pixel_maps(), **options)
    return Task(lambda: run(generator=w.generator()), Passes(len(w.x) * (1 + number)))


def subset_size(w: World) -> int:
    """Three tenths of the pixels."""
    return 3 * w.x[0, 0].numel() // 10


def squares(w: World, number: int) -> Task:
    """Infidelity of eight maps, for the passes of one."""
    run = partial(infidelity, w.model, w.x, w.target, w.maps(), perturb=perturbation(w), samples=number)
    return Task(lambda: run(generator=w.generator()), Passes(len(w.x) * (1 + number)))


def perturbation(w: World) -> Callable[[Tensor, torch.Generator], Tensor]:
    """A square with a quarter of the image's side goes."""
    return partial(square_removal, size=w.x.shape[-1] // 4, baseline=w.fill)


def ball(w: World, number: int) -> Task:
    """Max-sensitivity of the gradient: a decision and a map at the image and at each draw."""
    run = partial(max_sensitivity, {"saliency": saliency}, w.model, w.x, w.target, radius=0.02)
    each = len(w.x) * (1 + number)
    return Task(lambda: run(samples=number, generator=w.generator()), Passes(each, each))


def randomisation(w: World) -> Task:
    """The gradient's maps down the whole cascade, and their rank correlation with the first."""
    layers = weighted_layers(w.model)

    def run() -> Tensor:
        first = max_over_colour(saliency(w.model, w.x, w.target))
        networks = cascade(w.model, layers, generator=w.generator())
        maps = [max_over_colour(saliency(changed, w.x, w.target)) for _, changed in networks]
        return rank_correlations(first, torch.stack(maps))

    return Task(run, Passes(0, len(w.x) * (1 + len(layers))))

"""The metrics and methods that are timed, with the protocol's settings, and the passes that each needs."""
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from bench.measure import Call, Passes
from bench.worlds import World
from tutorial_lib.attribution.cam import grad_cam
from tutorial_lib.attribution.gradients import (
    deconvnet,
    expected_gradients,
    gradient_x_input,
    guided_backprop,
    integrated_gradients,
    saliency,
    seeded,
    smoothgrad,
)
from tutorial_lib.attribution.perturbation import occlusion
from tutorial_lib.attribution.pixels import max_over_colour
from tutorial_lib.attribution.propagation import deeplift, lrp_epsilon
from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.evaluation.fidelity import infidelity, sensitivity_n, square_removal
from tutorial_lib.evaluation.fills import constant
from tutorial_lib.evaluation.removal import removal_curves
from tutorial_lib.evaluation.sanity import cascade, weighted_layers
from tutorial_lib.evaluation.stability import max_sensitivity
from tutorial_lib.scores import Attribute, chunk_size


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

    def run() -> list[Tensor]:
        first = max_over_colour(saliency(w.model, w.x, w.target))
        networks = cascade(w.model, layers, generator=w.generator())
        return [
            rank_correlations(first, max_over_colour(saliency(changed, w.x, w.target)))
            for _, changed in networks
        ]

    return Task(run, Passes(0, len(w.x) * (1 + len(layers))))


def explained(w: World, method: Attribute, forward: int, gradient: int) -> Task:
    """The maps of a method that needs so many passes for each image."""
    run = partial(method, w.model, w.x, w.target)
    return Task(run, Passes(len(w.x) * forward, len(w.x) * gradient))


def path(w: World, steps: int) -> Task:
    """Integrated gradients."""
    return explained(w, partial(integrated_gradients, baseline=w.fill, steps=steps), 0, steps)


def noise(w: World, samples: int) -> Task:
    """SmoothGrad of the absolute gradient."""
    method = seeded(smoothgrad, seed=0, attribute=saliency, sigma=0.15, samples=samples)
    return explained(w, method, 0, samples)


# for each the number of perturbations that the protocol, or nearly, sets
PERTURBING: dict[str, tuple[Callable[[World, int], Task], int]] = {
    "removal curves, 8 maps": (removal, 16), "Sensitivity-n, 8 maps": (subsets, 100),
    "infidelity, 8 maps": (squares, 50), "max-sensitivity": (ball, 20),
    "integrated gradients, 50 steps": (path, 50), "SmoothGrad, 50 samples": (noise, 50),
}  # fmt: skip


def tasks(w: World) -> dict[str, Task]:
    """All of them: what repeats passes on few images, the rest on all."""
    few = w.first(chunk_size(w.x))
    window = w.x.shape[-1] // 8 if w.x.shape[-1] > 32 else 4
    methods = {
        "saliency": (saliency, 0, 1), "gradient × input": (gradient_x_input, 0, 1),
        "DeconvNet": (deconvnet, 0, 1), "guided backpropagation": (guided_backprop, 0, 1),
        "ε-LRP": (partial(lrp_epsilon, epsilon=1e-6), 0, 1),
        "DeepLIFT": (partial(deeplift, baseline=w.fill), 1, 1),
        "Grad-CAM": (partial(grad_cam, layer=w.layer), 0, 1),
    }  # fmt: skip
    expected = seeded(expected_gradients, seed=0, baselines=w.x[:50])
    windows = partial(occlusion, size=window, stride=window, fill=w.fill)
    return {
        **{name: build(few, number) for name, (build, number) in PERTURBING.items()},
        "cascading randomisation": randomisation(w),
        **{name: explained(w, *parts) for name, parts in methods.items()},
        "expected gradients, 50 baselines": explained(few, expected, 0, len(w.x[:50])),
        "occlusion": explained(few, windows, 1 + (w.x.shape[-1] // window) ** 2, 0),
    }

"""Everything that is timed, with the protocol's settings."""
from collections.abc import Callable
from functools import partial

from bench.measure import Passes
from bench.metrics import Task, ball, randomisation, removal, squares, subsets
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
from tutorial_lib.attribution.propagation import deeplift, lrp_epsilon
from tutorial_lib.scores import Attribute


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
    "removal curves, 8 maps": (removal, 16), "Sensitivity-n, 8 maps": (subsets, 50),
    "infidelity, 8 maps": (squares, 50), "max-sensitivity": (ball, 20),
    "integrated gradients, 50 steps": (path, 50), "SmoothGrad, 50 samples": (noise, 50),
}  # fmt: skip


def few(w: World) -> World:
    """Thirty-two small images, sixteen larger ones."""
    return w.first(32 if w.x.shape[-1] < 32 else 16)


def window(w: World) -> int:
    """The protocol's occlusion: 4 × 4 pixels of 28, 8 × 8 of 64."""
    return 4 if w.x.shape[-1] < 32 else 8


def tasks(w: World) -> dict[str, Task]:
    """All of them: what repeats passes on few images, the rest on all."""
    some, size = few(w), window(w)
    methods = {
        "saliency": (saliency, 0, 1), "gradient × input": (gradient_x_input, 0, 1),
        "DeconvNet": (deconvnet, 0, 1), "guided backpropagation": (guided_backprop, 0, 1),
        "ε-LRP": (partial(lrp_epsilon, epsilon=1e-6), 0, 1),
        "DeepLIFT": (partial(deeplift, baseline=w.fill), 1, 1),
        "Grad-CAM": (partial(grad_cam, layer=w.layer), 0, 1),
    }  # fmt: skip
    expected = seeded(expected_gradients, seed=0, baselines=w.x[:50])
    windows = partial(occlusion, size=size, stride=size, fill=w.fill)
    return {
        **{name: build(some, number) for name, (build, number) in PERTURBING.items()},
        "cascading randomisation": randomisation(w),
        **{name: explained(w, *parts) for name, parts in methods.items()},
        "expected gradients, 50 baselines": explained(some, expected, 0, len(w.x[:50])),
        "occlusion": explained(some, windows, 1 + (w.x.shape[-1] // size) ** 2, 0),
    }

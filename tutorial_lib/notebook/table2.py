"""The book's Table 2: a method put to the requirements of the paper, and the paper's table (protocol, section 2).

The lines between Yes, No and Depends are those that were registered with the claims. Only `paper_table`
reads the paper's entries.
"""
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

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
    squared,
    vargrad,
)
from tutorial_lib.attribution.perturbation import occlusion
from tutorial_lib.attribution.propagation import deeplift, lrp_epsilon
from tutorial_lib.evaluation.axioms import (
    implementation_invariance,
    input_invariance,
    saturation,
    sensitivity,
)
from tutorial_lib.evaluation.sanity import edge_filter, random_map
from tutorial_lib.evaluation.statistics import Interval, exact
from tutorial_lib.notebook.claims import all_claims, cell_of
from tutorial_lib.scores import input_gradient

COLUMNS = {  # the column, and what its quantities vary, in the order of their names' parts
    "implementation invariance": (implementation_invariance, ["place"]),
    "input invariance": (input_invariance, ["baseline", "first layer"]),
    "saturation": (saturation, ["implementation", "layer"]),
    "sensitivity": (sensitivity, []),
}
PAPER_NAMES = {
    "Saliency": "saliency", "GBP": "guided backprop", "SG": "SmoothGrad", "GxI": "Gradient x Input", "IG": "IG",
    "DeepLIFT": "DeepLIFT", "Grad-CAM": "Grad-CAM",
}
FACTORS = ("world", "order", "fill", "control")


def table_methods() -> dict[str, Callable]:
    """The seven methods of the paper's table and nine others with the protocol's settings; `baseline` and
    `layer` are left open."""
    noisy = {"seed": 7, "attribute": saliency, "sigma": 0.15, "samples": 32}
    return {
        "saliency": saliency, "guided backprop": guided_backprop, "SmoothGrad": seeded(smoothgrad, **noisy),
        "Gradient x Input": gradient_x_input, "IG": integral, "DeepLIFT": deeplift, "Grad-CAM": grad_cam,
        "DeconvNet": deconvnet, "epsilon-LRP": partial(lrp_epsilon, epsilon=1e-6),
        "SmoothGrad-Squared": seeded(smoothgrad, **{**noisy, "attribute": squared(saliency)}),
        "VarGrad": seeded(vargrad, **noisy), "expected gradients": _one_reference, "occlusion": _pixel_by_pixel,
        "random map": seeded(random_map, seed=7), "constant map": lambda _model, x, _target: torch.ones_like(x),
        "edge filter": edge_filter,
    }


def integral(model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor) -> Tensor:
    """Integrated gradients of a network of ReLUs: the path in 32 parts, of which those with different
    slopes at their ends are halved, down to 1/65,536 of the path. It begins at α = 1e-7, since the baseline
    may lie on a kink."""
    def slopes(images: Tensor, places: Tensor) -> Tensor:
        points = torch.lerp(baseline.expand_as(x)[images], x[images], places.view(-1, 1, 1, 1))
        return input_gradient(model, points, target[images])

    places, images, total = torch.linspace(1e-7, 1, 33).to(x), torch.arange(len(x)), torch.zeros_like(x)
    ends = slopes(images.repeat_interleave(33), places.repeat(len(x))).unflatten(0, (-1, 33))
    left, right = ends[:, :-1].flatten(0, 1), ends[:, 1:].flatten(0, 1)
    images, starts, width = images.repeat_interleave(32), places[:-1].repeat(len(x)), places[1] - places[0]
    for _ in range(11):
        bent = (left - right).abs().flatten(1).amax(1) > 1e-9 * (1e-3 + left.abs().flatten(1).amax(1))
        total.index_add_(0, images[~bent], width * left[~bent])
        images, starts, left, right, width = images[bent], starts[bent], left[bent], right[bent], width / 2
        if not len(images):
            break
        middle = slopes(images, starts + width)
        images, starts = images.repeat(2), torch.cat([starts, starts + width])
        left, right = torch.cat([left, middle]), torch.cat([middle, right])
    return (x - baseline) * total.index_add_(0, images, width * (left + right) / 2)


def _one_reference(model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor) -> Tensor:
    """Expected gradients whose 200 references are all the same."""
    many = baseline.expand(200, -1, -1, -1)
    return seeded(expected_gradients, seed=7, baselines=many)(model, x, target)


def _pixel_by_pixel(model: nn.Module, x: Tensor, target: Tensor, *, baseline: Tensor) -> Tensor:
    """Occlusion, for images of 6 × 6 pixels and less."""
    return occlusion(model, x, target, size=1, stride=1, fill=baseline)


def measured(title: str, method: Callable, *, instances: int, seed: int = 7) -> dict[str, Interval]:
    """What a column measures of a method, over `instances` networks and images; the toys of saturation are
    always the same six."""
    measure = COLUMNS[title][0]
    if measure is saturation:
        return {name: exact(value, n=6) for name, value in saturation(method).items()}
    values = measure(method, instances=instances, generator=torch.Generator().manual_seed(seed))
    return {name: exact(value, n=instances) for name, value in values.items()}


def row(method: Callable, *, instances: int = 100, seed: int = 7) -> dict[str, str]:
    """Yes, No, Depends (on what) or undecided for each column, and for the three parts of sensitivity;
    `baseline` and `layer` of the method must be left open. `instances` networks and images to a column."""
    found = {}
    for title in COLUMNS:
        found |= cells(title, measured(title, method, instances=instances, seed=seed))
    return found


def cells(title: str, quantities: dict[str, Interval]) -> dict[str, str]:
    """The cell of a column that follows from its quantities, and those of its parts."""
    item = next(i for i in all_claims().values() if i.get("column") == title.replace(" ", "_"))
    found = {title: _with_reason(cell_of(item["cell"], quantities), quantities, COLUMNS[title][1])}
    for part, branches in item.get("sub_results", {}).items():
        cell = cell_of(branches, quantities)
        found["· " + part.replace("_", " ")] = "Depends (biases)" if cell == "Depends" else cell
    return found


def _with_reason(cell: str, quantities: dict[str, Interval], factors: list[str]) -> str:
    """The cell, and for Depends the factors that alone tell the small quantities from the large ones."""
    if cell != "Depends":
        return cell
    small = {name: q.value < 0.02 for name, q in quantities.items()}
    reasons = [
        factor for i, factor in enumerate(factors)
        if len({(name.split("_")[i], flag) for name, flag in small.items()}) == 2
    ]
    return f"Depends ({', '.join(reasons)})" if reasons else cell


def show_row(name: str, method: Callable, **options) -> None:
    """Print the row of one method."""
    print(f"{name}: " + ", ".join(f"{title} {cell}" for title, cell in row(method, **options).items()))

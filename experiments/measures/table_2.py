"""C40 to C74: what the requirements measure of a method, on random networks and on toys."""

from collections.abc import Callable

import torch

from experiments.runner import Quantity
from tutorial_lib.notebook.table2 import measured

INSTANCES = {  # the protocol's 1,000 random networks with four points each, and each of three shifts
    "implementation invariance": 4000, "input invariance": 12_000, "saturation": 6, "sensitivity": 4000,
}
LIVE = 20
DETAILS = {
    "SmoothGrad": "|gradient|, sigma 0.15, 32 samples, generator seed 7 at each call",
    "IG": "adaptive: parts of the path halved where the slope changes, down to 1/65,536",
    "epsilon-LRP": "epsilon 1e-6", "SmoothGrad-Squared": "as SmoothGrad", "VarGrad": "as SmoothGrad",
    "expected gradients": "200 equal references, random points of seed 7",
    "occlusion": "one pixel at a time, all its channels, filled with the baseline",
    "random map": "seed 7 at each call",
}


def requirements(name: str, method: Callable) -> Quantity:
    """The quantities of four columns, and the same of the few instances that a chapter repeats."""
    def measure(seed: int) -> dict:
        return {
            title: {size: _values(title, method, n, seed) for size, n in (("all", many), ("live", LIVE))}
            for title, many in INSTANCES.items()
        }

    return Quantity({
        "instances": INSTANCES, "live": LIVE, "method": DETAILS.get(name, "no precision to choose"),
        "seeds are": "of the generator that draws networks and points, anew for each column",
        "dtype": "float64", "threads": 1,
    }, measure, seeds=(7,))


def _values(title: str, method: Callable, instances: int, seed: int) -> dict[str, torch.Tensor]:
    found = measured(title, method, instances=instances, seed=seed)
    return {name: torch.tensor(q.value, dtype=torch.float64) for name, q in found.items()}

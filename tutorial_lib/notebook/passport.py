"""A chapter's passport: versions, seed, run time since the first import, peak memory, the machine's speed."""
import os
import platform
import sys
import time
from importlib.metadata import version

import torch

from tutorial_lib.models.zoo import load
from tutorial_lib.scores import input_gradient

_START = time.perf_counter()
_PACKAGES = ("torch", "captum", "numpy", "matplotlib")


class Passport:
    """Shown at the end of a chapter; its JSON is what `make chapters RECORD=1` keeps."""

    def __init__(self, seed: int):
        self.facts = {
            "seconds": round(time.perf_counter() - _START, 1),
            "gradients a second": _speed(),
            "peak memory in MB": _peak_megabytes(),
            "threads": int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)),
            "seed": seed,
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        }

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self.facts.items())

    def _repr_mimebundle_(self, **_) -> dict:
        return {"text/plain": repr(self), "application/json": self.facts}


def _peak_megabytes() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


def _speed() -> int:
    """Gradients of the small Fashion-MNIST network that this machine computes in a second, so that run
    times of different machines compare."""
    model, x = load("fashion_natural_100"), torch.zeros(640, 1, 28, 28)
    target = torch.zeros(640, dtype=torch.long)
    input_gradient(model, x[:64], target[:64])
    start = time.perf_counter()
    input_gradient(model, x, target)
    return 100 * round(6.4 / (time.perf_counter() - start))

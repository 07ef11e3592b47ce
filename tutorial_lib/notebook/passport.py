"""A chapter's passport: versions, seed, run time since the first import, peak memory."""
import os
import platform
import sys
import time
from importlib.metadata import version

_START = time.perf_counter()
_PACKAGES = ("torch", "captum", "numpy", "matplotlib")


class Passport:
    """Shown at the end of a chapter; its JSON is what `make chapters RECORD=1` keeps."""

    def __init__(self, seed: int):
        self.facts = {
            "seconds": round(time.perf_counter() - _START, 1),
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

"""The same work in Quantus, by the names of the tasks."""
import importlib.util
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from bench.measure import Call
from bench.metrics import subset_size
from bench.tasks import PERTURBING, few
from bench.worlds import World
from tutorial_lib.attribution.gradients import saliency

WITH_QUANTUS = importlib.util.find_spec("quantus") is not None
SAMPLES = {name: number for name, (_, number) in PERTURBING.items()}


def quantus_calls(w: World) -> dict[str, Call]:
    """None where Quantus is not installed."""
    if not WITH_QUANTUS:
        return {}
    import quantus

    alike = {"normalise": False, "disable_warnings": True, "return_aggregate": False}
    some, pixels, fill = few(w), w.x[0, 0].numel(), {"perturb_baseline": w.fill.item()}
    least = w.x[0].numel() // SAMPLES["removal curves, 8 maps"]  # it takes steps that divide the pixels
    step = next(n for n in range(least, pixels + 1) if pixels % n == 0)
    flipping = quantus.PixelFlipping(features_in_step=step, **fill, **alike)
    correlation = quantus.FaithfulnessCorrelation(
        subset_size=subset_size(w) * w.x.shape[1], nr_runs=SAMPLES["Sensitivity-n, 8 maps"], **fill, **alike
    )
    stability = quantus.MaxSensitivity(nr_samples=SAMPLES["max-sensitivity"], lower_bound=0.02, **alike)
    cascade = quantus.MPRT(layer_order="top_down", **alike)
    return {
        "removal curves, 8 maps": lambda: [_quantus(flipping, some, a) for a in some.pixel_maps().values()],
        "Sensitivity-n, 8 maps": lambda: [_quantus(correlation, some, a) for a in some.pixel_maps().values()],
        "max-sensitivity": lambda: _quantus(stability, some, None),
        "cascading randomisation": lambda: _quantus(cascade, w, None),
    }


def _quantus(metric: Callable, w: World, heat: Tensor | None) -> object:
    maps = {"explain_func": _explain} if heat is None else {"a_batch": heat[:, None].numpy()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return metric(w.model, w.x.numpy(), w.target.numpy(), softmax=False, device="cpu", **maps)


def _explain(model: nn.Module, inputs: np.ndarray, targets: np.ndarray, **_options) -> np.ndarray:
    return saliency(model, torch.as_tensor(inputs).float(), torch.as_tensor(targets)).numpy()

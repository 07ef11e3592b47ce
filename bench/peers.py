"""The same work in Captum and in Quantus, with the batch size that suits them."""
import importlib.util
import warnings
from collections.abc import Callable

import captum.attr as ca
import numpy as np
import torch
from captum.metrics import infidelity, sensitivity_max
from torch import Tensor

from bench.measure import Call
from bench.tasks import PERTURBING, perturbation, subset_size
from bench.worlds import World
from tutorial_lib.attribution.captum_bridge import captum_grad_cam, from_captum
from tutorial_lib.attribution.gradients import saliency
from tutorial_lib.scores import Attribute, chunk_size

WITH_QUANTUS = importlib.util.find_spec("quantus") is not None


def captum_calls(w: World) -> dict[str, Call]:
    """By the name of the task."""
    few, number = w.first(chunk_size(w.x)), {name: n for name, (_, n) in PERTURBING.items()}
    n, window = len(few.x), (w.x.shape[1], *[w.x.shape[-1] // 8 if w.x.shape[-1] > 32 else 4] * 2)
    steps, samples = number["integrated gradients, 50 steps"], number["SmoothGrad, 50 samples"]
    few_maps = {
        "integrated gradients, 50 steps": from_captum(
            ca.IntegratedGradients, baselines=w.fill.item(), n_steps=steps, internal_batch_size=n
        ),
        "SmoothGrad, 50 samples": from_captum(
            _noise_tunnel, stdevs=0.15, nt_samples=samples, nt_samples_batch_size=1
        ),
        "expected gradients, 50 baselines": from_captum(
            ca.GradientShap, baselines=w.x[:50], n_samples=len(w.x[:50]), stdevs=0.0
        ),
        "occlusion": from_captum(
            ca.Occlusion, sliding_window_shapes=window, strides=window, baselines=w.fill.item()
        ),
    }
    return {
        "infidelity, 8 maps": lambda: _infidelities(few, number["infidelity, 8 maps"]),
        "max-sensitivity": lambda: _sensitivity(few, number["max-sensitivity"]),
        **{name: _maps(few, method) for name, method in few_maps.items()},
        **{name: _maps(w, method) for name, method in _one_pass(w).items()},
    }


def _one_pass(w: World) -> dict[str, Attribute]:
    return {
        "saliency": from_captum(ca.Saliency, abs=True),
        "gradient × input": from_captum(ca.InputXGradient),
        "DeconvNet": from_captum(ca.Deconvolution),
        "guided backpropagation": from_captum(ca.GuidedBackprop),
        "DeepLIFT": from_captum(ca.DeepLift, baselines=w.fill.item()),
        "Grad-CAM": lambda model, x, target: captum_grad_cam(model, x, target, layer=w.layer),
    }


def _noise_tunnel(model: torch.nn.Module) -> ca.NoiseTunnel:
    return ca.NoiseTunnel(ca.Saliency(model))


def _maps(w: World, method: Attribute) -> Call:
    return lambda: method(w.model, w.x, w.target)


def _infidelities(w: World, samples: int) -> list[Tensor]:
    draws, perturb, n = w.generator(), perturbation(w), len(w.x)

    def change(x: Tensor) -> tuple[Tensor, Tensor]:
        difference = perturb(x, draws)
        return difference, x - difference

    options = {"target": w.target, "n_perturb_samples": samples, "max_examples_per_batch": n}
    return [infidelity(w.model, change, w.x, a, **options) for a in w.maps().values()]


def _sensitivity(w: World, samples: int) -> Tensor:
    explain = ca.Saliency(w.model).attribute
    options = {"n_perturb_samples": samples, "max_examples_per_batch": len(w.x)}
    return sensitivity_max(explain, w.x, perturb_radius=0.02, target=w.target, **options)


def quantus_calls(w: World) -> dict[str, Call]:
    """By the name of the task; none where Quantus is not installed."""
    if not WITH_QUANTUS:
        return {}
    import quantus

    alike = {"normalise": False, "disable_warnings": True, "return_aggregate": False}
    few, number = w.first(chunk_size(w.x)), {name: n for name, (_, n) in PERTURBING.items()}
    entries = w.x[0].numel()
    step = w.x[0, 0].numel() // number["removal curves, 8 maps"]
    flipping = quantus.PixelFlipping(features_in_step=step, perturb_baseline=w.fill.item(), **alike)
    correlation = quantus.FaithfulnessCorrelation(
        subset_size=subset_size(w) * entries // w.x[0, 0].numel(), perturb_baseline=w.fill.item(),
        nr_runs=number["Sensitivity-n, 8 maps"], **alike,
    )
    stability = quantus.MaxSensitivity(nr_samples=number["max-sensitivity"], lower_bound=0.02, **alike)
    cascade = quantus.MPRT(layer_order="top_down", **alike)
    return {
        "removal curves, 8 maps": lambda: [_quantus(flipping, few, a) for a in few.pixel_maps().values()],
        "Sensitivity-n, 8 maps": lambda: [_quantus(correlation, few, a) for a in few.pixel_maps().values()],
        "max-sensitivity": lambda: _quantus(stability, few, None, explain_func=_explain),
        "cascading randomisation": lambda: _quantus(cascade, w, None, explain_func=_explain),
    }


def _quantus(metric: Callable, w: World, heat: Tensor | None, **options) -> object:
    maps = None if heat is None else heat[:, None].numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return metric(
            w.model, w.x.numpy(), w.target.numpy(), a_batch=maps, softmax=False, device="cpu", **options
        )


def _explain(model: torch.nn.Module, inputs: np.ndarray, targets: np.ndarray, **_options) -> np.ndarray:
    return saliency(model, torch.as_tensor(inputs).float(), torch.as_tensor(targets)).numpy()

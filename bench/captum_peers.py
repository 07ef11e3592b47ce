"""The same work in Captum, by the names of the tasks."""
import warnings

import captum.attr as ca
from captum.metrics import infidelity, sensitivity_max
from torch import Tensor, nn

from bench.measure import Call
from bench.metrics import perturbation
from bench.tasks import PERTURBING, few, window
from bench.worlds import World
from tutorial_lib.attribution.captum_bridge import captum_grad_cam, from_captum
from tutorial_lib.scores import Attribute

SAMPLES = {name: number for name, (_, number) in PERTURBING.items()}


def captum_calls(w: World) -> dict[str, Call]:
    """Captum as it comes: it puts all perturbed copies into one pass."""
    some, size = few(w), window(w)
    baselines = {"baselines": w.fill.item()}
    shape = (w.x.shape[1], size, size)
    return {
        **_batched(w, None),
        **{name: _maps(w, method) for name, method in {
            "saliency": from_captum(ca.Saliency, abs=True),
            "gradient × input": from_captum(ca.InputXGradient),
            "DeconvNet": from_captum(ca.Deconvolution),
            "guided backpropagation": from_captum(ca.GuidedBackprop),
            "DeepLIFT": from_captum(ca.DeepLift, **baselines),
            "Grad-CAM": lambda model, x, target: captum_grad_cam(model, x, target, layer=w.layer),
        }.items()},
        "expected gradients, 50 baselines": _maps(
            some, from_captum(ca.GradientShap, baselines=w.x[:50], n_samples=len(w.x[:50]), stdevs=0.0)
        ),
        "occlusion": _maps(
            some, from_captum(ca.Occlusion, sliding_window_shapes=shape, strides=shape, **baselines)
        ),
    }  # fmt: skip


def tuned(w: World) -> dict[str, Call]:
    """Captum with the number of copies in a pass that was found to be best for it: for infidelity, which
    asks for the untouched images again in each pass, more than for gradients."""
    copies = dict.fromkeys(SAMPLES, 1) | {"infidelity, 8 maps": 256 // len(few(w)) // w.x.shape[1]}
    return _batched(w, copies)


def _batched(w: World, copies: dict[str, int] | None) -> dict[str, Call]:
    some = few(w)

    def images(name: str) -> int | None:
        return copies and len(some.x) * copies[name]

    path, noise = "integrated gradients, 50 steps", "SmoothGrad, 50 samples"
    return {
        "infidelity, 8 maps": lambda: _infidelities(some, images("infidelity, 8 maps")),
        "max-sensitivity": lambda: _sensitivity(some, images("max-sensitivity")),
        path: _maps(some, from_captum(
            ca.IntegratedGradients, baselines=w.fill.item(), n_steps=SAMPLES[path],
            internal_batch_size=images(path),
        )),
        noise: _maps(some, from_captum(
            _noise_tunnel, stdevs=0.15, nt_samples=SAMPLES[noise],
            nt_samples_batch_size=copies and copies[noise],
        )),
    }  # fmt: skip


def _noise_tunnel(model: nn.Module) -> ca.NoiseTunnel:
    return ca.NoiseTunnel(ca.Saliency(model))


def _maps(w: World, method: Attribute) -> Call:
    return lambda: method(w.model, w.x, w.target)


def _infidelities(w: World, images: int | None) -> list[Tensor]:
    draws, perturb = w.generator(), perturbation(w)

    def change(x: Tensor) -> tuple[Tensor, Tensor]:
        difference = perturb(x, draws)
        return difference, x - difference

    options = {"n_perturb_samples": SAMPLES["infidelity, 8 maps"], "max_examples_per_batch": images}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [infidelity(w.model, change, w.x, a, target=w.target, **options) for a in w.maps().values()]


def _sensitivity(w: World, images: int | None) -> Tensor:
    options = {"n_perturb_samples": SAMPLES["max-sensitivity"], "max_examples_per_batch": images}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explain = ca.Saliency(w.model).attribute
        return sensitivity_max(explain, w.x, perturb_radius=0.02, target=w.target, **options)

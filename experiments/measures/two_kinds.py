"""C150: gradients against perturbations, by the stability of their maps."""

from functools import partial

import torch
from torch import Generator, Tensor, nn

from experiments.measures.passes import KERNEL, MASKS, masking
from experiments.measures.stability import BATCH, DRAWS, RADIUS
from experiments.runner import batches, joined
from experiments.worlds import average, nine_methods
from experiments.wrappers import remembered
from tutorial_lib.attribution.gradients import saliency, smoothgrad
from tutorial_lib.attribution.perturbation import lime, occlusion, rise
from tutorial_lib.evaluation.stability import max_sensitivity
from tutorial_lib.scores import Attribute

WORLD = "fashion"
PAIRS = {
    "sal_occ": ("saliency", "occlusion 4 x 4"), "ig_rise": ("IG", "RISE"), "sg_lime": ("SmoothGrad", "LIME"),
    "cam_occ": ("Grad-CAM", "occlusion 8 x 8"),
}
BESIDE = {  # the same pairs with masks and noise that are new at each call, or without the level of RISE
    "ig_rise, fresh": ("IG", "RISE, fresh masks"), "ig_rise, centred": ("IG", "RISE, centred"),
    "sg_lime, fresh": ("SmoothGrad", "LIME, fresh masks"),
    "sg_lime, both fresh": ("SmoothGrad, fresh noise", "LIME, fresh masks"),
}


def centred(attribute: Attribute) -> Attribute:
    """The map less its mean over the image."""
    def less(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
        a = attribute(model, x, target)
        return a - a.mean((1, 2, 3), keepdim=True)

    return less


def methods() -> dict[str, Attribute]:
    """The eight of the pairs; the same masks and the same noise at each call."""
    nine, fill = nine_methods(WORLD), average(WORLD)
    windows = {f"occlusion {s} x {s}": partial(occlusion, size=s, stride=s, fill=fill) for s in (4, 8)}
    mine = {name: nine[name] for name in ("saliency", "IG", "SmoothGrad", "Grad-CAM")}
    masked = masking(WORLD)
    return {**mine, **windows, **masked, "RISE": remembered(masked["RISE"])}


def fresh() -> dict[str, Attribute]:
    """Masks and noise from generators of seed 7 that go on from call to call."""
    def ongoing() -> Generator:
        return Generator().manual_seed(7)

    fill = average(WORLD)
    return {
        "RISE, fresh masks": partial(rise, fill=fill, masks=MASKS, generator=ongoing()),
        "LIME, fresh masks": partial(lime, fill=fill, samples=MASKS, width=KERNEL, generator=ongoing()),
        "SmoothGrad, fresh noise": partial(smoothgrad, attribute=saliency, sigma=0.15, generator=ongoing()),
    }


def stability(model: nn.Module, x: Tensor, target: Tensor) -> dict[str, dict[str, Tensor]]:
    """Both forms of max-sensitivity of each method, (N,); the draws go on from batch to batch."""
    mine, draws, parts = methods(), Generator().manual_seed(7), []
    table = {**mine, **fresh(), "RISE, centred": centred(mine["RISE"])}
    for p in batches(len(x), size=BATCH):
        found = max_sensitivity(table, model, x[p], target[p], radius=RADIUS, samples=DRAWS, generator=draws)
        parts.append({form: {name: getattr(each, form) for name, each in found.items()}
                      for form in ("relative", "absolute")})
    return joined(parts, torch.cat)

"""C94 and C99: maps of one class against maps of another; C98 is measured on the same maps."""

from functools import partial

import torch
from torch import Generator, Tensor, nn

from experiments.measures.intervals import interval
from experiments.measures.likeness import lit
from experiments.measures.pulls import of_products
from experiments.runner import Quantity
from experiments.worlds import LAYERS, NUMBERS, SAMPLES, described, nine_methods, pixel_map
from tutorial_lib.attribution.cam import grad_cam
from tutorial_lib.evaluation.agreement import rank_correlations, signed_rank_correlations
from tutorial_lib.evaluation.sanity import random_map
from tutorial_lib.evaluation.statistics import crossed
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import trained
from tutorial_lib.scores import Attribute, logits

SEVEN = ("saliency", "guided backprop", "SmoothGrad", "Gradient x Input", "IG", "DeepLIFT", "Grad-CAM")
ONE_PASS = ("saliency", "guided backprop", "Gradient x Input", "DeepLIFT", "Grad-CAM")
FIRST = {"fashion": 20, "shapes": 6}  # images on which all other classes and probabilities are explained


def runner_up(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """The class with the highest logit beside the target, (N,)."""
    return logits(model, x).scatter(1, target[:, None], -torch.inf).argmax(1)


def explained(methods: dict[str, Attribute], model: nn.Module, x: Tensor, target: Tensor) -> dict:
    """Pixel maps by method, (N, H, W) each."""
    return {name: pixel_map(name, method(model, x, target)) for name, method in methods.items()}


def likenesses(own: dict, other: dict, where: Tensor) -> dict:
    """The maps of two classes: of the pixels in `where` without and with signs, and of the whole image."""
    return {
        "absolute": {name: rank_correlations(heat, other[name], where=where) for name, heat in own.items()},
        "signed": {n: signed_rank_correlations(h, other[n], where=where) for n, h in own.items()},
        "whole image": {name: rank_correlations(heat, other[name]) for name, heat in own.items()},
    }


def every_other(methods: dict[str, Attribute], model: nn.Module, x: Tensor, target: Tensor, own: dict,
                where: Tensor) -> dict[str, Tensor]:
    """Mean likeness of the maps of the target and of each other class, (N,) for each method."""
    classes, found = logits(model, x[:1]).shape[1], []
    for step in range(1, classes):
        other = explained(methods, model, x, (target + step) % classes)
        found.append({name: rank_correlations(heat, other[name], where=where) for name, heat in own.items()})
    return {name: torch.stack([each[name] for each in found]).nanmean(0) for name in own}


def of_probability(world: str, model: nn.Module, x: Tensor, target: Tensor, other: Tensor,
                   where: Tensor) -> dict:
    """The same as `likenesses` where the probability is explained, in double precision."""
    precise, nine = nn.Sequential(model, nn.Softmax(1)).double().eval(), nine_methods(world)
    possible = {name: nine[name] for name in SEVEN if name != "DeepLIFT"}  # which refuses a soft-max
    possible["Grad-CAM"] = partial(grad_cam, layer=f"0.{LAYERS[world]}")
    maps = [explained(possible, precise, x.double(), classes) for classes in (target, other)]
    model.float()
    return likenesses(*maps, where)


def summary(found: dict) -> dict:
    """What C94 reads in hundredths for each image, what C98 reads as intervals, the rest as means over the
    images, and the first images."""
    def mean(node: dict | Tensor) -> dict | Tensor:
        return {k: mean(v) for k, v in node.items()} if isinstance(node, dict) else node.nanmean(1)

    alike = {name: found["classes"]["absolute"][name] for name in (*SEVEN, "occlusion")}
    pull = {name: v[..., 0] - v[..., 1] for name, v in found["pulls"]["own"].items()}
    return {
        "alike": {name: (100 * v).round() for name, v in alike.items()},
        "pull": {name: interval(crossed(v, level=0.99, generator=Generator().manual_seed(7)))
                 for name, v in pull.items()},
        "first images": {"alike": {name: v[0, :10] for name, v in alike.items()},
                         "pull": {name: v[0, :10] for name, v in pull.items()}},
        **{f"mean, {key}": mean(found[key]) for key in ("classes", "probability", "every other", "pulls")},
    }


def classes(world: str) -> Quantity:
    """One network a seed, all on the same images."""
    n, few = NUMBERS[world], slice(FIRST[world])

    def measure(seed: int) -> dict:
        data, model = SAMPLES[world](trained(f"{world}_natural"), n=n), load(f"{world}_natural_{seed}")
        x, target, where = data.images, data.targets, lit(data.images, world)
        other, nine = runner_up(model, x, target), nine_methods(world)
        noise = partial(random_map, generator=Generator().manual_seed(7))
        methods = {name: nine[name] for name in (*SEVEN, "occlusion")} | {"random map": noise}
        own, second = (explained(methods, model, x, c) for c in (target, other))
        quick, part = {name: nine[name] for name in ONE_PASS}, (x[few], target[few])
        own_few = {name: own[name][few] for name in ONE_PASS}
        return {
            "classes": likenesses(own, second, where),
            "every other": every_other(quick, model, *part, own_few, where[few]),
            "probability": of_probability(world, model, *part, other[few], where[few]),
            "pulls": of_products(world, nine, model, x, target, own, where),
        }

    return Quantity({
        "claims": ["C94", "C98", "C99"], "networks": f"{world}_natural", "images": n,
        "alike": "Spearman of the absolute pixel maps of the class and of the runner-up, times 100: "
        "seeds x images", "pixels": "those that are not black" if world == "fashion" else "all",
        "mean": "over the images: seeds",
        "every other": f"mean over all other classes, {FIRST[world]} images",
        "probability": f"explained in float64, {FIRST[world]} images; DeepLIFT refuses it",
        "pull": "Spearman of |map| with |x - baseline|, and with |gradient|, largest channel; the difference "
        "as lower end, mean, upper end at 99 %, number; baseline of Gradient x Input 0; random weights: "
        "all, seed 7",
        "first images": "seed 100, 10 images", "methods": described(world), "dtype": "float32", "threads": 1,
    }, measure, summary)

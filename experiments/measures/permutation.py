"""C95: maps of networks that have learnt permuted labels by heart, against those of normal networks."""

from torch import Generator

from experiments.measures.likeness import (
    alike,
    alike_elsewhere,
    following,
    lit,
    only,
    pixel_maps,
    stored,
    ten_methods,
)
from experiments.runner import Quantity
from experiments.worlds import described
from tutorial_lib.evaluation.sanity import randomised
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import SEEDS, another_class, fashion_sample, trained
from tutorial_lib.scores import logits

JUDGED = ("guided backprop", "Gradient x Input", "IG", "DeepLIFT", "Grad-CAM", "saliency", "SmoothGrad")
NUMBER = 200


def measure(seed: int) -> dict:
    """One pair of networks of equal seed."""
    data = fashion_sample(trained("fashion_natural"), n=NUMBER)
    x, target, where = data.images, data.targets, lit(data.images, "fashion")
    draws, methods = Generator().manual_seed(seed), ten_methods("fashion")
    nets = {kind: load(f"fashion_{kind}_{seed}") for kind in ("natural", "permuted")}
    nets |= {f"{kind} twin": load(f"fashion_{kind}_{following(seed)}") for kind in list(nets)}
    chance = Generator().manual_seed(7)
    nets["random"] = [randomised(load(f"fashion_natural_{s}"), "", generator=chance)
                      for s in SEEDS[: SEEDS.index(seed) + 1]][-1]
    maps = {kind: pixel_maps(methods, net, x, target, draws=draws) for kind, net in nets.items()}
    answers = logits(nets["permuted"], x).argmax(1)
    maps["own answer"] = pixel_maps(methods, nets["permuted"], x, answers, draws=draws)
    return _compared(maps, where, another_class(target))


def _compared(maps: dict, where, partner) -> dict:
    natural, changed = maps["natural"], maps["permuted"]
    likeness = {
        "likeness": alike(natural, changed, where=where),
        "floor": alike_elsewhere(natural, changed, where, partner),
        "ceiling": alike(natural, maps["natural twin"], where=where),
    }
    controls = {
        "random weights": alike(natural, maps["random"], where=where),
        "floor within the normal network": alike_elsewhere(natural, natural, where, partner),
        "own answer of the permuted network": alike(natural, maps["own answer"], where=where),
        "two permuted networks": alike(changed, maps["permuted twin"], where=where),
        "whole image": alike(natural, changed),
        "whole image, ceiling": alike(natural, maps["natural twin"]),
        "whole image, random weights": alike(natural, maps["random"]),
    }
    return {"images": {kind: only(each, *JUDGED) for kind, each in likeness.items()},
            "means": likeness | controls}


def permuted() -> Quantity:
    """Five pairs of networks on the same images."""
    return Quantity({
        "claims": ["C95"], "networks": "fashion_natural against fashion_permuted of the same seed",
        "images": NUMBER, "sample": "classified rightly by the five normal networks, balanced; whatever the "
        "permuted ones say", "class": "the image's own, for both networks",
        "likeness": "Spearman of absolute maps over pixels that are not black; null: an empty map",
        "floor": "the normal network's map of the image against the permuted network's map of the next image "
        "of another class, for its class, over pixels that are black in neither",
        "ceiling": "normal networks of neighbouring seeds, same image and class",
        "random weights": "every parameter; one generator of seed 7 draws for the five networks in turn",
        "means": "over the images that have a number", "methods": described("fashion"),
        "guided Grad-CAM": "layers.6", "dtype": "float32", "threads": 1,
    }, measure, stored)

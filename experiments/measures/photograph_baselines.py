"""C116 on the photographs, which illustrate: one network, no sample, no ceiling."""

import torch

from experiments.measures.baselines import METHODS, OTHERS, maps_from
from experiments.runner import Quantity
from experiments.worlds import GREY
from tutorial_lib.datasets import photographs
from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import another_class


def photograph_baselines() -> Quantity:
    """How alike the maps from black and from another baseline are."""
    photos = photographs()
    partner = another_class(photos.targets)

    def measure(_seed: int) -> dict:
        model, found = load("efficientnet_lite0"), {}
        for name, method in METHODS.items():
            own = maps_from(method, model, photos.images, photos.targets, GREY)
            found[name] = {other: torch.stack([
                rank_correlations(own["black"], heat) for heat in (own[other], own[other][partner])
            ], 1) for other in OTHERS}
        return found

    return Quantity({
        "claims": ["C116"], "networks": "efficientnet_lite0", "images": list(photos.names),
        "IG": "midpoint, 64 steps", "DeepLIFT": "Rescale",
        "baselines": "0; 0.5; blurred with 1/8 of the side; uniform noise, generator of seed 7",
        "values": "Spearman of the absolute pixel maps: black and the other baseline on one photograph, and "
        "on the next: 1 x images x 2", "dtype": "float32", "threads": 1,
    }, measure, seeds=(0,))

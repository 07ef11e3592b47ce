"""C148 on the network that was wired by hand, whose mask is the truth."""

from functools import partial

from torch import Generator

from experiments.measures.likeness import alike, pixel_maps, stored
from experiments.measures.randomisation import localisation
from experiments.runner import Quantity
from experiments.worlds import described, nine_methods
from tutorial_lib.attribution.cam import grad_cam
from tutorial_lib.evaluation.sanity import randomised
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import shapes_sample

NUMBER = 30


def wired() -> Quantity:
    """The network whose mask is the truth, and three random copies: the first axis is the copies' seeds."""
    def measure(seed: int) -> dict:
        model = load("wired")
        data = shapes_sample([model], n=NUMBER, blue=True)
        methods = {**nine_methods("shapes"), "Grad-CAM": partial(grad_cam, layer="match")}
        blank = randomised(model, "", generator=Generator().manual_seed(seed))
        draws = Generator().manual_seed(seed)
        intact, blank = (pixel_maps(methods, net, data.images, data.targets, draws=draws)
                         for net in (model, blank))
        found = localisation({"wired": intact, "random": blank}, data.masks)
        return {"images": {}, "means": {"likeness": alike(intact, blank), **found}}

    return Quantity({
        "claims": ["C148"], "network": "wired", "images": NUMBER, "sample": "blue-coded planted shapes",
        "methods": {**described("shapes"), "Grad-CAM": "layer match"}, "dtype": "float32", "threads": 1,
    }, measure, stored, seeds=(7, 8, 9))

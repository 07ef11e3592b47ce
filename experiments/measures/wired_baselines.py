"""C117 on the network that was wired by hand, whose mask is the truth."""

from experiments.measures.known_quality import GATE
from experiments.measures.six_baselines import on_the_mask
from experiments.measures.starts import IN_WORDS, with_baseline
from experiments.runner import Quantity
from experiments.worlds import GREY
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import shapes_sample

IMAGES = 30


def wired_baselines() -> Quantity:
    """Three methods from six baselines that this network cannot see."""
    def measure(_seed: int) -> dict:
        model = load("wired")
        data = shapes_sample([model], n=IMAGES, blue=True)
        table = with_baseline(data.images, GREY, brightest=GATE)
        maps = {name: method(model, data.images, data.targets) for name, method in table.items()}
        return on_the_mask(maps, data.masks)

    def finish(found: dict) -> dict:
        return {kind: {name: v.mean(1) for name, v in each.items()} for kind, each in found.items()}

    return Quantity({
        "claims": ["C117"], "networks": "wired", "images": IMAGES, "sample": "blue-coded planted shapes",
        **IN_WORDS, "blue of the baselines": "at most 0.7", "threads": 1,
        "wide, narrow": "rank accuracy in the mask widened by two pixels, and in it, mean of the images",
    }, measure, finish, seeds=(7,))

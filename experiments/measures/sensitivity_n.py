"""C92: Sensitivity-n of maps of FashionCNN, of a net with one hidden layer, and of softmax regression."""

from collections.abc import Iterable
from functools import partial

from torch import Generator, Tensor, cat, nn

from experiments.measures.simple_networks import HIDDEN, NETWORKS, RATES, RECIPE, TRIED, network
from experiments.runner import Quantity, batches, joined
from experiments.worlds import BASELINES, nine_methods
from tutorial_lib.attribution.gradients import seeded
from tutorial_lib.attribution.perturbation import occlusion
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.evaluation import fidelity
from tutorial_lib.evaluation.fills import constant
from tutorial_lib.evaluation.sanity import edge_filter, random_map
from tutorial_lib.notebook.samples import SEEDS, balanced
from tutorial_lib.robustness.cards import CONFIRMATION
from tutorial_lib.scores import logits

IMAGES, BATCH, SUBSETS, STORED = 100, 10, 100, 10_000
SIZES = (1, 3, 10, 30, 100, 200, 392, 627)
HALF = 392
BLACK = BASELINES["fashion"]
ALIKE, RIVALS = ("Gradient x Input", "IG", "epsilon-LRP", "DeepLIFT"), ("occlusion", "occlusion 1 x 1", "IG")


def methods() -> dict:
    """The protocol's, occlusion of single pixels with black, and two maps that never saw the network."""
    chosen = nine_methods("fashion")
    return {
        **{name: chosen[name] for name in (*ALIKE, "occlusion")},
        "occlusion 1 x 1": partial(occlusion, size=1, stride=1, fill=BLACK),
        "random map": seeded(random_map, seed=7), "edge filter": edge_filter,
    }


def curves(model: nn.Module, x: Tensor, target: Tensor, draws: Generator) -> dict[str, Tensor]:
    """The correlations of each method, (N, sizes)."""
    maps = {name: sum_over_colour(method(model, x, target)) for name, method in methods().items()}
    fill = partial(constant, value=BLACK)
    return fidelity.sensitivity_n(
        model, x, target, maps, sizes=SIZES, subsets=SUBSETS, fill=fill, generator=draws
    )


def summary(found: dict) -> dict:
    """Means over the images, and what is judged for each image."""
    def at(kind: str, n: int, names: Iterable[str]) -> dict[str, Tensor]:
        place = SIZES.index(n)
        return {name: (STORED * found[kind][name][..., place]).round().long() for name in names}

    return {
        "mean": {kind: {m: v.nanmean(1) for m, v in found[kind].items()} for kind in NETWORKS},
        "judged": {"n = 1": at("FashionCNN", 1, RIVALS), "n = N/2": at("FashionCNN", HALF, (*RIVALS, *ALIKE)),
                   "n = N/2, one hidden layer": at("one hidden layer", HALF, ALIKE)},
        "clean accuracy": found["clean accuracy"], "test image": found["test image"][0].long(),
    }


def sensitivity_n() -> Quantity:
    """Three networks a seed; all fifteen choose the images."""
    test = fashion_mnist("test")
    x, target = test.images[CONFIRMATION.fashion], test.targets[CONFIRMATION.fashion]

    def measure(seed: int) -> dict:
        chosen = balanced([network(kind, s) for kind in NETWORKS for s in SEEDS], x, target, n=IMAGES)
        here = {kind: network(kind, seed) for kind in NETWORKS}
        draws = {kind: Generator().manual_seed(7) for kind in NETWORKS}
        found = {
            kind: joined([curves(model, x[chosen[part]], target[chosen[part]], draws[kind])
                          for part in batches(IMAGES, size=BATCH)], cat)
            for kind, model in here.items()
        }
        right = {kind: logits(model, x).argmax(1) == target for kind, model in here.items()}
        return {**found, "clean accuracy": {kind: each.double().mean() for kind, each in right.items()},
                "test image": chosen + CONFIRMATION.fashion.start}

    return Quantity({
        "claims": ["C92"], "networks": "FashionCNN: fashion_natural, from data/weights; one hidden layer: "
        f"784, {HIDDEN} ReLUs, 10; softmax regression: 784, 10",
        "images": f"{IMAGES}, classified rightly by all fifteen networks", "fill": "black",
        "subsets": SUBSETS, "sizes": SIZES,
        "batch": f"{BATCH} images; one generator of seed 7 draws for the batches in turn",
        "mean": "over the images: seeds x sizes", "judged": "correlation times 10,000: seeds x images",
        "methods": "the protocol's; occlusion 1 x 1: single pixels, black; random map of seed 7; Sobel",
        "training": f"recipe of fashion_natural: {RECIPE.epochs} epochs, batch {RECIPE.batch}, flips",
        "rates": RATES, "rates tried": {"measured": "accuracy on the tuning images, mean of seeds 0 and 1",
                                        **TRIED},
        "clean accuracy": "1,000 images for confirmation", "test image": "number in the test file: images",
        "dtype": "float32", "threads": 1,
    }, measure, summary)

"""C108: distance to the boundary and alignment, on fifteen networks."""

from pathlib import Path

from torch import Generator, Tensor, nn

from experiments.measures.trainings import IMAGES, SEED, TRAININGS, network, sample
from experiments.runner import Quantity
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.robustness.alignment import Margin, alignment, cosine
from tutorial_lib.robustness.attacks import smallest_perturbation
from tutorial_lib.robustness.cards import CONFIRMATION
from tutorial_lib.scores import input_gradient, logits

LARGEST = 8.0
JUDGED = ("cosine, logit", "l2")  # kept for each image, the others as medians


def geometry(model: nn.Module, x: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Distances and alignments of images, (N,) each."""
    margin, found = Margin(model), {}
    for name, net in (("logit", model), ("margin", margin)):
        g = input_gradient(net, x, target)
        found |= {f"cosine, {name}": cosine(x, g), f"alignment, {name}": alignment(x, g)}
    m = logits(margin, x).gather(1, target[:, None]).squeeze(1)
    found["margin over gradient"] = m / g.flatten(1).norm(dim=1)
    found["l2"] = smallest_perturbation(
        model, x, target, norm="l2", largest=LARGEST, generator=Generator().manual_seed(7)
    )
    return found


def fifteen(parts: Path) -> Quantity:
    """Each network is a 'seed'."""
    test = fashion_mnist("test")

    def measure(number: int) -> dict:
        chosen, x, target = sample(parts)
        model = network(number, parts)
        all_x, all_targets = test.images[CONFIRMATION.fashion], test.targets[CONFIRMATION.fashion]
        right = logits(model, all_x).argmax(1) == all_targets
        return {**geometry(model, x, target), "clean accuracy": right.double().mean(),
                "test image": chosen + CONFIRMATION.fashion.start}

    def finish(found: dict) -> dict:
        numbers, right = found.pop("test image")[0].long(), found.pop("clean accuracy")
        scaled = {k: (10_000 * v).round().long() for k, v in found.items() if k in JUDGED}
        medians = {k: v.median(1).values for k, v in found.items()}
        within = {k: rank_correlations(v, found["l2"]) for k, v in found.items() if k != "l2"}
        return {**scaled, "median": medians, "within": within, "clean accuracy": right, "test image": numbers}

    return Quantity({
        "claims": ["C108"], "networks": [f"{kind} {strength}" for kind, strength in TRAININGS],
        "from data/weights": [f"{how}_{SEED}" for how in TRAININGS.values() if isinstance(how, str)],
        "training": f"seed {SEED}; decay λ of the squared weights, noise σ, gradient penalty λ, PGD-7 l∞ and "
        "l2 ε; recipes of fashion_natural, fashion_noise, fashion_gradient, fashion_linf, fashion_l2",
        "images": f"{IMAGES} for confirmation, classes as equal as possible, right in all networks",
        "values": "times 10,000: networks x images",
        "cosine": "|<x, g>| / (|x| |g|)", "alignment": "|<x, g>| / |g|; g of the logit or of the margin",
        "l2": f"smallest perturbation, PGD-20, 8 halvings of {LARGEST}, generator seed 7",
        "median": "over the images", "within": "rank correlation with l2 over the images", "dtype": "float32",
        "threads": 1,
    }, measure, finish, seeds=tuple(range(len(TRAININGS))))

"""C85, C144: accuracy after remove and retrain, and what the masks give away."""

from functools import partial

import torch
from torch import Generator, Tensor, nn

from experiments.measures.roar import (
    PATH_STEPS,
    RECIPE,
    SAMPLES,
    data,
    estimators,
    retrained,
    right_answers,
)
from experiments.runner import Quantity
from experiments.worlds import BLACK, pixel_map
from tutorial_lib.evaluation.fills import constant
from tutorial_lib.evaluation.removal import Explained
from tutorial_lib.evaluation.statistics import crossed
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import another_class
from tutorial_lib.scores import Attribute, logits

SHARES, SWAPPED, EPOCHS_ALONE = (0.3, 0.7), 0.3, 5
ALONE = ("saliency", "guided backprop", "IG", "random map", "edge filter")  # trained on their masks alone
black = partial(constant, value=BLACK)


def of_map(name: str, method: Attribute, seed: int) -> dict[str, Tensor]:
    """All right answers that one kind of map leads to, (shares, images) or (1, images)."""
    seen, labels, x, target, fill = data()
    natural, made = load(f"fashion_natural_{seed}"), []

    def heat(images: Tensor, classes: Tensor) -> Tensor:
        return pixel_map(name, method(natural, images, classes))

    def make(images: Tensor, classes: Tensor) -> nn.Module:
        made.append(retrained(images, classes, seed=seed))
        return made[-1]

    def answers(model: nn.Module, asked: Explained, *shares: float) -> Tensor:
        return right_answers(lambda *_: model, asked, asked, shares, fill)

    training, test = Explained(seen, labels, heat(seen, labels)), Explained(x, target, heat(x, target))
    swapped = test._replace(heat=test.heat[another_class(target)])
    guessed = test._replace(heat=heat(x, logits(natural, x).argmax(1)))
    found = {"retrained": right_answers(make, training, test, SHARES, fill)}
    model = made[SHARES.index(SWAPPED)]
    found |= {
        "not retrained": answers(natural, test, *SHARES),
        "retrained, swapped": answers(model, swapped, SWAPPED),
        "not retrained, swapped": answers(natural, swapped, SWAPPED),
        "retrained, predicted class": answers(model, guessed, SWAPPED),
    }
    if name in ALONE:
        white = [part._replace(x=torch.ones_like(part.x)) for part in (training, test)]
        quickly = partial(retrained, seed=seed, epochs=EPOCHS_ALONE)
        found["masks alone"] = right_answers(quickly, *white, (SWAPPED,), black)
    return found


def summary(found: dict) -> dict:
    """Accuracies by map and share, (seeds, shares) each; the differences that are judged, at 99 %."""
    right = {kind: {m: each[kind] for m, each in found.items() if kind in each} for kind in found["IG"]}
    place, random = SHARES.index(SWAPPED), right["retrained"]["random map"]
    lost = {kind: {m: right[kind][m][:, place] - right[f"{kind}, swapped"][m][:, 0] for m in found}
            for kind in ("retrained", "not retrained")}
    more = {m: random - each for m, each in right["retrained"].items() if m != "random map"}
    return {
        "accuracy": {kind: {m: each.mean(-1) for m, each in table.items()} for kind, table in right.items()},
        "lost, less random": {m: _interval(each.mean(1)) for m, each in more.items()},
        "lost, less random, by share": {
            m: torch.stack([_interval(each[:, k]) for k in range(len(SHARES))]) for m, each in more.items()
        },
        "lost through the swap": {
            m: _interval(lost["retrained"][m] - lost["not retrained"][m]) for m in found
        },
        **{f"lost through the swap, {kind}": {m: _interval(each) for m, each in table.items()}
           for kind, table in lost.items()},
    }


def _interval(values: Tensor) -> Tensor:
    q = crossed(values, level=0.99, generator=Generator().manual_seed(7))
    return torch.tensor([q.lo, q.value, q.hi])


def retrainings() -> Quantity:
    """Eight maps, two shares: sixteen trainings a seed, and five on masks alone."""
    def measure(seed: int) -> dict:
        return {name: of_map(name, method, seed) for name, method in estimators().items()}

    return Quantity({
        "claims": ["C85", "C144"], "networks": "fashion_natural", "shares": SHARES, "swapped at": SWAPPED,
        "training": f"recipe of fashion_natural on 10,000 images, {RECIPE.epochs} epochs, batch "
        f"{RECIPE.batch}, flips; the first weights and the batches of the seed's natural network",
        "test": "1,000 images for confirmation, all of them", "fill": "mean of the training images",
        "maps": "of the natural network of the same seed, for the true class of training and test images; "
        "'predicted class': for the class that it predicts on the test images",
        "estimators": f"saliency; guided backprop; IG, black, {PATH_STEPS} steps; SmoothGrad, "
        f"SmoothGrad-Squared and VarGrad of saliency, sigma 0.15, {SAMPLES} samples; random map; Sobel's "
        "edges; highest first, signs kept",
        "accuracy": "kind, map: seeds x shares", "masks alone": f"white images, black where removed; "
        f"{EPOCHS_ALONE} epochs",
        "swapped": "each test image with the mask of the next one of another class",
        "intervals": "lower end, mean, upper end at 99 %, 5 seeds x 1,000 images; 'lost, less random': "
        "accuracy with the random map less accuracy with the map, mean of the shares; 'lost through the "
        "swap': accuracy with own masks less with swapped ones, retrained less not retrained",
        "dtype": "float32", "threads": 1,
    }, measure, summary)

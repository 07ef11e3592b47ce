"""C132: how far eight methods agree, with the baselines that they usually have and with the same one."""

import torch
from torch import Generator, Tensor, nn

from experiments.measures.eight_methods import DESCRIBED, FAMILIES, NAMES, PAIRS, agreement, maps
from experiments.measures.intervals import interval
from experiments.measures.tabular import (
    FEATURES,
    GAPS,
    HIDDEN,
    NOISE,
    TESTED,
    TRAINING,
    Tables,
    tables,
    trained,
)
from experiments.runner import Quantity
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.evaluation.statistics import crossed
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import fashion_sample
from tutorial_lib.notebook.samples import trained as zoo

SETS, IMAGES = 50, 100


def of_set(model: nn.Module, x: Tensor, effects: Tensor) -> dict[str, Tensor]:
    """Agreement of the pairs (28,), and of each method with the known effects (8,), before and after: means
    over the last rows of a table, which the model has not seen."""
    images, target = x[:, None, None], torch.zeros(TESTED, dtype=torch.long)
    truth, result = effects[TRAINING:, None, None], {}
    for name, matched in (("before", False), ("after", True)):
        found = maps(model, images[TRAINING:], target, some=images[:TRAINING], size=1, matched=matched)
        result[name] = agreement(found).mean(1)
        result[f"truth {name}"] = rank_correlations(truth, found).mean(1)
    return result


def data(seed: int) -> Tables:
    """The 50 data sets, small and large gaps in turn."""
    return tables(SETS, TRAINING + TESTED, generator=Generator().manual_seed(seed))


def of_seed(seed: int, *, sets: Tables) -> dict[str, Tensor]:
    """`of_set` of each set, (50, ...), and the share of the variance that each network explains, (50,)."""
    seen = Tables(*(part[:, :TRAINING] for part in sets))
    models = trained(seen, seed=seed)
    found = [of_set(*each) for each in zip(models, sets.x, sets.effects, strict=True)]
    said = torch.stack([model(x[TRAINING:]) for model, x in zip(models, sets.x, strict=True)])[..., 0]
    missed = (said - sets.y[:, TRAINING:]).var(1) / sets.y[:, TRAINING:].var(1)
    return {key: torch.stack([each[key] for each in found]) for key in found[0]} | {"explained": 1 - missed}


def of_images(model: nn.Module, x: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Agreement of the pairs on images, (N, 28), over pixels that are not black."""
    some = fashion_mnist("train").images
    return {name: agreement(maps(model, x, target, some=some, size=4, matched=matched), where=x != 0).T
            for name, matched in (("before", False), ("after", True))}


def without(family: tuple[str, ...], found: dict) -> dict[str, Tensor]:
    """What both rules read, from the pairs without a family of methods: ends and values at 99 %."""
    left = torch.tensor([not {NAMES[i], NAMES[j]} & {*family} for i, j in PAIRS])
    before, after = (found[name][..., left].mean(2) for name in ("before", "after"))
    values = {"match": after - before, "gap": after[:, ::2] - after[:, 1::2]}
    return {name: interval(crossed(v, level=0.99, generator=Generator().manual_seed(7)))
            for name, v in values.items()}


def toy() -> Quantity:
    """Fifty networks a seed."""
    def finish(found: dict) -> dict:
        times = {name: found[name].mean(2) for name in ("before", "after")}
        pairs = {f"pairs {name}": found[name].mean((0, 1)) for name in times}
        truth = {key: found[key].mean(1) for key in found if key.startswith("truth")}
        fewer = {f"without {name}": without(family, found) for name, family in FAMILIES.items()}
        return {**times, **pairs, **truth, **fewer, "explained": found["explained"].mean(1)}

    return Quantity({
        "claims": ["C132"], "methods": NAMES, "sets": f"{SETS} of generator seed 7, in pairs that differ in "
        "their gaps alone, small and large in turn", "gaps": {"ratio of neighbouring effects": GAPS},
        "data": f"{FEATURES} features of standard deviation 1 and means 1 to 3; y = Σ β g(x - mean) + noise "
        f"{NOISE}; g: straight, parabola or wave; Σ β² = 1; {TRAINING} rows to learn, {TESTED} to explain",
        "networks": f"two hidden layers of {HIDDEN}", **DESCRIBED,
        "before, after": "Spearman of absolute values, mean over 28 pairs and the rows: seeds x sets",
        "pairs": "the same for each pair of methods, mean over seeds and sets",
        "match, gap": "after less before; after, each set with small gaps less its twin with large ones",
        "without": {name: f"the same without {', '.join(family)}: lower end, value, upper end at 99 %, n"
                    for name, family in FAMILIES.items()},
        "truth": "Spearman with the known effects: seeds x methods",
        "explained": "share of the variance of new rows: seeds", "dtype": "float32", "threads": 1,
    }, lambda seed: of_seed(seed, sets=data(7)), finish)


def fashion() -> Quantity:
    """One network a seed on the same images."""
    def measure(seed: int) -> dict:
        sample = fashion_sample(zoo("fashion_natural"), n=IMAGES)
        return of_images(load(f"fashion_natural_{seed}"), sample.images, sample.targets)

    def finish(found: dict) -> dict:
        return {**{name: v.mean(2) for name, v in found.items()},
                **{f"pairs {name}": v.nanmean((0, 1)) for name, v in found.items()}}

    return Quantity({
        "claims": ["C132"], "methods": NAMES, "networks": "fashion_natural", "images": IMAGES,
        "sample": "classified rightly by the five networks, balanced", "pixels": "not black", **DESCRIBED,
        "before, after": "Spearman of absolute maps, mean over 28 pairs: seeds x images",
        "pairs": "the same for each pair of methods, mean over seeds and images", "threads": 1,
        "dtype": "float32",
    }, measure, finish)

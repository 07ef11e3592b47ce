"""C159: how MoRF, LeRF, infidelity and Sensitivity-n order maps of known quality."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from experiments.measures.grades import SHARES, SUBSETS, Asked, Grades, grades
from experiments.measures.known_quality import NOISE, STEPWISE, maps_of_known_quality, ordered
from experiments.measures.removal import JUDGED, STEPS
from experiments.measures.smoothing import SAMPLES_OF_I, SIGMA
from experiments.runner import Quantity, batches, joined
from experiments.worlds import NUMBERS
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import SEEDS, shapes_sample, trained

BATCH, LONG = 4, 12


def of(found: Grades, names: Sequence[str]) -> Grades:
    return {metric: {name: each[name] for name in names} for metric, each in found.items()}


def each_map(found: Grades, value: Callable[[Tensor], Tensor]) -> Grades:
    return {metric: {name: value(v) for name, v in each.items()} for metric, each in found.items()}


def summary(found: dict[str, Grades]) -> dict:
    """What is judged for each image, else means over the images."""
    rungs = {metric: ordered([each[name] for name in NOISE]) for metric, each in found["all"].items()}

    def steps(each: dict[str, Tensor], other: str) -> Tensor:
        return ordered([each[name] for name in (*STEPWISE, "truth") if name.startswith((other, "truth"))])

    others = ("another mask", "edges")
    long = {metric: {other: steps(each, other) for other in others} for metric, each in found["long"].items()}
    return {
        "ordered": {metric: (20 * share).round().long() for metric, share in rungs.items()},
        "ordered, long": each_map(long, lambda v: v.mean(1)),
        "grade, all": each_map(found["all"], lambda v: v.mean(1)),
        "grade, long": each_map(found["long"], lambda v: v.mean(1)),
        "first images": each_map(found["all"], lambda v: v[0, :BATCH]),
    }


def ladder(world: str) -> Quantity:
    """Five trained networks, or the wired one, on the same maps."""
    n, wired = NUMBERS["shapes"], world == "wired"

    def measure(seed: int) -> dict:
        models = [load("wired")] if wired else trained("shapes_natural")
        data, model = shapes_sample(models, n=n, blue=wired), models[0 if wired else SEEDS.index(seed)]
        maps, short, found = maps_of_known_quality(data), [*NOISE, "constant"], []
        for part in batches(n, size=BATCH):
            here = {name: heat[part] for name, heat in maps.items() if part.start < LONG or name in short}
            x, target = data.images[part], data.targets[part]
            found.append(grades(Asked(wired, model, x, target, here, seed=7 + part.start)))
        long = [of(each, [*STEPWISE, "truth"]) for each in found[: LONG // BATCH]]
        every = [of(each, short) for each in found]
        return {"all": joined(every, torch.cat), "long": joined(long, torch.cat)}

    return Quantity({
        "claims": ["C159"], "networks": "wired" if wired else "shapes_natural", "images": n,
        "rungs": NOISE, "long": STEPWISE, "images of the long ladders": LONG,
        "maps": "q · mask, widened by 2 px, + (1 - q) · other, both of norm 1; other: noise of seed 70, mask "
        "of the next image of another class, Sobel's edges",
        "grade": "higher is better: minus area (morf), area (lerf), minus the share of E[Δ²] that infidelity "
        "leaves, mean correlation over the sizes",
        "removal": f"{STEPS} steps, probability; fills {', '.join(JUDGED)}",
        "infidelity": f"{SAMPLES_OF_I} draws, as in class_and_stability; shares: a map divided by x - 0.5, "
        f"which counts as {SIGMA} at least for the noisy baseline",
        "sensitivity-n": f"{SUBSETS} subsets, black, sizes in shares of the pixels: {SHARES}",
        "wired": "blue-coded shapes; blue of fills and noise at most 0.7",
        "ordered": "20 times the share of the ten pairs of rungs in the right order: seeds x images",
        "batch": f"{BATCH} images; for each a generator of seed 7 + number of its first image, anew for "
        "each metric",
        "dtype": "float32", "threads": 1,
    }, measure, summary, seeds=(0,) if wired else SEEDS)

"""C150 and what C114 asks for: who prefers the steadier map, what does he pay?"""

import time

import torch
from torch import Generator, Tensor, nn

from experiments.measures.five_metrics import IN_WORDS, METRICS, graded
from experiments.measures.intervals import interval
from experiments.measures.passes import KERNEL, MASKS, passes
from experiments.measures.stability import BATCH, DRAWS, RADIUS
from experiments.measures.two_kinds import BESIDE, PAIRS, WORLD, centred, methods, stability
from experiments.runner import Quantity
from experiments.worlds import average, described
from tutorial_lib.evaluation.statistics import crossed
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import fashion_sample, trained
from tutorial_lib.scores import Attribute

IMAGES = 50


def seconds(method: Attribute, model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """Processor time for each image, the best of three calls for all of them."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        method(model, x.clone(), target)  # a new object, which no method remembers
        taken.append(time.process_time() - start)
    return torch.tensor(min(taken) / len(x), dtype=torch.float64)


def of_images(model: nn.Module, x: Tensor, target: Tensor) -> dict:
    """Stability and grades, (N,) by method; passes and seconds of an image."""
    mine = methods()
    maps = {name: method(model, x, target) for name, method in mine.items()}
    maps["RISE, centred"] = centred(mine["RISE"])(model, x, target)
    return {
        **stability(model, x, target), "grades": graded(WORLD, model, x, target, maps),
        "passes": {name: passes(method, model, x, target) for name, method in mine.items()},
        "seconds": {name: seconds(method, model, x, target) for name, method in mine.items()},
    }


def summary(found: dict) -> dict:
    """Logarithms of the ratios of each image; what is gained in each grade; means; the first images."""
    def log_ratio(first: str, second: str) -> Tensor:
        return found["relative"][first].log() - found["relative"][second].log()

    def gain(metric: str, first: str, second: str) -> Tensor:
        grade, draws = found["grades"][metric], Generator().manual_seed(7)
        return interval(crossed(grade[first] - grade[second], level=0.95, generator=draws))

    def means(node: dict) -> dict:
        return {name: v.nanmean(1) for name, v in node.items()}

    return {
        "log ratio": {pair: (1e4 * log_ratio(*names)).round() / 1e4 for pair, names in PAIRS.items()},
        "log ratio, beside": {pair: log_ratio(*names).nanmean(1) for pair, names in BESIDE.items()},
        "relative": means(found["relative"]), "absolute": means(found["absolute"]),
        "grades": {metric: means(each) for metric, each in found["grades"].items()},
        "gain": {m: {pair: gain(m, *names) for pair, names in PAIRS.items()} for m in METRICS},
        "passes": {name: v.amax(0) for name, v in found["passes"].items()},
        "seconds": {name: v.amin(0) for name, v in found["seconds"].items()},
        "first images": {name: v[0, :BATCH] for name, v in found["relative"].items()},
    }


def preference() -> Quantity:
    """One network a seed, all on the same images."""
    def measure(seed: int) -> dict:
        data = fashion_sample(trained(f"{WORLD}_natural"), n=IMAGES)
        return of_images(load(f"{WORLD}_natural_{seed}"), data.images, data.targets)

    return Quantity({
        "claims": ["C114", "C150"], "networks": f"{WORLD}_natural", "images": IMAGES, "pairs": PAIRS,
        "relative": f"max ‖A(y) - A(x)‖ / ‖A(x)‖, radius {RADIUS}, {DRAWS} draws, decision unchanged; mean "
        "over the images: seeds; absolute: not divided",
        "log ratio": "of the relative form, first over second: seeds x images",
        "log ratio, beside": "means, with the named masks and noise new at each call; centred: less its mean",
        "methods": {**described(WORLD), "occlusion, RISE, LIME": f"fill {average(WORLD).item():.4f}",
                    "RISE, LIME": f"{MASKS} masks, 7 x 7 cells, the same at each call; LIME: width {KERNEL}"},
        "grades": "means over the images: seeds", **IN_WORDS,
        "gain": "in the grade, first less second: lower end, mean, upper end at 95 %, number",
        "passes": "of one image forward, and of a signal back",
        "seconds": "processor time of one image, the best of three calls for all images, and of the seeds",
        "first images": f"relative, seed 100, {BATCH} images",
        "batch of the stability": f"{BATCH} images; one generator of seed 7 draws for the batches in turn",
        "dtype": "float32", "threads": 1,
    }, measure, summary)

"""C120: do five fidelity metrics rank nine methods alike?"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from experiments.measures.five_metrics import IN_WORDS, METRICS, graded
from experiments.measures.intervals import interval
from experiments.runner import Quantity
from experiments.worlds import NUMBERS, SAMPLES, described, nine_methods, pixel_map
from tutorial_lib.attribution.gradients import seeded
from tutorial_lib.evaluation.agreement import kendall_w, mean_ranks, signed_rank_correlations
from tutorial_lib.evaluation.localisation import dilated, rank_accuracy
from tutorial_lib.evaluation.sanity import edge_filter, random_map
from tutorial_lib.evaluation.statistics import Interval, crossed
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import trained

FAMILIES = {
    "gradient": ("saliency", "SmoothGrad"), "modified backward": ("guided backprop",),
    "input-multiplied": ("Gradient x Input", "IG", "epsilon-LRP", "DeepLIFT"), "CAM": ("Grad-CAM",),
    "occlusion": ("occlusion",),
}
NINE = tuple(name for family in FAMILIES.values() for name in family)
VARIANTS = {"ROAD, MoRF alone": "ROAD", "infidelity, squares": "infidelity",
            "infidelity, noisy baseline": "infidelity"}
FIRST = 10


def table(found: dict, metrics: Sequence[str] = METRICS, methods: Sequence[str] = NINE) -> Tensor:
    """-> (seeds, images, metrics, methods)"""
    return torch.stack([torch.stack([found[m][n] for n in methods], -1) for m in metrics], -2)


def permuted(raters: int, items: int) -> Tensor:
    """Kendall's W of 1,000 times as many random rankings: the mean, and what 5 % of them exceed, (2,)."""
    ratings = torch.rand(1000, raters, items, generator=Generator().manual_seed(7))
    w = kendall_w(ratings)
    return torch.stack([w.mean(), w.quantile(0.95)])


def levels(values: Tensor) -> tuple[Tensor, Tensor]:
    """For each network W of the metrics' rankings by mean grades; and the W of as many raters who agree as
    the rankings of a metric on this network and the next do, mean of the metrics.  -> (seeds,) each"""
    grades = values.nanmean(1)
    seeds, raters = grades.shape[:2]
    again = signed_rank_correlations(*(g.flatten(0, 1) for g in (grades, grades.roll(-1, 0))))
    return kendall_w(grades), (1 + (raters - 1) * again.view(seeds, raters).mean(1)) / raters


def place(values: Tensor) -> Interval:
    """e of W: 0 as random rankings, 1 as the same metrics on two networks; unbounded on too short a scale."""
    floor = permuted(*values.shape[2:])[0]

    def position(drawn: Tensor) -> Tensor:
        w, ceiling = levels(drawn)
        return (w - floor) / (ceiling - floor)

    e = crossed(values, level=0.99, generator=Generator().manual_seed(7), statistic=position)
    short = levels(values)[1].mean() - floor < 0.1
    return Interval(e.value, -torch.inf, torch.inf, e.n, e.level) if short else e


def summary(found: dict) -> dict:
    """e of all, without each family and with variants; what it is made of; means; the first images."""
    values = table(found)
    sets = {"all nine": values}
    for family, names in FAMILIES.items():
        sets[f"without {family}"] = table(found, methods=[n for n in NINE if n not in names])
    for variant, metric in VARIANTS.items():
        sets[f"with {variant}"] = table(found, [variant if m == metric else m for m in METRICS])
    w, ceiling = levels(values)
    places = mean_ranks(values.nanmean(1))
    return {
        "e": {name: interval(place(v)) for name, v in sets.items()},
        "W": {"metrics": w, "ceiling": ceiling, "permuted": permuted(*values.shape[2:]),
              "of an image, mean": kendall_w(values).nanmean(1)},
        "places": {m: {n: places[:, i, j] for j, n in enumerate(NINE)} for i, m in enumerate(METRICS)},
        "mean": {m: {n: v.nanmean(1) for n, v in each.items()} for m, each in found.items()},
        "first images": {m: {n: found[m][n][0, :FIRST] for n in NINE} for m in METRICS},
    }


def consensus(world: str) -> Quantity:
    """One network a seed, all on the same images."""
    controls = {"random map": seeded(random_map, seed=70), "edge filter": edge_filter}

    def measure(seed: int) -> dict:
        data = SAMPLES[world](trained(f"{world}_natural"), n=NUMBERS[world])
        model, x, target = load(f"{world}_natural_{seed}"), data.images, data.targets
        maps = {n: method(model, x, target) for n, method in {**nine_methods(world), **controls}.items()}
        found = graded(world, model, x, target, maps)
        if world == "shapes":
            wide = dilated(data.masks)
            found["on the mask"] = {n: rank_accuracy(pixel_map(n, a), wide) for n, a in maps.items()}
        return found

    return Quantity({
        "claims": ["C120"], "networks": f"{world}_natural", "images": NUMBERS[world], "metrics": METRICS,
        **IN_WORDS, "families": FAMILIES, "methods": described(world),
        "e": "(W - floor) / (ceiling - floor): lower end, value, upper end at 99 %, number; null: unbounded, "
        "floor and ceiling are less than 0.1 apart",
        "W": "Kendall's W of the rankings of the methods by their means over the images, metrics for raters: "
        "seeds; floor, permuted: mean of 1,000 times five random rankings (and the 95th percentile), seed 7; "
        "ceiling: (1 + 4 rho) / 5, rho the rank correlation of a metric's rankings on networks of "
        "neighbouring seeds, mean of the metrics", "places": "9 is the best: seeds",
        "mean": "over the images: seeds; random map: seed 70", "first images": f"seed 100: {FIRST}",
        "dtype": "float32", "threads": 1,
    }, measure, summary)

"""C42, C79 to C83, C147 and their kin: areas under removal curves, and what a map gains over its controls."""

from functools import partial

import torch
from torch import Generator, Tensor, nn

from experiments import worlds
from experiments.runner import Quantity
from experiments.worlds import BLACK, NUMBERS, described, more_methods, nine_methods, pixel_map
from tutorial_lib.evaluation.fills import Fill, constant, imputed
from tutorial_lib.evaluation.removal import area, removal_curves
from tutorial_lib.evaluation.sanity import randomised
from tutorial_lib.evaluation.statistics import crossed
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import another_class, trained
from tutorial_lib.scores import Attribute

ORDERS, STEPS, FIRST = ("morf", "lerf"), 20, 10
JUDGED = ("black", "mean", "random", "imputed")  # the fills of the fidelity column


def fills(world: str, x: Tensor) -> dict[str, Fill]:
    """The protocol's fills, and a second draw of the random one. One draw serves all maps and steps."""
    draws = Generator().manual_seed(7)
    noise, again = (torch.rand(x.shape, generator=draws) for _ in range(2))
    return {
        "black": partial(constant, value=BLACK), "mean": partial(constant, value=worlds.average(world)),
        "random": partial(constant, value=noise), "random again": partial(constant, value=again),
        "imputed": partial(imputed, noise=0.01 * torch.randn(x.shape, generator=draws)),
    }


def maps_and_controls(
    methods: dict[str, Attribute], model: nn.Module, x: Tensor, target: Tensor
) -> dict[str, dict[str, Tensor]]:
    """Pixel maps of each method: its own, on randomised weights, and those of another image."""
    blank = randomised(model, "", generator=Generator().manual_seed(7))
    elsewhere, found = another_class(target), {"own": {}, "blank": {}, "other image": {}}
    for name, method in methods.items():
        found["own"][name] = pixel_map(name, method(model, x, target))
        found["blank"][name] = pixel_map(name, method(blank, x, target))
        found["other image"][name] = found["own"][name][elsewhere]
    return found


def areas(
    world: str, model: nn.Module, x: Tensor, target: Tensor, maps: dict[str, Tensor], kinds: list[str]
) -> dict:
    """Areas under the curves of the probability of the class, (N,), by order, fill and map."""
    probability = nn.Sequential(model, nn.Softmax(1)).eval()
    found = {order: {} for order in ORDERS}
    for order in ORDERS:
        for kind in kinds:
            curves = removal_curves(
                probability, x, target, maps, order=order, fill=fills(world, x)[kind], steps=STEPS,
                generator=Generator().manual_seed(7),
            )
            found[order][kind] = {name: area(curve) for name, curve in curves.items()}
    return found


def summary(found: dict) -> dict:
    """Areas of the nine methods for each image, of the others as means; the gains as intervals at 99 %."""
    gains, first = {}, {}
    for order, sign in (("morf", -1), ("lerf", 1)):
        for kind in JUDGED:
            own = found["own"][order][kind]
            for control in ("blank", "other image"):
                better = {m: sign * (own[m] - found[control][order][kind][m]) for m in own}
                key = f"{order}, {kind}, {control}"
                gains[key] = {m: _interval(values) for m, values in better.items()}
                first[key] = {m: values[0, :FIRST] for m, values in better.items()}
    nine = nine_methods("fashion")
    return {
        "area": {o: {k: {m: (10_000 * a[m]).round().long() for m in nine} for k, a in each.items()}
                 for o, each in found["own"].items()},
        "mean area of the others": {o: {k: {m: v.mean(1) for m, v in a.items() if m not in nine}
                                        for k, a in each.items()} for o, each in found["own"].items()},
        "gain": gains, "gain, first images": first,
    }


def _interval(values: Tensor) -> Tensor:
    q = crossed(values, level=0.99, generator=Generator().manual_seed(7))
    return torch.tensor([q.lo, q.value, q.hi])


def removal(world: str) -> Quantity:
    """All methods of Table 2 and their kin on the five networks of a world."""
    n = NUMBERS[world]

    def measure(seed: int) -> dict:
        data, model = worlds.SAMPLES[world](trained(f"{world}_natural"), n=n), load(f"{world}_natural_{seed}")
        x, target = data.images, data.targets
        methods, found = {**nine_methods(world), **more_methods(world)}, {}
        for control, maps in maps_and_controls(methods, model, x, target).items():
            kinds = [*JUDGED, *(["random again"] if control == "own" else [])]
            found[control] = areas(world, model, x, target, maps, kinds)
        return found

    return Quantity({
        "claims": [f"C{n}" for n in (42, 47, 52, 57, 62, 67, 72, 79, 80, 81, 82, 83, 147)],
        "networks": f"{world}_natural", "images": n, "steps": STEPS,
        "score": "probability of the class, which is the predicted one",
        "area": "mean of the curve over the share of pixels removed, times 10,000: order, fill, method: "
        "seeds x images",
        "fills": "black 0; mean of the training images (shapes: 0.5); uniform random, drawn twice by a "
        "generator of seed 7; noisy linear imputation, noise 0.01",
        "gain": "order, fill, control: lower end, mean, upper end at 99 %; positive = better than the "
        "control; controls: the method on randomised weights (every parameter, seed 7), its map of the next "
        "image of another class",
        "gain, first images": f"seed 100, the first {FIRST} images",
        "methods": {**described(world), "others": "DeconvNet; SmoothGrad-Squared and VarGrad as SmoothGrad; "
                    "expected gradients, 200 training images; random map, seed 7; constant map; edge filter"},
        "ties": "broken by a generator of seed 7, alike for all maps", "dtype": "float32", "threads": 1,
    }, measure, summary)

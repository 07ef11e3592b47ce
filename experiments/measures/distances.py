"""C104: how far the boundary is, by an attack that follows the gradient and by one that sees decisions."""

from torch import Generator, Tensor, nn

from experiments.runner import Quantity
from experiments.worlds import NUMBERS, SAMPLES
from tutorial_lib.datasets import FashionMnist, PlantedShapes
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import another_class, nearly_balanced, trained
from tutorial_lib.robustness.attacks import NORMS, hop_skip_jump, smallest_perturbation

KINDS = {"fashion": ("natural", "linf", "l2"), "shapes": ("natural", "l2")}
LARGEST = {"linf": 0.5, "l2": 6.0}
PGD, VOTES = {"halvings": 9, "iterations": 10}, {"iterations": 12, "samples": 40}


def known(world: str, kinds: tuple[str, ...]) -> FashionMnist | PlantedShapes:
    """Images that all networks of these kinds know; of Fashion-MNIST's shirts there are too few."""
    nets = [net for kind in kinds for net in trained(f"{world}_{kind}")]
    more = {"choose": nearly_balanced} if world == "fashion" else {}
    return SAMPLES[world](nets, n=NUMBERS[world], **more)


def nearest(model: nn.Module, x: Tensor, target: Tensor) -> dict[str, dict[str, Tensor]]:
    """Sizes of the smallest changes that each attack finds, (images,): norm, attack."""
    found, start = {}, x[another_class(target)]
    for norm, largest in LARGEST.items():
        size = smallest_perturbation(model, x, target, norm=norm, largest=largest, **PGD,
                                     generator=Generator().manual_seed(7))
        worst = hop_skip_jump(model, x, target, start=start, norm=norm, **VOTES,
                              generator=Generator().manual_seed(7))
        found[norm] = {"PGD": size.clamp(max=largest), "HopSkipJump": NORMS[norm].size(worst - x)}
    return found


def distances(world: str) -> Quantity:
    """Natural and robust networks of a world on images that all of them know."""
    def measure(seed: int) -> dict:
        data = known(world, KINDS[world])
        return {kind: nearest(load(f"{world}_{kind}_{seed}"), data.images, data.targets)
                for kind in KINDS[world]}

    def finish(found: dict) -> dict:
        return {kind: {norm: {attack: (10_000 * size).round().long() for attack, size in each.items()}
                       for norm, each in norms.items()} for kind, norms in found.items()}

    return Quantity({
        "claims": ["C104"], "networks": [f"{world}_{kind}" for kind in KINDS[world]],
        "images": NUMBERS[world], "sample": "for confirmation, classified rightly by all networks, balanced "
        "(fashion: as far as they go)", "PGD": f"bisection of the radius, {PGD['iterations']} iterations, "
        f"{PGD['halvings']} halvings", "largest": LARGEST, "where none is found": "the largest",
        "HopSkipJump": f"{VOTES['iterations']} iterations, {VOTES['samples']} votes, from the next image of "
        "another class",
        "generator": "seed 7 for each network, norm and attack", "dtype": "float32", "threads": 1,
        "values": "size times 10,000: network, norm, attack: seeds x images",
    }, measure, finish)

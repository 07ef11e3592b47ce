"""What the library promises about its costs, and whether it keeps it."""
from collections.abc import Callable, Mapping
from typing import NamedTuple

METRICS = (
    "removal curves, 8 maps", "Sensitivity-n, 8 maps", "infidelity, 8 maps", "max-sensitivity",
    "cascading randomisation",
)  # fmt: skip


class Target(NamedTuple):
    """A number from the tasks of one world, None where it was not measured, and the line that it keeps."""

    text: str
    number: Callable[[Mapping[str, dict]], float | None]
    line: float | Mapping[str, float]
    at_least: bool = False

    def line_of(self, world: str) -> float:
        """The line, which may differ between the networks."""
        return self.line[world] if isinstance(self.line, Mapping) else self.line

    def kept(self, world: str, tasks: Mapping[str, dict]) -> bool | None:
        """None where it was not measured."""
        number, line = self.number(tasks), self.line_of(world)
        if number is None:
            return None
        return number >= line if self.at_least else number <= line


def _floors(name: str) -> Callable:
    return lambda tasks: tasks[name]["times the floor"]


def _slower(name: str, library: str) -> Callable:
    return lambda tasks: tasks[name]["others"].get(library, {}).get("times ours")


def _most_passes(tasks: Mapping[str, dict]) -> float:
    return max(tasks[name]["passes"] / tasks[name]["passes needed"] for name in METRICS)


def _most_memory(tasks: Mapping[str, dict]) -> float:
    return max(task["MiB"] for task in tasks.values())


TARGETS = (
    Target("passes of each metric, in those that its definition needs", _most_passes, 1.02),
    Target("removal curves, in their floor", _floors(METRICS[0]), 1.2),
    Target("Sensitivity-n of eight maps, in the floor of one", _floors(METRICS[1]), 1.2),
    Target("the same in Quantus, in our time", _slower(METRICS[1], "quantus"), 8, at_least=True),
    Target("infidelity of eight maps, in the floor of one", _floors(METRICS[2]), 1.2),
    Target("the same in Captum, in our time", _slower(METRICS[2], "captum"), 12, at_least=True),
    Target("max-sensitivity, in its floor", _floors(METRICS[3]), 1.2),
    Target(
        "cascading randomisation, in its floor", _floors(METRICS[4]),
        {"FashionCNN, 28 px": 1.6, "ShapesResNet, 64 px": 2.0},
    ),
    Target("integrated gradients, in their floor", _floors("integrated gradients, 50 steps"), 1.2),
    Target("SmoothGrad, in its floor", _floors("SmoothGrad, 50 samples"), 1.2),
    Target("extra memory of any task, in MiB", _most_memory, 64),
)  # fmt: skip


def cell(target: Target, world: str, tasks: Mapping[str, dict]) -> str:
    """The number, its line, and whether it is kept."""
    number, kept = target.number(tasks), target.kept(world, tasks)
    if kept is None:
        return "not measured"
    sign = "≥" if target.at_least else "≤"
    return f"{number:.2f} {sign} {target.line_of(world):g} {'met' if kept else '**missed**'}"

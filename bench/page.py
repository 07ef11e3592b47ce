"""bench/results.json -> book/appendix_speed.md: python -m bench.page"""
import json
from pathlib import Path

from bench.run import RESULTS
from bench.targets import TARGETS, cell
from tools.data_page import rows

PAGE = Path(__file__).parents[1] / "book" / "appendix_speed.md"
TEXT = """\
# What the methods and metrics cost

`make bench` measures this on one processor thread and writes this page. The networks are the two small ones
of {{doc}}`data_and_models`, the settings nearly those of the {{doc}}`protocol`.

How to read it. Every definition needs a certain number of *passes*: images that go through the network,
forward only or forward and back. The *floor* of a task is the time of these passes alone, on the bare network
and at the batch size that suits it best, measured in turn with the task; a time of 1.10 floors says that
everything else, from drawing the perturbations to ranking the pixels, takes a tenth of it. Passes and memory
are exact and the same on every machine; times are medians of {rounds} rounds of processor seconds with the
smallest and the largest, and they change with the processor.

## What is promised

{targets}

{worlds}

*Passes* are spent / needed. *Extra memory* is the most that lives at a time beyond network, images and maps:
tensors, and what Python and NumPy allocate. *Channels last* says how much faster the same call is if the
caller converts network and images first, `model.to(memory_format=torch.channels_last)`. Captum and Quantus do
the same work; the number is their time in ours, in brackets their passes in those needed. Captum by default
puts all perturbed copies into one pass; *best batch* divides them as was best here. Two differences remain.
Their max-sensitivity keeps every draw, while ours asks the network whether its decision is still the same, so
that theirs needs half the passes. And of colour images Quantus removes single entries, where we remove
pixels, in 12 steps for our 16.

{versions}; {threads} thread.
"""
HEADS = [
    "task", "passes", "time in floors", "ms", "extra memory in MiB", "channels last", "Captum",
    "Captum, best batch", "Quantus",
]  # fmt: skip


def other(task: dict, library: str) -> str:
    """A library's time in ours and its passes in those needed."""
    found = task["others"].get(library)
    if found is None:
        return "–"
    return f"{found['times ours']:.2f} ({found['passes'] / task['passes needed']:.2f})"


def table_of(tasks: dict[str, dict]) -> str:
    """One row a task."""
    table = [HEADS]
    for name, task in tasks.items():
        low, high = task["range"]
        table.append([
            name, f"{task['passes']} / {task['passes needed']}",
            f"{task['times the floor']:.2f} ({low:.2f} to {high:.2f})", f"{task['milliseconds']:.0f}",
            f"{task['MiB']:.1f}", f"{task['channels last']:.2f}",
            *(other(task, library) for library in ("captum", "captum, best batch", "quantus")),
        ])  # fmt: skip
    return rows(table)


def page(results: dict) -> str:
    """The page's text."""
    worlds = results["worlds"]
    targets = [["", *worlds]] + [
        [target.text, *(cell(target, name, w["tasks"]) for name, w in worlds.items())] for target in TARGETS
    ]
    return TEXT.format(
        rounds=results["rounds"], threads=results["threads"], targets=rows(targets),
        worlds="\n\n".join(f"## {name}\n\n{table_of(w['tasks'])}" for name, w in worlds.items()),
        versions=", ".join(f"{name} {value}" for name, value in results["versions"].items()),
    )


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text("utf8"))), "utf8")

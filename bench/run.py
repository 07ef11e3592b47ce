"""python -m bench.run: times everything on one thread and writes bench/results.json.

Run it on a quiet machine; it takes some minutes. Captum is there; Quantus is compared where it is installed.
"""
import json
import statistics
from functools import partial
from importlib.metadata import version
from pathlib import Path
from platform import python_version

import torch

from bench.captum_peers import captum_calls, tuned
from bench.measure import Call, Floor, images_seen, interleaved, ratios, seconds
from bench.memory import extra_memory
from bench.quantus_peers import WITH_QUANTUS, quantus_calls
from bench.targets import TARGETS, cell
from bench.tasks import Task, tasks
from bench.worlds import WORLDS, World

RESULTS = Path(__file__).with_name("results.json")
ROUNDS = 5
MIB = 2**20


def compared(w: World, task: Task, floor: Floor, *, others: dict[str, Call], rounds: int) -> dict:
    """One task: what it spends and holds, and its time against the floor; the same of `others` against it."""
    calls = {"ours": task.run, **others}
    task.run()  # the first call is not timed
    timed = {name: partial(seconds, call) for name, call in calls.items()}
    times = interleaved({"floor": lambda: floor.seconds(task.needs), **timed}, rounds=rounds)
    spent, held = {}, {}
    for name, call in calls.items():
        with images_seen(w.model) as seen:
            held[name] = extra_memory(call)
        spent[name] = sum(seen)
    multiples = ratios(times["ours"], times["floor"])
    return {
        "passes needed": sum(task.needs),
        "passes": spent["ours"],
        "MiB": held["ours"] / MIB,
        "milliseconds": 1000 * statistics.median(times["ours"]),
        "times the floor": statistics.median(multiples),
        "range": [min(multiples), max(multiples)],
        "others": {
            name: {
                "passes": spent[name],
                "MiB": held[name] / MIB,
                "times ours": statistics.median(ratios(times[name], times["ours"])),
            }
            for name in others
        },
    }


def one_world(w: World, *, peers: dict[str, dict[str, Call]], rounds: int) -> dict:
    """All tasks on one network; `peers` by library and name of the task."""
    floor, other_format = Floor(w.model, w.x, w.target), tasks(w.channels_last())
    found = {}
    for name, task in tasks(w).items():
        others = {library: calls[name] for library, calls in peers.items() if name in calls}
        others["channels_last"] = other_format[name].run
        found[name] = compared(w, task, floor, others=others, rounds=rounds)
        found[name]["channels last"] = 1 / found[name]["others"].pop("channels_last")["times ours"]
        print(f"{name:34s} {found[name]['times the floor']:6.2f} × the floor", flush=True)
    return {"microseconds of a pass": floor.costs._asdict(), "tasks": found}


def rounded(found: object) -> object:
    """Four digits of each number; more are noise."""
    if isinstance(found, dict):
        return {key: rounded(value) for key, value in found.items()}
    if isinstance(found, list):
        return [rounded(value) for value in found]
    return float(f"{found:.4g}") if isinstance(found, float) else found


def everything() -> dict:
    """What the file holds: settings, versions and numbers, nothing about the machine's name or owner."""
    torch.set_num_threads(1)
    packages = ["torch", "captum", "numpy", *(["quantus"] if WITH_QUANTUS else [])]
    worlds = {}
    for name, make in WORLDS.items():
        w = make()
        peers = {"captum": captum_calls(w), "captum, best batch": tuned(w), "quantus": quantus_calls(w)}
        worlds[name] = one_world(w, peers=peers, rounds=ROUNDS)
    return {
        "threads": torch.get_num_threads(),
        "rounds": ROUNDS,
        "versions": {"python": python_version(), **{name: version(name) for name in packages}},
        "worlds": worlds,
    }


if __name__ == "__main__":
    results = everything()
    RESULTS.write_text(json.dumps(rounded(results), indent=1, ensure_ascii=False) + "\n", "utf8")
    for target in TARGETS:
        print(target.text, *(cell(target, n, w["tasks"]) for n, w in results["worlds"].items()), sep=" | ")

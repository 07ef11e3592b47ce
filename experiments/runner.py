"""What the recorded results share: quantities measured seed by seed, resumed after an interruption.

A quantity that stands in the result with the same settings is kept as it is, so that adding one to an
experiment does not touch the others. To measure all again, delete the result and its parts.
"""

import argparse
import json
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from tqdm import tqdm

from tutorial_lib.notebook.results import read_result, write_result
from tutorial_lib.notebook.samples import SEEDS


@dataclass(frozen=True)
class Quantity:
    """`measure(seed)` gives tensors in nested groups, images first; `finish` says what is stored of them
    once the seeds are stacked in front. `settings` fix what both do."""

    settings: dict
    measure: Callable[[int], dict]
    finish: Callable[[dict], dict] = lambda values: values
    seeds: tuple[int, ...] = SEEDS

    def all_settings(self) -> dict:
        """As they come back from a file."""
        return json.loads(json.dumps({"seeds": self.seeds, **self.settings}))


def batches(n: int, *, size: int) -> Iterator[slice]:
    """0 to n in slices, with a progress bar."""
    for start in tqdm(range(0, n, size), unit="batch", leave=False):
        yield slice(start, start + size)


def joined(parts: list[dict], along: Callable[[list[torch.Tensor]], torch.Tensor]) -> dict:
    """One nested dict of many: `torch.cat` for batches of images, `torch.stack` for seeds."""
    if isinstance(parts[0], dict):
        return {key: joined([part[key] for part in parts], along) for key in parts[0]}
    return along(parts)


def run(name: str, quantities: dict[str, Quantity], *, out: Path, parts: Path) -> None:
    """Measure what OUT/NAME.json does not hold yet, and write it; finished seeds wait in `parts`."""
    path = out / f"{name}.json"
    kept = read_result(path) if path.exists() else None
    settings, values = {}, {}
    for key, quantity in quantities.items():
        wanted, found = quantity.all_settings(), kept.settings.get(key) if kept else None
        if found and {k: v for k, v in found.items() if k != "versions"} == wanted:
            settings[key], values[key] = found, kept.values[key]
            continue
        seeds = tqdm(quantity.seeds, desc=f"{name}: {key}", unit="seed")
        each = [_part(quantity, seed, parts / name / f"{key}_{seed}.json") for seed in seeds]
        values[key] = quantity.finish(joined([values for _, values in each], torch.stack))
        settings[key] = {**wanted, "versions": each[-1][0]}
    write_result(path, settings, values)


def _part(quantity: Quantity, seed: int, path: Path) -> tuple[dict, dict]:
    """Versions and values of one seed, from its file or measured now."""
    wanted = {**quantity.all_settings(), "versions": _versions()}
    if not path.exists():
        write_result(path, wanted, quantity.measure(seed))
    settings, values = read_result(path)
    if settings != wanted:
        raise ValueError(f"{path} was made with other settings or versions: delete it and run again")
    return settings["versions"], values


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("torch", "numpy", "scipy", "captum")}
    return {"python": platform.python_version(), **packages}


def command_line(name: str, quantities: Callable[[Path], dict[str, Quantity]]) -> None:
    """`python -m experiments.NAME --out data/results`, on one thread; `quantities` gets the parts folder."""
    parser = argparse.ArgumentParser(prog=f"python -m experiments.{name}")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results: data/results")
    parser.add_argument("--parts", type=Path, default=Path(__file__).parent / "parts", help="finished seeds")
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        run(name, quantities(options.parts / name), out=options.out, parts=options.parts)
    except (ValueError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")

"""Recorded results: what is too heavy for a chapter, run once by `experiments/`, read here.

A file holds the settings that fix the run, and values: numbers in nested groups, first axis the training
seeds, second (if there is one) the images; null marks an image that was excluded.
"""
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tutorial_lib.datafiles import data_file, whole_or_nothing

_DIGITS = 5


class Result(NamedTuple):
    """A recorded run: `settings` as in the file, `values` with float64 tensors for the lists."""

    settings: dict
    values: dict


def recorded(name: str) -> Result:
    """The result of `python -m experiments.NAME` that comes with the book."""
    return read_result(data_file(f"results/{name}.json"))


def read_result(path: Path) -> Result:
    """The result in a file; `ValueError` if it was cut short or is no result."""
    try:
        found = json.loads(path.read_text("utf8"))
        return Result(found["settings"], _tensors(found["values"]))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} was cut short or changed ({error}): restore it with `git checkout data`, or delete it "
            "and run its experiment again"
        ) from error


def write_result(path: Path, settings: dict, values: dict) -> None:
    """Write tensors in nested groups with five significant digits, NaN as null; `ValueError` for an
    infinite number. The file appears whole or not at all."""
    rows = json.dumps(_lists(values), allow_nan=False, separators=(",", ":")).replace("],[", "],\n[")
    text = f'{{"settings": {json.dumps(settings, indent=1, ensure_ascii=False)},\n"values": {rows}}}\n'
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_or_nothing(path) as temporary:
        temporary.write_text(text, "utf8")


def reproduces(stored: Tensor, live: Tensor, *, rel: float = 1e-3) -> bool:
    """True if each live number is the stored one within `rel` of it, or of the median stored size where
    that is larger, and NaN stands where NaN stood; `ValueError` for other shapes."""
    if stored.shape != live.shape:
        raise ValueError(f"stored {tuple(stored.shape)} and live {tuple(live.shape)} do not compare")
    live = live.to(stored)
    size = stored.abs().clamp(min=stored.abs().nanmedian())
    close = (live - stored).abs() <= rel * size
    return bool((close | (live.isnan() & stored.isnan())).all())


def _tensors(node: dict | list) -> dict | Tensor:
    if isinstance(node, dict):
        return {key: _tensors(value) for key, value in node.items()}
    return torch.from_numpy(np.array(node, dtype=np.float64))


def _lists(node: dict | Tensor | list | float) -> dict | list | float | int | None:
    if isinstance(node, dict):
        return {key: _lists(value) for key, value in node.items()}
    if isinstance(node, Tensor):
        return _lists(node.tolist())
    if isinstance(node, list):
        return [_lists(value) for value in node]
    if node != node:
        return None
    number = float(f"{node:.{_DIGITS}g}")
    return int(number) if number.is_integer() else number

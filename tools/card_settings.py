"""Rows of the method cards about what a caller sets: steps, copies, baselines. Those of chapter 16 are empty
while its runs are missing."""
from tools.card_rows import WORLDS, Row
from tutorial_lib.notebook.results import recorded

ENOUGH = {  # method, where its numbers stand, and what they count
    "IG": ("stays", "steps until the sum is right within 1 %"),
    "SmoothGrad": ("absolute", "copies until the map is right within 5 %"),
}  # fmt: skip


def enough(key: str) -> list[Row]:
    """How many steps or copies half of the images need at most."""
    rows, values = [], recorded("paths_and_samples").values
    kind, words = ENOUGH.get(key, ("", ""))
    for world, where in WORLDS.items():
        if kind and (run := values.get(f"costs {world}")):
            lo, value, hi, n = run["median"][key][kind].tolist()
            rows.append(Row(where, f"{value:.0f} [{lo:.0f}, {hi:.0f}] {words}, median, n = {n:.0f}"))
    return rows


def gaps(key: str) -> list[Row]:
    """What the steps of a caller leave over; the trials of Table 2 refine the path until nothing is left."""
    rows, values = [], recorded("paths_and_samples").values
    for world, where in WORLDS.items() if key == "IG" else ():
        each = values[f"completeness {world}"]["midpoint"]
        few, many = (each[steps].quantile(0.5, dim=1).mean().item() for steps in ("50", "300"))
        rows.append(Row(where, f"median gap {few:.2g} with 50 steps, {many:.2g} with 300"))
    return rows


def six_baselines(key: str) -> list[Row]:
    """The share of the highest pixels on the shape, from the baseline that gives least to that which gives
    most."""
    run = recorded("paths_and_samples").values.get("six baselines shapes")
    wide = run["mean"]["wide"] if run else {}
    kinds = {name.removeprefix(f"{key}, "): v.mean().item() for name, v in wide.items()
             if name.startswith(f"{key}, ")}  # fmt: skip
    if not kinds:
        return []
    low, *_, high = sorted(kinds, key=kinds.get)
    words = f"on the shape {kinds[low]:.2f} ({low}) to {kinds[high]:.2f} ({high}), {len(kinds)} baselines"
    return [Row(WORLDS["shapes"], words, f"{wide['random map'].mean():.2f}")]

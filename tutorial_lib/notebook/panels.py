"""Figures of many small axes, and of named points. As in `plots`, they take data, compute nothing and
return a closed `Figure`."""
import math
from collections.abc import Collection, Mapping, Sequence

from matplotlib.figure import Figure

from tutorial_lib.notebook.plots import COLOURS

Series = Mapping[str, tuple[Sequence[float], Sequence[float]]]


def small_multiples(
    panels: Mapping[str, Series], *, columns: int, xlabel: str, ylabel: str, dots: Collection[str] = (),
    plain: Collection[str] = (), log: str = "", same: str = "",
) -> Figure:
    """A small axes for each outer name, in it (x, y) for each inner name: a line with markers, dots alone for
    the names in `dots`, a dashed grey line for those in `plain`. A name has one colour, and there is one
    legend. `log` names the logarithmic axes ("x", "y", "xy"), `same` those that all share."""
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(min(9.6, 2.1 * columns + 0.6), 1.85 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex="x" in same, sharey="y" in same).ravel()
    names = dict.fromkeys(name for series in panels.values() for name in series)
    coloured = dict(zip((n for n in names if n not in plain), COLOURS, strict=False))
    handles = {}
    for ax, (title, series) in zip(axes, panels.items(), strict=False):
        for i, (name, (x, y)) in enumerate(series.items()):
            style = "--" if name in plain else "o" if name in dots else f"{'os^Dv'[i % 5]}-"
            look = {"color": coloured.get(name, "0.45"), "markersize": 3, "linewidth": 1.2}
            handles[name] = ax.plot(x, y, style, **look)[0]
        ax.set_title(title, fontsize=8)
        ax.tick_params(labelsize=7)
        ax.set(**{f"{axis}scale": "log" for axis in log})
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    figure.supxlabel(xlabel, fontsize=9)
    figure.supylabel(ylabel, fontsize=9)
    figure.legend(handles.values(), handles, loc="outside upper center", ncols=5, fontsize=8)
    return figure


Bar = tuple[float, float, float]


def interval_strips(
    panels: Mapping[str, Mapping[str, Sequence[Bar]]], *, columns: int, line: float, xlabel: str
) -> Figure:
    """For each outer name a strip of intervals (lower end, value, upper end), one under the other, in a
    colour for each inner name; grey lines at 0 and, dashed, at `line`."""
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(min(9.6, 2.2 * columns + 0.4), 2.3 * rows + 0.5), layout="constrained")
    axes, handles = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel(), {}
    for ax, (title, groups) in zip(axes, panels.items(), strict=False):
        y = 0
        for colour, (name, bars) in zip(COLOURS, groups.items(), strict=False):
            for lower, value, upper in bars:
                ax.plot([lower, upper], [y, y], color=colour, linewidth=1.6)
                handles[name] = ax.plot([value], [y], "o", color=colour, markersize=2.6)[0]
                y += 1
            y += 1.5
        ax.axvline(0, color="0.8", linewidth=0.8, zorder=0)
        ax.axvline(line, color="0.4", linewidth=0.8, linestyle="--", zorder=0)
        ax.set_title(title, fontsize=9)
        ax.set(yticks=[], ylim=(y, -1.5))
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    figure.supxlabel(xlabel, fontsize=9)
    figure.legend(handles.values(), handles, loc="outside upper center", ncols=5, fontsize=9)
    return figure


def descents(
    panels: Mapping[str, tuple[Sequence[str], Mapping[str, Sequence[float]]]], *, xlabel: str, ylabel: str
) -> Figure:
    """Panels side by side on one scale; each has named steps and lines over them, by name. All panels have
    the lines of the first."""
    figure = Figure(figsize=(8.6, 3.4), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True)
    for ax, (title, (steps, lines)) in zip(axes, panels.items(), strict=True):
        for i, (name, heights) in enumerate(lines.items()):
            ax.plot(range(len(steps)), heights, marker="os^Dv"[i % 5], markersize=3.5, label=name)
        ax.axhline(0, color="0.4", linestyle="--", linewidth=1)
        ax.set_xticks(range(len(steps)), steps, rotation=40, ha="right")
        ax.set(title=title, xlabel=xlabel)
    axes[0].set_ylabel(ylabel)
    axes[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def spots(
    points: Mapping[str, tuple[float, float]], *, xlabel: str, ylabel: str, level: tuple[float, str]
) -> Figure:
    """Points (x, y) with their names on the right; `level` is a dashed horizontal line with its label."""
    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    ax = figure.subplots()
    for name, (x, y) in points.items():
        ax.plot([x], [y], "o", color=COLOURS[0], markersize=5)
        ax.annotate(name, (x, y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8)
    ax.axhline(level[0], color="0.4", linestyle="--", linewidth=1, zorder=0)
    ax.annotate(level[1], (0.5, level[0]), xycoords=("axes fraction", "data"), va="bottom", color="0.3")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return figure

"""Figures of many small axes, and of named points. As in `plots`, they take data, compute nothing and
return a closed `Figure`."""
import math
from collections.abc import Collection, Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from tutorial_lib.notebook.plots import COLOURS, MapFigure, draw_image, draw_map

Series = Mapping[str, tuple[Sequence[float], Sequence[float]]]
Point = tuple[float, float]


def small_multiples(
    panels: Mapping[str, Series], *, columns: int, xlabel: str, ylabel: str, dots: Collection[str] = (),
    plain: Collection[str] = (), log: str = "", same: str = "",
) -> Figure:
    """A small axes for each outer name, in it (x, y) for each inner name: a line with markers, dots alone for
    the names in `dots`, a dashed or dotted grey line for those in `plain`. A name has one colour, and there
    is one legend. `log` names the logarithmic axes ("x", "y", "xy"), `same` those that all share."""
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(min(9.6, 2.1 * columns + 0.6), 1.85 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex="x" in same, sharey="y" in same).ravel()
    names = dict.fromkeys(name for series in panels.values() for name in series)
    coloured = dict(zip((n for n in names if n not in plain), COLOURS, strict=False))
    handles = {}
    for ax, (title, series) in zip(axes, panels.items(), strict=False):
        for i, (name, (x, y)) in enumerate(series.items()):
            style = ("--", ":")[i % 2] if name in plain else "o" if name in dots else f"{'os^Dv'[i % 5]}-"
            look = {"color": coloured.get(name, "0.45"), "markersize": 3, "linewidth": 1.2}
            handles[name] = ax.plot(x, y, style, **look)[0]
        ax.set_title(title, fontsize=8)
        ax.tick_params(labelsize=7)
        ax.set(**{f"{axis}scale": "log" for axis in log})
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    figure.supxlabel(xlabel, fontsize=9)
    figure.supylabel(ylabel, fontsize=9)
    fitting = max(1, int(figure.get_figwidth() / (0.07 * max(map(len, handles)) + 0.55)))
    figure.legend(handles.values(), handles, loc="outside upper center", ncols=min(5, fitting), fontsize=8)
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


def crossings(
    rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[str]], *, left: str, top: str
) -> Figure:
    """A table of words: a cell for each row and column, shaded where there is a word in it, white where there
    is none; `left` and `top` say what rows and columns are."""
    figure = Figure(figsize=(1.15 * len(columns) + 2.0, 0.62 * len(rows) + 1.0), layout="constrained")
    ax = figure.subplots()
    for i, row in enumerate(cells):
        for j, word in enumerate(row):
            colour = COLOURS[0] if word else "white"
            ax.add_patch(Rectangle((j + 0.04, i + 0.06), 0.92, 0.88, color=colour, alpha=0.28 if word else 1))
            ax.text(j + 0.5, i + 0.5, word, ha="center", va="center", fontsize=11)
    ax.set(xlim=(0, len(columns)), ylim=(len(rows), 0), ylabel=left)
    ax.set_xticks([j + 0.5 for j in range(len(columns))], columns, fontsize=10)
    ax.set_yticks([i + 0.5 for i in range(len(rows))], rows, fontsize=10)
    ax.xaxis.tick_top()
    ax.set_xlabel(top)
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    return figure


def numbered_grid(
    images: Tensor, maps: Mapping[str, Tensor], numbers: Mapping[str, Sequence[float]], *, rows: Sequence[str]
) -> MapFigure:
    """A row for each image (N, C, H, W), a column for each method's maps (N, H, W), and above each map its
    number, as in Figure 3 of the paper."""
    columns = 1 + len(maps)
    figure = MapFigure(figsize=(1.28 * columns, 1.56 * len(images) + 0.3), layout="constrained")
    axes = figure.subplots(len(images), columns, squeeze=False)
    for i, row in enumerate(axes):
        draw_image(row[0], images[i])
        row[0].set_title(rows[i], fontsize=11)
        for ax, (name, heat) in zip(row[1:], maps.items(), strict=True):
            draw_map(ax, heat[i])
            number = f"{numbers[name][i]:z.2f}"
            ax.set_title(f"{name}\n{number}" if i == 0 else number, fontsize=11)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.01, wspace=0.01, hspace=0.01)
    return figure


def climbs(
    panels: Mapping[str, tuple[Tensor, Sequence[Point], Mapping[str, Sequence[Point]]]], *, xlabel: str,
    ylabel: str, value: str,
) -> Figure:
    """Paths on a landscape over the unit square, a panel for each outer name: heights (rows, columns) from
    (0, 0) on, the outline of the region that a path may not leave, and the points (x, y) of each path."""
    figure = Figure(figsize=(3.4 * len(panels) + 0.8, 3.9), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True)
    for ax, (title, (heights, outline, paths)) in zip(axes, panels.items(), strict=True):
        drawn = ax.imshow(heights.numpy(), origin="lower", extent=(0, 1, 0, 1), cmap="Greys", alpha=0.75)
        ax.contour(heights.numpy(), levels=10, extent=(0, 1, 0, 1), colors="white", linewidths=0.5)
        ax.plot(*zip(*outline, strict=True), color="0.1", linewidth=1.2)
        for i, (name, points) in enumerate(paths.items()):
            look = {"color": COLOURS[i], "markersize": 4, "label": name}
            ax.plot(*zip(*points, strict=True), f"{'os^'[i % 3]}-", **look)
        ax.set(title=title, xlabel=xlabel, xlim=(0, 1), ylim=(0, 1), xticks=(0.2, 0.4, 0.6, 0.8))
    axes[0].set_ylabel(ylabel)
    axes[0].legend(loc="upper right", fontsize=8)
    figure.colorbar(drawn, ax=axes, label=value, shrink=0.8)
    return figure

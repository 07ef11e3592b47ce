"""Figures. Each function takes data, computes nothing and returns a closed `Figure`.

One look for the whole book: white is 0, red positive, blue negative, and every map has its own
symmetric scale that ends at the 99.5th percentile of its absolute values.
"""
import io
import math
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

COLOURS = matplotlib.color_sequences["petroff10"]
_STYLE = {
    "font.size": 9, "axes.titlesize": 9, "axes.spines.top": False, "axes.spines.right": False,
    "axes.prop_cycle": matplotlib.cycler(color=COLOURS), "legend.frameon": False, "figure.dpi": 130,
    "savefig.dpi": 130,
}
_MAP_PIXELS = 530_000  # a page of noisy maps then stays under 200 kB
_HEAT = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1, "interpolation": "nearest"}


class MapFigure(Figure):
    """A figure of maps: stored as JPEG, a tenth of PNG's bytes for noise."""


class TableFigure(Figure):
    """A figure of few colours, such as a table: stored as PNG with 64 of them, a third of the bytes."""


def use_book_style() -> None:
    """Set the book's look, and in a notebook the format in which figures are stored."""
    matplotlib.rcParams.update(_STYLE)
    try:
        formatters = get_ipython().display_formatter.formatters  # type: ignore[name-defined]
    except NameError:
        return
    formatters["image/png"].for_type(Figure, _png)
    formatters["image/png"].for_type(MapFigure, lambda figure: None)
    formatters["image/png"].for_type(TableFigure, _few_colours)
    formatters["image/jpeg"].for_type(MapFigure, jpeg)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _few_colours(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(_png(figure))).convert("RGB").quantize(64).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def jpeg(figure: Figure) -> bytes:
    """The figure as the bytes of a JPEG file, at most 200 kB for a page of noisy maps."""
    width, height = figure.get_size_inches()
    dpi = min(130, math.sqrt(_MAP_PIXELS / (width * height)))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", dpi=dpi, pil_kwargs={"quality": 85})
    return buffer.getvalue()


def pixels_of(figure: Figure) -> np.ndarray:
    """The figure as an array (H, W, 3) of bytes: a frame for a slider."""
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(90)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def draw_image(ax: Axes, image: Tensor) -> None:
    """A picture (C, H, W) in [0, 1]."""
    ax.imshow(image.permute(1, 2, 0).expand(-1, -1, 3).numpy(), interpolation="nearest")
    ax.set_axis_off()


def draw_map(ax: Axes, heat: Tensor) -> None:
    """A map (H, W) on its own symmetric scale; an all-zero map stays white."""
    values = heat.numpy()
    scale = np.quantile(np.abs(values), 0.995) or np.abs(values).max() or 1.0
    ax.imshow(values / scale, **_HEAT)
    ax.set_axis_off()


def _scale_bar(figure: Figure, axes: Sequence[Axes]) -> None:
    bar = figure.colorbar(
        ScalarMappable(Normalize(-1, 1), "RdBu_r"), ax=axes, shrink=min(0.8, 2.5 / figure.get_figheight()),
        aspect=20, pad=0.01, ticks=[-1, 0, 1],
    )
    bar.ax.set_yticklabels(["negative", "0", "positive"], fontsize=7, rotation=90, va="center")
    bar.outline.set_visible(False)


def attribution_grid(
    images: Tensor, maps: Mapping[str, Tensor], *, rows: Sequence[str] = (), first: str = "input"
) -> MapFigure:
    """A row for each image (N, C, H, W), a column for each method's maps (N, H, W)."""
    columns = 1 + len(maps)
    figure = MapFigure(figsize=(1.28 * columns + 0.8, 1.36 * len(images) + 0.25), layout="constrained")
    axes = figure.subplots(len(images), columns, squeeze=False)
    for i, row in enumerate(axes):
        draw_image(row[0], images[i])
        for ax, heat in zip(row[1:], maps.values(), strict=True):
            draw_map(ax, heat[i])
        if rows:
            row[0].text(-0.06, 0.5, rows[i], transform=row[0].transAxes, rotation=90, ha="right", va="center",
                        fontsize=8 if columns < 8 else 11)
    for ax, title in zip(axes[0], [first, *maps], strict=True):
        ax.set_title(title, fontsize=8 if columns < 8 else 11)
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    _scale_bar(figure, axes.ravel().tolist())
    return figure


def gallery(images: Tensor, titles: Sequence[str], *, columns: int) -> MapFigure:
    """Pictures (N, C, H, W) in [0, 1] in rows of `columns`, each with its title."""
    rows = math.ceil(len(images) / columns)
    figure = MapFigure(figsize=(1.1 * columns, 1.3 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[len(images) :]:
        ax.set_axis_off()
    for ax, image, title in zip(axes, images, titles, strict=False):
        draw_image(ax, image)
        ax.set_title(title, fontsize=8)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02)
    return figure


def curves(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, xlabel: str, ylabel: str,
    log: str = "", level: tuple[float, str] | None = None,
) -> Figure:
    """Lines (x, y) by name; `log` names the logarithmic axes ("x", "y", "xy"); `level` is a dashed
    horizontal line with its label. A long legend stands beside the axes."""
    beside = len(lines) > 3
    figure = Figure(figsize=(7.0 if beside else 5.6, 3.1), layout="constrained")
    ax = figure.subplots()
    markers = "os^Dv"
    for i, (name, (x, y)) in enumerate(lines.items()):
        ax.plot(x, y, marker=markers[i % 5], markersize=3.5, label=name)
    if level:
        ax.axhline(level[0], color="0.4", linestyle="--", linewidth=1)
        place = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom"}
        ax.annotate(level[1], (1, level[0]), color="0.3", **place)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    for axis in log:
        ax.set(**{f"{axis}scale": "log"})
    if len(lines) > 1:
        ax.legend(**{"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if beside else {})
    return figure


def plane(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], points: Mapping[str, tuple[float, float]],
    *, xlabel: str, ylabel: str,
) -> Figure:
    """Lines (x, y) and points by name in the plane; a unit is equally long on both axes."""
    figure = Figure(figsize=(5.6, 3.4), layout="constrained")
    ax = figure.subplots()
    styles = ["-", "--", ":", "-."]
    for i, (name, (x, y)) in enumerate(lines.items()):
        ax.plot(x, y, styles[i % 4], label=name)
    for name, (x, y) in points.items():
        ax.plot([x], [y], "o", color="0.2", markersize=4)
        ax.annotate(name, (x, y), xytext=(-4, 3), textcoords="offset points", ha="right", color="0.2",
                    bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5})
    ax.set(xlabel=xlabel, ylabel=ylabel, aspect="equal")
    ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def path_frame(
    point: Tensor, heat: Tensor, *, alphas: Sequence[float], sums: Sequence[float], scores: Sequence[float]
) -> MapFigure:
    """One step of integrated gradients: the point on the path, the map so far, and against α the sum
    of the map so far beside the score's own rise, both as shares of the whole rise."""
    figure = MapFigure(figsize=(6.4, 2.3), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=[1, 1, 1.25])
    draw_image(left, point)
    left.set_title("point on the path")
    draw_map(middle, heat)
    middle.set_title("map so far")
    right.plot(alphas, scores[: len(alphas)], color="0.4", label="score")
    right.plot(alphas, sums[: len(alphas)], color=COLOURS[0], label="sum of the map")
    right.plot(alphas[-1:], sums[len(alphas) - 1 : len(alphas)], "o", color=COLOURS[0])
    right.axhline(1, color="0.4", linestyle=":", linewidth=1)
    right.set(xlim=(0, 1), ylim=(-0.3, 1.5), xlabel="α", title="share of the rise")
    right.legend(loc="lower right")
    return figure


def panel_frame(image: Tensor, heat: Tensor, *, left: str, right: str) -> MapFigure:
    """A picture beside a map, each with its title."""
    figure = MapFigure(figsize=(4.6, 2.4), layout="constrained")
    first, second = figure.subplots(1, 2)
    draw_image(first, image)
    first.set_title(left)
    draw_map(second, heat)
    second.set_title(right)
    return figure


def bars(groups: Mapping[str, Mapping[str, float]], *, ylabel: str) -> Figure:
    """A group of bars for each outer name, in it a bar and a colour for each inner name."""
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    figure = Figure(figsize=(max(4.2, 0.35 * len(groups) * len(names) + 2.2), 2.9), layout="constrained")
    ax, width = figure.subplots(), 0.8 / len(names)
    for i, name in enumerate(names):
        heights = {g: group[name] for g, group in enumerate(groups.values()) if name in group}
        offset = width * (i - (len(names) - 1) / 2)
        ax.bar([g + offset for g in heights], list(heights.values()), width, label=name)
    ax.axhline(0, color="0.4", linewidth=0.8)
    ax.set_xticks(range(len(groups)), groups)
    ax.set(ylabel=ylabel)
    if len(names) > 1:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def bumps(
    panels: Mapping[str, Mapping[str, Sequence[float]]], *, columns: Sequence[str],
    level: tuple[str, Mapping[str, Sequence[float]]],
) -> TableFigure:
    """Places, 1 at the top, by name over `columns`, a panel for each outer name; `level` is the name of a
    dashed line and its places in each panel. The best of each column has a ring."""
    figure = TableFigure(figsize=(9.2, 3.0 * math.ceil(len(panels) / 2)), layout="constrained")
    axes = figure.subplots(math.ceil(len(panels) / 2), 2, squeeze=False).ravel()
    steps = range(len(columns))
    for ax, (title, lines) in zip(axes, panels.items(), strict=True):
        ax.plot(steps, level[1][title], color="0.45", linestyle="--", linewidth=1.2)
        ax.annotate(level[0], (steps[-1], level[1][title][-1]), (8, 0), textcoords="offset points",
                    va="center", fontsize=7.5, color="0.35")
        for colour, (name, places) in zip(COLOURS, lines.items(), strict=False):
            ax.plot(steps, places, "o-", color=colour, linewidth=2, markersize=5)
            best = [step for step in steps if places[step] == 1]
            ax.plot(best, [1] * len(best), "o", markersize=10, color=colour, fillstyle="none")
            for step, (shift, side) in {0: (-8, "right"), steps[-1]: (8, "left")}.items():
                ax.annotate(name, (step, places[step]), (shift, 0), textcoords="offset points", ha=side,
                            va="center", fontsize=7.5, color="0.15")
        ax.set(title=title, ylim=(len(lines) + 0.8, 0.4), xlim=(-0.2, steps[-1] + 0.2), yticks=[])
        ax.set_xticks(steps, columns)
        ax.spines[["left", "bottom"]].set_visible(False)
    return figure

"""Figures of words. As in `plots`, they take data, compute nothing and return a closed `Figure`."""
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from tutorial_lib.notebook.plots import COLOURS, TableFigure

_AGREEMENT = {  # a light colour and a sign for each word: neither is needed to read the other
    "holds": ("#b9dcf2", "="), "holds in part": ("#fbe9a0", "≈"), "does not hold": ("#f4b49a", "≠"),
    "undecided": ("#dcdcdc", "–"), "paper: not tested": ("#efe6f5", "+"),
}


def verdict_table(
    ours: Mapping[str, Mapping[str, str]], theirs: Mapping[str, Mapping[str, str]],
    outcomes: Mapping[str, Mapping[str, str]],
) -> TableFigure:
    """A table of words. The first rows are those of `theirs`: coloured by `outcomes`, with both entries;
    the others stand below a line. A reason in brackets gets a line of its own."""
    heights = [1.0 if name in theirs else 0.66 for name in ours]
    figure = TableFigure(figsize=(7.4, 0.64 * sum(heights) + 1.4), layout="constrained")
    ax, columns, top = figure.subplots(), list(next(iter(ours.values()))), 0.0
    for j, column in enumerate(columns):
        title = column.replace(" ", "\n")
        ax.text(j + 0.5, -0.12, title, ha="center", va="bottom", weight="bold", fontsize=9.5)
    for (name, row), height in zip(ours.items(), heights, strict=True):
        bold = "bold" if name in theirs else "normal"
        ax.text(-0.08, top + height / 2, name, ha="right", va="center", fontsize=11, weight=bold)
        for j, column in enumerate(columns):
            word, other = (table.get(name, {}).get(column, "") for table in (outcomes, theirs))
            _verdict_cell(ax, (j, top, height), row[column], other, word)
        top += height
    ax.axhline(len(theirs), color="0.2", linewidth=2)
    marks = [Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor="0.6", label=f"{sign} {word}")
             for word, (colour, sign) in _AGREEMENT.items()]
    ax.legend(handles=marks, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=3, fontsize=10)
    ax.set(xlim=(-1.85, len(columns)), ylim=(top, -0.8))
    ax.set_axis_off()
    return figure


def _verdict_cell(ax: Axes, place: tuple[float, float, float], mine: str, other: str, word: str) -> None:
    """A box at (left, top, height): an entry, what it depends on, and the other entry after a sign."""
    left, top, height = place
    colour, sign = _AGREEMENT.get(word, ("white", ""))
    box = {"facecolor": colour, "edgecolor": "0.75"}
    ax.add_patch(Rectangle((left + 0.02, top + 0.03), 0.96, height - 0.06, **box))
    entry, _, reason = mine.partition(" (")
    lines = [(entry, 11 if len(entry) < 9 else 9.5, "bold")]
    lines += [(reason.rstrip(")").replace("first layer", "layer 1"), 7.5, "normal")] if reason else []
    lines += [(f"{sign} paper: {other.partition(' (')[0]}", 7.5, "normal")] if other else []
    for k, (text, size, weight) in enumerate(lines):
        y = top + height * (k + 0.7) / (len(lines) + 0.4)
        ax.text(left + 0.5, y, text, ha="center", va="center", fontsize=size, weight=weight, color="0.1")


def tallies(
    rows: Mapping[str, Sequence[float]], columns: Sequence[str], *, mine: Mapping[str, Sequence[str]],
    line_after: int,
) -> TableFigure:
    """Shares from 0 to 1, a row by name and a cell for each column: the darker, the larger, 0 left empty. A
    frame marks the cells of `mine`, column names by row; a line stands after the first `line_after` rows."""
    figure = TableFigure(figsize=(0.56 * len(columns) + 2.6, 0.27 * len(rows) + 1.4), layout="constrained")
    ax = figure.subplots()
    for i, (name, shares) in enumerate(rows.items()):
        for j, share in enumerate(shares):
            framed = columns[j] in mine.get(name, ())
            box = {"facecolor": (*to_rgb(COLOURS[0]), 0.75 * share), "edgecolor": "0.1" if framed else "none"}
            ax.add_patch(Rectangle((j + 0.05, i + 0.08), 0.9, 0.84, linewidth=1.3, **box))
            ax.text(j + 0.5, i + 0.5, f"{share:.2f}".lstrip("0") if 0 < share < 1 else "1" if share else "",
                    ha="center", va="center", fontsize=8)
    ax.axhline(line_after, color="0.2", linewidth=1.2)
    ax.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
    ax.set_xticks([j + 0.5 for j in range(len(columns))], columns, fontsize=9, rotation=55, ha="left")
    ax.set_yticks([i + 0.5 for i in range(len(rows))], rows, fontsize=9)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    return figure

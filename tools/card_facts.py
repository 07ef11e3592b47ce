"""Rows of the method cards that the code itself gives: passes, networks, baselines, milliseconds, Table 2."""
import json
from functools import cache
from pathlib import Path

from tools.card_methods import book
from tools.card_rows import MET, NOT, OPEN, TOYS, WORLDS, Finding, Findings, Row
from tools.card_settings import enough, gaps, six_baselines
from tools.card_trials import counted, runs_on
from tutorial_lib.evaluation.statistics import exact
from tutorial_lib.notebook.results import recorded
from tutorial_lib.notebook.table2 import COLUMNS, cells, fidelity_cell, gains_of

BENCH = Path(__file__).parents[1] / "bench" / "results.json"
COUNTS = {"passes-2": 2, "passes-100": 100}  # the choosing page's limits
KINDS = {"skips": "skip connections", "functions": "ReLUs written as functions",
         "other": "other activations", "outputs": "outputs only"}  # fmt: skip
TIMED = {  # the benchmark's task, the images of each world (bench/tasks.py), and its number of passes
    "saliency": ("saliency", (200, 60), ""), "DeconvNet": ("DeconvNet", (200, 60), ""),
    "guided backprop": ("guided backpropagation", (200, 60), ""),
    "Gradient x Input": ("gradient × input", (200, 60), ""), "epsilon-LRP": ("ε-LRP", (200, 60), ""),
    "DeepLIFT": ("DeepLIFT", (200, 60), ""), "Grad-CAM": ("Grad-CAM", (200, 60), ""),
    "IG": ("integrated gradients, 50 steps", (32, 16), " for 50 steps"),
    "SmoothGrad": ("SmoothGrad, 50 samples", (32, 16), " for 50 copies"),
    "expected gradients": ("expected gradients, 50 baselines", (32, 16), " for 50 baselines"),
    "occlusion": ("occlusion", (32, 16), ""),
}  # fmt: skip


def milliseconds() -> Findings:
    """Of one image, on one thread, in the benchmark's batches."""
    worlds, found = json.loads(BENCH.read_text("utf8"))["worlds"], {}
    for key, (task, images, per) in TIMED.items():
        found[key] = Finding([
            Row(where, f"{each['tasks'][task]['milliseconds'] / n:.2g} ms{per}")
            for where, each, n in zip(WORLDS.values(), worlds.values(), images, strict=True)
        ], {})  # fmt: skip
    return found


def pass_counts() -> Findings:
    """Passes of one image forward, and of signals back."""
    found = {}
    for method in book().methods:
        if numbers := counted(method):
            forward, back = numbers
            words = f"{forward} forward, {back} back"
            verdicts = {token: MET if max(numbers) <= most else NOT for token, most in COUNTS.items()}
            row = Row("one garment", words, "0 and 0", f"{forward}+{back}")
            found[method.key] = Finding([row, *enough(method.key)], verdicts)
    return found


def units() -> Findings:
    """What has a value of its own in the map."""
    return {
        method.key: Finding([Row("by its formula", f"each {method.unit}")],
                            {"pixel": MET if method.unit == "pixel" else NOT})
        for method in book().methods
    }  # fmt: skip


def networks() -> Findings:
    """Networks on which it gives a map, and those on which it refuses or finds no gradient."""
    found = {}
    for method in book().methods:
        runs = runs_on(method)
        words = "runs: " + ", ".join(kind for kind, ok in runs.items() if ok)
        if refused := [kind for kind, ok in runs.items() if not ok]:
            words += "; does not: " + ", ".join(refused)
        verdicts = {token: MET if runs[kind] else NOT for token, kind in KINDS.items()}
        found[method.key] = Finding([Row("trials", words, "runs on all")], verdicts)
    return found


NUMBERS = {  # in the quantities of Table 2's columns; the parts of sensitivity have their own
    "completeness": {"gap_free": "gap without biases", "gap_bias": "with biases"},
    "sensitivity a": {"misses": "missed causes"}, "dummy": {"dummy": "largest share"},
}  # fmt: skip


def plain(value: float) -> str:
    """Two digits, without an exponent where there is room; a count in full."""
    if value == round(value):
        return f"{value:.0f}"
    short = f"{value:.2g}"
    return f"{float(short):g}" if value > 1e-3 else short


@cache
def table_2() -> dict[str, dict[str, tuple[str, str]]]:
    """Method, column or part of one: the word, and the numbers behind it."""
    run, found = recorded("table_2"), {}
    for key, columns in run.values.items():
        found[key] = {}
        for title in COLUMNS:
            n = run.settings[key]["instances"][title]
            measured = {name: exact(v[0], n=n) for name, v in columns[title]["all"].items()}
            for part, word in cells(title, measured).items():
                part = part.removeprefix("· ")
                names = NUMBERS.get(part) or {name: name.replace("_", " ") for name in measured}
                numbers = ", ".join(f"{words} {plain(measured[name].value)}" for name, words in names.items())
                found[key][part] = word, f"{numbers}; n = {n}"
    return found


def cell(column: str, token: str | None = None) -> Findings:
    """One column of Table 2, or one part of its last; a word other than Yes does not meet a requirement."""
    words, found = table_2(), {}
    for key, parts in words.items():
        word, numbers = parts[column]
        verdict = {"Yes": MET, "undecided": OPEN}.get(word.split()[0], NOT)
        row = Row(TOYS, f"{word} ({numbers})", words["random map"][column][0], word)
        more = gaps(key) if column == "completeness" else []
        found[key] = Finding([row, *more], {token: verdict} if token else {})
    return found


def without_baseline() -> Findings:
    """No image for "nothing there" is asked for, and none is hidden in the formula."""
    shift, found = cell("input invariance", "no-baseline"), {}
    for method in book().methods:
        needed = " and ".join(f"`{name}`" for name in method.starts())
        if needed or method.silent:
            words = f"asks for {needed}" if needed else f"hidden in the formula: {method.silent}"
            rows, verdict = [Row("its arguments", words)], NOT
        elif method.key in shift:
            rows, verdict = [Row("its arguments", "none")], shift[method.key].verdicts["no-baseline"]
        else:
            continue
        rows += [*six_baselines(method.key), *getattr(shift.get(method.key), "rows", [])]
        found[method.key] = Finding(rows, {"no-baseline": verdict})
    return found


def removal() -> Findings:
    """The fidelity column: gains of area against random weights and against another image's map."""
    values, found = recorded("removal").values, {}
    for key in values["fashion"]["gain"]["morf, black, blank"]:
        gains = gains_of(values, key)
        above, below = (sum(test(q) for q in gains.values())
                        for test in (lambda q: q.lo > 0.02, lambda q: q.hi < 0.02))  # fmt: skip
        words = f"{fidelity_cell(gains)}: {above} of {len(gains)} gains above 0.02, {below} below"
        found[key] = Finding([Row("both worlds", words, "", f"{above}/{len(gains)}")], {})
    control = found["random map"].rows[0].words
    return {key: Finding([each.rows[0]._replace(control=control)], {}) for key, each in found.items()}

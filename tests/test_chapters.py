"""The form of the chapters: what DESIGN asks of every one of them, beside nbval's comparison."""

import base64
import json
import re
from pathlib import Path

import nbformat
import pytest
import yaml

from tools.build_chapters import notebook_of
from tutorial_lib.notebook.claims import all_claims

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "chapters").glob("*.md"))
FILLER = r"\b(simply|just|obviously|clearly|of course|trivially|it is worth noting|delve|crucial|seamless)\b"
OPENING = ("What you will be able to do", "**You need**", "**Reading** takes", "**running**")
CLOSING = ("## What remains", "### Key points", "### Would this have caught it?", "### Exercises")
EXERCISES = ("By hand", "Break it", "Transfer it", "Argue the opposite")
each_chapter = pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)


def executed(source: Path) -> nbformat.NotebookNode:
    return nbformat.read(source.with_suffix(".ipynb"), 4)


def code_cells(source: Path) -> list:
    return [cell for cell in executed(source).cells if cell.cell_type == "code"]


def tags(cell) -> list:
    return cell.metadata.get("tags", [])


def printed(cell) -> str:
    """All that a code cell shows as text."""
    parts = []
    for output in cell.get("outputs", []):
        parts.append(output.get("text", ""))
        data = output.get("data", {})
        parts += [re.sub(r"data:image\S+?'", "", data.get(kind, "")) for kind in ("text/plain", "text/html")]
    return "\n".join(parts)


def pictures(cell) -> dict[str, str]:
    """The base64 pictures of a cell by their type."""
    found = {}
    for output in cell.get("outputs", []):
        found |= {k: v for k, v in output.get("data", {}).items() if k.startswith("image/")}
    return found


def prose(text: str) -> str:
    """A markdown cell without formulas, code, roles, links and directives' options."""
    for pattern in (
        r"\$\$.*?\$\$",
        r"\$[^$]+\$",
        r"```.*?```",
        r"\{[\w:]+\}`[^`]*`",
        r"`[^`]*`",
        r"\]\([^)]*\)",
        r"^:\w+:.*$",
    ):
        text = re.sub(pattern, " ", text, flags=re.S | re.M)
    return text


@each_chapter
def test_notebook_has_exactly_the_cells_of_its_source(source):
    def cells(notebook):
        return [(c.cell_type, c.source, dict(c.metadata)) for c in notebook.cells]

    assert cells(executed(source)) == cells(notebook_of(source)), (
        f"run: make chapters CHAPTER={source.name[:2]}"
    )


@each_chapter
def test_cells_ran_from_top_to_bottom(source):
    counts = [cell.execution_count for cell in code_cells(source)]
    assert counts == list(range(1, len(counts) + 1))


@each_chapter
def test_nothing_on_stderr_and_no_errors(source):
    for cell in code_cells(source):
        for output in cell.outputs:
            assert output.get("name") != "stderr" and output.output_type != "error", cell.source


@each_chapter
def test_kernel_only_cells_have_no_outputs_and_no_widget_state_is_stored(source):
    assert "widgets" not in executed(source).metadata
    kernel_only = [cell for cell in code_cells(source) if "kernel-only" in tags(cell)]
    assert kernel_only and "Passport(" in kernel_only[-1].source
    for cell in kernel_only:
        assert cell.outputs == [] and "nbval-ignore-output" in tags(cell)


@each_chapter
def test_figures_are_small_described_numbered_and_discussed(source):
    text = source.read_text("utf8")
    for cell in code_cells(source):
        for kind, picture in pictures(cell).items():
            metadata = cell.metadata.get("mystnb", {})
            assert kind in {"image/png", "image/jpeg"} and len(base64.b64decode(picture)) <= 200_000
            assert len(metadata["image"]["alt"]) > 60 and len(metadata["figure"]["caption"]) > 30
            assert f"{{numref}}`{metadata['figure']['name']}`" in text, metadata["figure"]["name"]


@each_chapter
def test_every_shown_figure_is_there(source):
    for cell in code_cells(source):
        if cell.metadata.get("mystnb", {}).get("figure"):
            assert pictures(cell), cell.source


@each_chapter
def test_cells_are_short_and_quiet(source):
    for cell in code_cells(source):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= 20 or {"hide-input", "hide-cell"} & set(tags(cell)), cell.source
        assert not cell.source.rstrip().endswith(";") and "tqdm" not in cell.source
        assert not re.search(r"0x[0-9a-f]{6,}", re.sub(r"base64,\S+", "", printed(cell)))


@each_chapter
def test_opening_and_closing_parts(source):
    text = source.read_text("utf8")
    positions = [text.find(part) for part in (*OPENING, *CLOSING)]
    assert min(positions) >= 0 and positions[len(OPENING) :] == sorted(positions[len(OPENING) :])
    kinds = re.findall(r":::\{exercise\} (.+)", text)
    assert [kind for kind in EXERCISES if kind not in kinds] == []
    assert "solution-start" in text and "{admonition} Predict" in text
    assert "google.colab" in text


@each_chapter
def test_decimal_numbers_in_the_prose_were_printed_before(source):
    """A measured number stands in plain text, a constant inside $…$."""
    seen = ""
    for cell in executed(source).cells:
        if cell.cell_type == "code":
            seen += printed(cell)
            continue
        for number in re.findall(r"(?<![\w.,])\d+\.\d+(?![\w.])", prose(cell.source)):
            assert re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", seen), (
                f"{number} in: {cell.source[:300]}"
            )


@each_chapter
def test_no_filler(source):
    text = re.sub(r"```.*?```", "", source.read_text("utf8"), flags=re.S)
    assert re.findall(FILLER, text, flags=re.I) == []


@each_chapter
def test_text_carries_at_least_half(source):
    notebook = executed(source)
    words = sum(len(c.source.split()) for c in notebook.cells if c.cell_type == "markdown")
    code = sum(len(c.source.split()) for c in notebook.cells if c.cell_type == "code")
    assert words >= code


@each_chapter
def test_each_due_claim_has_exactly_one_outcome(source):
    due = {i["id"] for i in all_claims().values() if i["chapter"] == source.stem}
    cards = []
    for cell in code_cells(source):
        for output in cell.outputs:
            text = output.get("data", {}).get("text/plain", "")
            if re.match(r"C\d+ · ", text):
                cards.append(text.split(" · ")[0])
                assert re.search(rf"\({'claim-' + cards[-1].lower()}\)=", source.read_text("utf8"))
                assert not re.search(r"\b(nan|inf)\b", text.split(" · ", 2)[-1])
    assert sorted(cards) == sorted(due), "each due claim once"


def reference_seconds(passport: dict) -> float:
    """Run time on a machine that computes 11,600 gradients of FashionCNN a second, one core of the kind
    that the budgets were set for."""
    return passport["seconds"] * passport["gradients a second"] / 11_600


@each_chapter
def test_budgets(source):
    assert source.with_suffix(".ipynb").stat().st_size <= 1_500_000
    passport = json.loads((ROOT / "data" / "passport.json").read_text("utf8"))[source.stem]
    # 1,500 MB, and 100 for machines on which the libraries alone take more (chapter 00: 1,024 or 1,255 MB)
    assert passport["threads"] == 1 and passport["peak memory in MB"] <= 1600
    assert reference_seconds(passport) <= 90


def test_chapters_run_fast_on_average():
    passports = json.loads((ROOT / "data" / "passport.json").read_text("utf8"))
    assert set(passports) == {source.stem for source in SOURCES}
    assert sum(map(reference_seconds, passports.values())) / len(passports) <= 45


def test_every_chapter_is_in_the_table_of_contents_and_has_a_source():
    text = (ROOT / "_toc.yml").read_text("utf8")
    files = {e["file"] for part in yaml.safe_load(text)["parts"] for e in part["chapters"]}
    assert {f"chapters/{source.stem}" for source in SOURCES} <= files
    assert {p.stem for p in (ROOT / "chapters").glob("*.ipynb")} == {source.stem for source in SOURCES}

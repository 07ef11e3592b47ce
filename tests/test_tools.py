"""The scripts that the Makefile calls: the machine check, the comparator, the chapter builder."""

import ast
import base64
import importlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from PIL import Image

from tools import check_machine
from tools.compare import same_picture, same_text
from tools.data_page import filled

ROOT = Path(__file__).parents[1]
GIGABYTE = 1e9


# --- tools/check_machine.py


@pytest.fixture
def machine(monkeypatch):
    """A machine that lacks nothing: 20 GB free, Python 3.12, every module there."""
    space = SimpleNamespace(free=20 * GIGABYTE)
    monkeypatch.setattr(check_machine.shutil, "disk_usage", lambda path: space)
    monkeypatch.setattr(check_machine, "sys", SimpleNamespace(version_info=(3, 12, 1)))
    monkeypatch.setattr(check_machine.importlib.util, "find_spec", lambda name: name)
    return space


def test_a_machine_that_lacks_nothing(machine):
    assert check_machine.complaint(9) is None


def test_too_little_disk(machine):
    machine.free = 2.5 * GIGABYTE
    assert re.search(r"2\.5 GB free.*9 GB", check_machine.complaint(9))


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_a_python_without_venv(machine, monkeypatch, missing):
    present = {"venv": "venv", "ensurepip": "ensurepip", missing: None}
    monkeypatch.setattr(check_machine.importlib.util, "find_spec", present.get)
    sentence = check_machine.complaint(1)
    assert missing in sentence
    assert "apt-get install python3.12-venv" in sentence


def test_an_old_python(machine, monkeypatch):
    monkeypatch.setattr(check_machine, "sys", SimpleNamespace(version_info=(3, 10, 4)))
    sentence = check_machine.complaint(1)
    assert "3.11 or newer" in sentence
    assert "this is 3.10" in sentence


def test_the_machine_check_is_readable_for_any_python_3():
    source = (ROOT / "tools" / "check_machine.py").read_text("utf8")
    ast.parse(source, feature_version=(3, 4))
    with pytest.raises(SyntaxError):  # the check above can fail
        ast.parse("x: int = 1", feature_version=(3, 4))


def test_the_machine_check_ends_the_installation_with_its_sentence():
    command = [sys.executable, ROOT / "tools" / "check_machine.py", "1e9"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1
    assert "GB free" in run.stderr
    assert "Traceback" not in run.stderr


# --- tools/compare.py

CARD = "C105 · holds · gain = 0.200 [0.100, 0.300], n = 100, p = 1.5e-3"


def picture(brighter: int = 0) -> str:
    """A PNG of a grey ramp in base64; `brighter` is added to every pixel."""
    ramp = np.tile(np.arange(32, dtype=np.uint8) * 4, (32, 1)) + np.uint8(brighter)
    buffer = io.BytesIO()
    Image.fromarray(ramp).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def in_page(data: str) -> str:
    return f"<p>0.50</p><img src='data:image/png;base64,{data}'>"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.200", "0.201"),  # 0.5 %
        ("1.5e-3", "1.507e-3"),
        ("gain = 0.200", "gain = 0.200"),
    ],
)
def test_a_number_may_differ_a_little(old, new):
    assert same_text(CARD.replace(old, new), CARD)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gain", "loss"),
        ("holds", "does not hold"),
        ("0.200", "0.210"),  # 5 %
        ("0.200", "-0.200"),
        ("1.5e-3", "1.5e-2"),
        ("n = 100", "n = 101"),  # an integer counts something: exact
        (", p = 1.5e-3", ""),
    ],
)
def test_a_change_that_means_something_is_seen(old, new):
    assert old in CARD
    assert not same_text(CARD.replace(old, new), CARD)


def test_both_minus_signs_are_read():
    assert same_text("slope −0.500", "slope -0.501")
    assert not same_text("slope −0.500", "slope 0.500")
    assert not same_text("slope −0.500", "slope -0.530")


def test_the_tolerance_is_an_argument():
    assert same_text("0.210", "0.200", rel=0.1)
    assert not same_text("0.201", "0.200", rel=0.001)


def test_what_rounds_to_zero_has_an_absolute_tolerance():
    assert same_text("difference 3.1e-9", "difference 8.4e-8")
    assert not same_text("difference 3.1e-9", "difference 1.0e-5")


def test_a_picture_may_differ_invisibly():
    assert same_picture(picture(1), picture())
    assert same_text(in_page(picture(1)), in_page(picture()))


def test_a_picture_that_changed_visibly_is_seen():
    assert not same_picture(picture(30), picture())
    assert not same_text(in_page(picture(30)), in_page(picture()))
    assert not same_text(in_page(picture()) * 2, in_page(picture()))


def test_a_line_that_moved_in_a_white_plot_is_seen():
    """The mean difference of such a picture is far below 2/255; the blocks show it."""

    def plot(height: int) -> str:
        pixels = np.full((400, 700, 3), 255, np.uint8)
        pixels[height : height + 3, 100:600] = 0
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return base64.b64encode(buffer.getvalue()).decode()

    assert same_picture(plot(100), plot(100))
    assert not same_picture(plot(100), plot(110))


def stored(number: str, **metadata) -> nbformat.NotebookNode:
    """A notebook that prints 0.2000 and ends with 0.2; its committed outputs say `number`."""
    printed = nbformat.v4.new_output("stream", name="stdout", text=f"gain {number}\n")
    value = nbformat.v4.new_output("execute_result", {"text/plain": number}, execution_count=1)
    cell = nbformat.v4.new_code_cell(
        'print("gain 0.2000")\n0.2', id="a", metadata=metadata, outputs=[printed, value], execution_count=1
    )
    return nbformat.v4.new_notebook(cells=[cell])


def test_nbval_compares_with_the_tolerance_of_the_cell(tmp_path):
    """The root conftest.py, under nbval as `make notebooks` calls it."""
    shutil.copy(ROOT / "conftest.py", tmp_path)
    notebooks = {"near": stored("0.2010"), "far": stored("0.2100"), "wide": stored("0.2100", rel=0.1)}
    for name, notebook in notebooks.items():
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-rA"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    found = re.findall(r"^(PASSED|FAILED) (\w+)\.ipynb", run.stdout, re.MULTILINE)
    assert set(found) == {("PASSED", "near"), ("FAILED", "far"), ("PASSED", "wide")}, run.stdout


# --- tools/build_chapters.py

CHAPTER = """---
kernelspec:
  name: python3
  display_name: Python 3
---

# A chapter

```{code-cell} ipython3
print("gain 0.2000")
```

Text.

```{code-cell} ipython3
:tags: [kernel-only]

print("needs a kernel")
```
"""


@pytest.fixture(scope="module")
def builder():
    """tools/build_chapters.py as a module."""
    return importlib.import_module("tools.build_chapters")


@pytest.fixture
def source(tmp_path, monkeypatch, builder) -> Path:
    """A chapter of two cells, in a folder that stands for chapters/."""
    monkeypatch.setattr(builder, "CHAPTERS", tmp_path)
    path = tmp_path / "01_tiny.md"
    path.write_text(CHAPTER, "utf8")
    return path


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_building_twice_gives_the_same_bytes(builder, source):
    builder.build(source)
    target = source.with_suffix(".ipynb")
    first = target.read_bytes()
    builder.build(source)
    assert target.read_bytes() == first
    public, kernel_only = code_cells(nbformat.read(target, 4))
    assert [output.text for output in public.outputs] == ["gain 0.2000\n"]
    assert kernel_only.outputs == []
    assert [public.execution_count, kernel_only.execution_count] == [1, 2]
    assert [path.name for path in source.parent.iterdir() if path.suffix == ".tmp"] == []


def test_ids_of_other_cells_stay_when_a_cell_is_inserted(builder, source):
    before = [cell.id for cell in builder.notebook_of(source).cells]
    inserted = "Text.\n\n```{code-cell} ipython3\nnew = 1\n```\n\nMore."
    source.write_text(CHAPTER.replace("Text.", inserted), "utf8")
    after = [cell.id for cell in builder.notebook_of(source).cells]
    assert len(after) == len(before) + 2
    assert [name for name in after if name in before] == before


def test_equal_cells_have_different_ids(builder, source):
    source.write_text(CHAPTER.replace("Text.", '```{code-cell} ipython3\nprint("gain 0.2000")\n```'), "utf8")
    ids = [cell.id for cell in builder.notebook_of(source).cells]
    assert len(set(ids)) == len(ids)


def test_a_committed_output_stays_until_it_means_something_else(builder):
    for old, kept in (("0.2010", "0.2010"), ("0.2100", "0.2000")):
        new = stored("0.2000")
        builder.keep_old_outputs(new, stored(old))
        assert new.cells[0].outputs[0].text == f"gain {kept}\n"


def test_an_interrupted_write_leaves_the_old_file_whole(builder, tmp_path, monkeypatch):
    target = tmp_path / "01_tiny.ipynb"
    target.write_text("the old notebook", "utf8")
    whole = Path.write_text

    def interrupted(path: Path, text: str, encoding: str) -> None:
        whole(path, text[:3], encoding)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        builder.write(target, "the new notebook")
    assert target.read_text("utf8") == "the old notebook"


def test_the_tables_of_the_data_page_are_those_of_the_cards():
    page = (ROOT / "book" / "data_and_models.md").read_text("utf8")
    assert filled(page) == page, "run: make data-page"
    with pytest.raises(AssertionError, match="no place"):
        filled(page.replace("% begin shapes", ""))

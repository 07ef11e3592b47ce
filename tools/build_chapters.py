"""chapters/NAME.md -> chapters/NAME.ipynb, executed: `build_chapters.py [NUMBER ...]`.

Re-running changes no byte where nothing changed: ids come from the sources, and a committed output
stays where the comparator accepts the new one. RECORD=1 keeps run time and peak memory.
"""
import hashlib
import json
import os
import sys
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

from tools.compare import REL, adopt, same_picture

ROOT = Path(__file__).parents[1]
CHAPTERS = ROOT / "chapters"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def notebook_of(source: Path) -> nbformat.NotebookNode:
    """The chapter's text as a notebook without outputs; ids and metadata depend on the text alone."""
    notebook = jupytext.read(source)
    notebook.metadata = nbformat.from_dict(METADATA)
    seen = Counter()
    for cell in notebook.cells:
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:10]
        seen[digest] += 1
        cell.id = f"{digest}-{seen[digest]}"
    return notebook


def execute(source: Path) -> tuple[nbformat.NotebookNode, dict]:
    """The executed notebook and its passport; outputs of kernel-only cells are dropped."""
    notebook, passport = notebook_of(source), {}
    NotebookClient(
        notebook, timeout=600, record_timing=False, coalesce_streams=True,
        resources={"metadata": {"path": str(CHAPTERS)}},
    ).execute()
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        if "kernel-only" in cell.metadata.get("tags", []):
            for output in cell.outputs:
                passport |= output.get("data", {}).get("application/json", {})
            cell.outputs = []
    return notebook, passport


def keep_old_outputs(new: nbformat.NotebookNode, old: nbformat.NotebookNode) -> None:
    """Replace each output of `new` by the one in `old` that the comparator cannot tell from it."""
    known = {cell.id: cell for cell in old.cells if cell.cell_type == "code"}
    for cell in new.cells:
        before = known.get(cell.id)
        if cell.cell_type == "code" and before and len(before.outputs) == len(cell.outputs):
            rel = cell.metadata.get("rel", REL)
            cell.outputs = [_kept(n, o, rel) for n, o in zip(cell.outputs, before.outputs, strict=True)]


def _kept(new: nbformat.NotebookNode, old: nbformat.NotebookNode, rel: float) -> nbformat.NotebookNode:
    output = adopt(new, old, rel)
    for kind in {"image/png", "image/jpeg"} & set(new.get("data", {})) & set(old.get("data", {})):
        if same_picture(new["data"][kind], old["data"][kind]):
            output["data"][kind] = old["data"][kind]
    return output


def write(path: Path, text: str) -> None:
    """Through a temporary file: an interruption leaves the old file whole."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, "utf8")
    temporary.replace(path)


def build(source: Path) -> None:
    """Execute one chapter and write its notebook (and, with RECORD=1, its passport)."""
    print("running", source.name, flush=True)
    notebook, passport = execute(source)
    target = source.with_suffix(".ipynb")
    if target.exists():
        keep_old_outputs(notebook, nbformat.read(target, 4))
    nbformat.validate(notebook)
    write(target, nbformat.writes(notebook) + "\n")
    if os.environ.get("RECORD") and passport:
        path = ROOT / "data" / "passport.json"
        all_passports = json.loads(path.read_text("utf8")) if path.exists() else {}
        all_passports[source.stem] = passport
        write(path, json.dumps(dict(sorted(all_passports.items())), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    numbers = tuple(sys.argv[1:]) or ("",)
    for chapter in [c for c in sorted(CHAPTERS.glob("*.md")) if c.name.startswith(numbers)]:
        build(chapter)

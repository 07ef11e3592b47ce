"""The library stays small, and its rooms import only upwards (paper's order)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = sorted((ROOT / "tutorial_lib").rglob("*.py"))
MAY_IMPORT = {
    "datafiles": set(),
    "scores": set(),
    "drawing": set(),
    "models": {"scores", "datafiles", "drawing"},
    "datasets": {"datafiles", "drawing"},
    "attribution": {"scores", "models"},
    "evaluation": {"scores", "models"},
    "robustness": {"datafiles", "scores", "models", "datasets", "attribution", "evaluation"},
    "notebook": {"datafiles", "scores", "models", "datasets", "attribution", "evaluation", "robustness"},
}


def room(path: Path) -> str:
    return path.relative_to(ROOT / "tutorial_lib").parts[0].removesuffix(".py")


def code_lines(path: Path) -> int:
    """Lines that are neither blank, nor comment, nor docstring."""
    text = path.read_text("utf8")
    documentation = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)) and ast.get_docstring(node):
            documentation |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and i not in documentation
        for i, line in lines
    )


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_upwards(path):
    own = room(path)
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tutorial_lib."):
            other = node.module.split(".")[1]
            assert other == own or other in MAY_IMPORT[own], f"{own} imports {node.module}"


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_and_functions_are_short_and_documented(path):
    text = path.read_text("utf8")
    assert code_lines(path) < 200
    if path.name == "__init__.py":
        assert not text.strip()
        return
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            assert body[-1].end_lineno - body[0].lineno < 25, node.name
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


def test_the_whole_library_is_small():
    assert sum(map(code_lines, LIBRARY)) < 4300


def test_autograd_on_the_input_is_called_in_one_place():
    callers = {p.name for p in LIBRARY if "autograd.grad(" in p.read_text("utf8")}
    assert callers == {"scores.py", "hooks.py"}  # hooks: the slope of a single activation


def test_no_global_seed_and_no_backward():
    """Training is the exception: it needs the gradient by the weights, and PyTorch's first weights come
    from the global generator, which is forked for them. The attack on a model trains one. A report runs
    models that may draw random numbers."""
    for path in LIBRARY:
        text = path.read_text("utf8")
        if path.name in ("training.py", "report.py"):
            assert text.count("torch.manual_seed") == 1 and "with torch.random.fork_rng(" in text
        else:
            assert "torch.manual_seed" not in text
            assert text.count(".backward()") == (path.name == "attribution_attacks.py")
        assert "np.random.seed" not in text

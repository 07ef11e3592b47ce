"""What a chapter asserts and what it shows of the library."""
import ast
import inspect
import textwrap
from collections.abc import Callable

from IPython.display import Markdown


def law(sentence: str, holds: bool) -> None:
    """Print a green tick before `sentence`; `AssertionError` if it does not hold."""
    if not holds:
        raise AssertionError(f"law broken: {sentence}")
    print(f"✓ {sentence}")


def show_source(function: Callable) -> Markdown:
    """The function's own source, as the book runs it, without its docstring."""
    source = textwrap.dedent(inspect.getsource(function))
    node = ast.parse(source).body[0]
    lines = source.splitlines()
    if ast.get_docstring(node):
        lines[node.body[0].lineno - 1 : node.body[0].end_lineno] = []
    return Markdown("```python\n" + "\n".join(lines) + "\n```")

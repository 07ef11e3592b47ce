"""Copy MathJax from its wheel to book/static/vendor, so that no page asks a third party for it."""
import shutil
from importlib.resources import files
from pathlib import Path

TARGET = Path(__file__).parents[1] / "book" / "static" / "vendor"
PARTS = ("tex-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2")

if __name__ == "__main__":
    source = Path(str(files("mathjax"))) / "static" / "mathjax" / "es5"
    for part in PARTS:
        if not (TARGET / part).exists():
            (TARGET / part).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (source / part).is_dir() else shutil.copy
            copy(source / part, TARGET / part)

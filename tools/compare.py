"""One comparator for notebook outputs: same words, numbers within a tolerance, same pictures.

Numbers differ in the last digits between processors and thread counts, so neither nbval's exact
comparison nor a blind eye is right. Used by nbval (conftest.py) and by tools/build_chapters.py.
"""
import base64
import io
import math
import re

import numpy as np
from PIL import Image

REL = 0.02
_NUMBER = re.compile(r"[-−]?\d+\.\d+(?:e[+-]?\d+)?|[-−]?\d+e[+-]?\d+")
_ANY_NUMBER = re.compile(r"[-−]?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_PICTURE = re.compile(r"data:image/(?:jpeg|png);base64,([A-Za-z0-9+/=]+)")


def same_picture(new: str, old: str) -> bool:
    """Whether two base64 pictures have one size, differ by less than 2/255 on average, and by less than
    16/255 in all but 0.2 % of their 8 × 8 blocks (a line that moved changes few pixels, but whole blocks)."""
    a, b = (np.asarray(Image.open(io.BytesIO(base64.b64decode(p))).convert("RGB"), float) for p in (new, old))
    if a.shape != b.shape:
        return False
    difference = np.abs(a - b).mean(2)
    rows, columns = (8 * (side // 8) for side in difference.shape)
    blocks = difference[:rows, :columns].reshape(rows // 8, 8, columns // 8, 8).mean((1, 3))
    return difference.mean() < 2 and bool((blocks > 16).mean() <= 0.002)


def same_text(new: str, old: str, rel: float = REL) -> bool:
    """Whether two texts have the same words, numbers within `rel` (or 1e-6) and the same pictures. Whole
    numbers count as words, unless a cell has a tolerance of its own (times, for example)."""
    number = _NUMBER if rel == REL else _ANY_NUMBER
    pictures = [_PICTURE.findall(text) for text in (new, old)]
    new, old = (_PICTURE.sub("PICTURE", text) for text in (new, old))
    if number.sub("#", new) != number.sub("#", old):
        return False
    numbers = ([float(n.replace("−", "-")) for n in number.findall(text)] for text in (new, old))
    return all(math.isclose(a, b, rel_tol=rel, abs_tol=1e-6) for a, b in zip(*numbers, strict=True)) and all(
        same_picture(a, b) for a, b in zip(*pictures, strict=True)
    )


def adopt(new, old, rel: float = REL):
    """`new`, with every text that `same_text` accepts replaced by its counterpart in `old`."""
    if isinstance(new, dict) and isinstance(old, dict):
        return type(new)({key: adopt(value, old.get(key), rel) for key, value in new.items()})
    if isinstance(new, str) and isinstance(old, str) and same_text(new, old, rel):
        return old
    return new

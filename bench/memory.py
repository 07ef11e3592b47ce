"""What a call holds beyond what was there."""
import tracemalloc
import weakref

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from bench.measure import Call


class TensorMemory(TorchDispatchMode):
    """Bytes of all tensors that were made inside the block: those that live `now`, and the `most` at a time.
    Views count nothing. What an operation uses inside itself is not seen."""

    def __init__(self):
        super().__init__()
        self.now = self.most = 0
        self._known = set()

    def __torch_dispatch__(self, function, _types, args=(), kwargs=None):
        for storage in _storages((args, kwargs)):
            self._note(storage, 0)  # older than the block
        result = function(*args, **(kwargs or {}))
        for storage in _storages(result):
            self._note(storage, storage.nbytes())
        return result

    def _note(self, storage: torch.UntypedStorage, size: int) -> None:
        key = storage._cdata
        if key not in self._known:
            self._known.add(key)
            self.now += size
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def _storages(tree: object) -> list[torch.UntypedStorage]:
    return [leaf.untyped_storage() for leaf in tree_flatten(tree)[0] if isinstance(leaf, Tensor)]


def extra_memory(call: Call) -> int:
    """Bytes that `call` needs at most beyond what was there: tensors, plus what Python and NumPy allocate."""
    tracemalloc.start()
    try:
        with TensorMemory() as tensors:
            call()
        return tensors.most + tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

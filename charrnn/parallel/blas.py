"""The number of threads of NumPy's BLAS.

Processes that each start a thread for every core wait for each other's threads most of the time.
"""

import ctypes
import re
from collections.abc import Callable
from pathlib import Path

# OpenBLAS adds a prefix and a suffix to its functions in NumPy's wheels.
NAMES = ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}")


def limit_threads(number: int) -> Callable[[], None]:
    """Use at most so many threads for products, if the BLAS is an OpenBLAS on Linux.

    Returns a function that restores the number of before.
    """
    for path in _loaded_libraries():
        library = ctypes.CDLL(path)
        for name in NAMES:
            get = getattr(library, name.format("get_num_threads"), None)
            change = getattr(library, name.format("set_num_threads"), None)
            if get is not None and change is not None:
                before = int(get())
                change(min(number, before))
                return lambda: change(before)
    return lambda: None


def _loaded_libraries() -> set[str]:
    """Return the paths of the OpenBLAS libraries in this process."""
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return set()
    return set(re.findall(r"(/\S*openblas\S*\.so\S*)$", maps, re.MULTILINE))

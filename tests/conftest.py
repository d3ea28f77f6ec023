"""Set before anything else: what the tests must not inherit from whoever started them."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from typing import Any

import pytest
from hypothesis import settings

# Defaults of whoever runs the tests are not those of the tests.
for _name in [name for name in os.environ if name.startswith("CHARRNN_")]:
    del os.environ[_name]

# Their own file of defaults and their own models lie where these say.
_own = tempfile.mkdtemp(prefix="charrnn-tests-")
atexit.register(shutil.rmtree, _own, ignore_errors=True)
for _name in ("XDG_CONFIG_HOME", "APPDATA", *(["HOME"] if sys.platform == "darwin" else [])):
    os.environ[_name] = _own

# Tests run side by side, each with one BLAS thread; NumPy reads this when it is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# How long an example takes says more about the machine than about the code.
settings.register_profile("charrnn", deadline=None)
settings.load_profile("charrnn")

# A background job of a script is started deaf to Ctrl-C, and charrnn honours that.
for _name in ("SIGINT", "SIGHUP"):
    if hasattr(signal, _name) and signal.getsignal(getattr(signal, _name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, _name), signal.SIG_DFL)


@pytest.fixture(scope="module")
def ids() -> Any:
    """Return a text with structure: noisy repetitions of one pattern."""
    import numpy as np  # noqa: PLC0415  # after the setting above

    rng = np.random.default_rng(0)
    text = np.tile(np.array([0, 1, 2, 3, 1, 4, 5, 6, 2], np.uint8), 700)
    noisy = rng.random(len(text)) < 0.1
    text[noisy] = rng.integers(7, size=int(noisy.sum()))
    return text

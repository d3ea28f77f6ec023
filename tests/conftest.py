"""Set before anything else: what the tests must not inherit from whoever started them."""

import os
import signal

# Tests run side by side, each with one BLAS thread; NumPy reads this when it is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A background job of a script is started deaf to Ctrl-C, and charrnn honours that.
for _name in ("SIGINT", "SIGHUP"):
    if hasattr(signal, _name) and signal.getsignal(getattr(signal, _name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, _name), signal.SIG_DFL)

"""Set before NumPy is first imported: tests run side by side, each with one BLAS thread."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

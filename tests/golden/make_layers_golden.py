# a script, in no package
"""Record what torch.nn's recurrent layers compute: ``python -m tests.golden.make_layers_golden``.

Needs PyTorch. All results of a case lie one behind the other in one array, in the order of their
names, under the case's number.
"""

from pathlib import Path

import numpy as np

from tests.torch_layers import RECORDED, by_torch

if __name__ == "__main__":
    recorded = {}
    for number, case in enumerate(RECORDED):
        results = by_torch(case)
        recorded[str(number)] = np.concatenate([results[name].ravel() for name in sorted(results)])
    np.savez_compressed(Path(__file__).parent / "layers.npz", allow_pickle=False, **recorded)

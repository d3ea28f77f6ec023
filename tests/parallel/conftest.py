"""What the tests of groups share."""

from pathlib import Path

import pytest


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text("The cat sat on the mat. The dog dug in the bog.\n" * 240)
    return tmp_path.resolve() / "text.txt"

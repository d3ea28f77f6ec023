"""The documents point at tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_row_of_the_fault_table_names_a_test_that_exists() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "fault |" not in line]
    assert len(rows) > 30
    for row in rows:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row)
        assert named, row
        for file, test in named:
            source = (ROOT / "tests" / file).read_text(encoding="utf-8")
            assert f"\ndef {test}(" in source, test

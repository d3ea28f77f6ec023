"""The documents point at tests that exist, and their examples run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_every_row_of_the_fault_table_names_a_test_that_exists() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "fault |" not in line]
    assert len(rows) > 30
    for row in rows:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row)
        assert named, row
        for file, test in named:
            (path,) = (ROOT / "tests").rglob(file)
            source = path.read_text(encoding="utf-8")
            assert f"\ndef {test}(" in source, test


def test_the_page_of_commands_is_what_typer_makes_of_them() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "typer", "charrnn.cli", "utils", "docs", "--name", "charrnn",
         "--title", "Commands and options"],
        capture_output=True, text=True, encoding="utf-8", check=True, cwd=ROOT,
    ).stdout  # fmt: skip
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page.strip() == made.strip(), "CONTRIBUTING.md says how to write it anew"


def test_the_list_of_the_source_names_every_file_and_no_other() -> None:
    page = (ROOT / "docs" / "code.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"\b\w+\.(?:py|js|css|html)\b", page.split("```")[1]))
    kinds = ("*.py", "*.js", "*.css", "*.html")
    there = {path.name for kind in kinds for path in (ROOT / "charrnn").rglob(kind)}
    assert listed == there


def examples() -> list[tuple[bool, str]]:
    """Return the Python examples of the API's page, and whether they need PyTorch."""
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    found = re.findall(
        r"(<!-- needs torch -->\n)?^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL
    )
    return [(bool(torch), code) for torch, code in found]


def run_examples(folder: Path, *code: str) -> str:
    (folder / "corpora").symlink_to(ROOT / "corpora")
    program = "\n".join(code)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=folder, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_examples_of_the_api_run_from_top_to_bottom(tmp_path: Path) -> None:
    plain = [code for torch, code in examples() if not torch]
    assert len(plain) >= 5
    lines = run_examples(tmp_path, *plain).splitlines()
    assert "(5, 4, 16) (4, 4, 8)" in lines
    assert float(lines[-1]) >= 0.96


def test_the_export_read_in_pytorch_gives_the_same_nats(tmp_path: Path) -> None:
    for package in ("torch", "safetensors"):
        pytest.importorskip(package, reason="an extra: pip install '.[test-torch]'")
    train, by_steps, *_ = [code for torch, code in examples() if not torch]
    (snippet,) = [code for torch, code in examples() if torch]
    export = """
from pathlib import Path
from charrnn.export import export
Path("towns.safetensors").write_bytes(export(charrnn.load("towns.npz"), "safetensors"))
result = charrnn.score(model.network(), model.encode("Aberdeen\\nAberdour\\n"))
"""
    compare = "assert abs(nats.item() - result.nats_per_char) < 1e-4, (nats, result)"
    run_examples(tmp_path, train, by_steps, export, snippet, compare)

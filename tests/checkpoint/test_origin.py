"""Where a model comes from: noted, kept, and never a reason to refuse a file."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn import Model, __version__
from charrnn.checkpoint import npz
from charrnn.checkpoint.format import HEADER_KEYS
from charrnn.checkpoint.origin import MOST_SOURCES, Origin, checked_origin, origin_entry
from tests.support import ROOT, trained

ORIGIN = Origin(("harbour.txt", "été.txt"), 12, 34, "english")


def header_of(path: Path) -> dict[str, Any]:
    with np.load(path) as arrays:
        header: dict[str, Any] = json.loads(arrays["header"].tobytes())
    return header


def test_an_origin_comes_back_and_adds_no_entry_that_an_earlier_version_would_refuse(
    tmp_path: Path,
) -> None:
    replace(trained(), origin=ORIGIN).save(tmp_path / "m.npz")
    assert Model.load(tmp_path / "m.npz").origin == ORIGIN
    header = header_of(tmp_path / "m.npz")
    assert header.keys() == HEADER_KEYS  # an earlier version takes these and no others
    assert header["format"] == 1
    assert header["charrnn"]["version"] == __version__


def test_a_file_without_an_origin_has_none() -> None:
    assert Model.load(ROOT / "tests" / "golden" / "format1.npz").origin is None
    assert origin_entry(None) == __version__


@pytest.mark.parametrize(
    "change",
    [
        {"sources": "text"},
        {"sources": [1]},
        {"sources": ["\udfff"]},
        {"held_out": -1},
        {"held_out": True},
        {"steps_per_pass": 1.5},
        {"steps_per_pass": 1 << 60},
        {"start": 3},
        {"start": "\ud800"},
    ],
)
def test_an_origin_that_makes_no_sense_is_as_good_as_none(
    change: dict[str, Any], tmp_path: Path
) -> None:
    model = trained()
    model.save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as stored:
        arrays = dict(stored)
    entry = origin_entry(ORIGIN)
    assert isinstance(entry, dict)
    header = header_of(tmp_path / "m.npz") | {"charrnn": entry | change}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with (tmp_path / "m.npz").open("wb") as file:
        npz.write(file, arrays)
    assert Model.load(tmp_path / "m.npz").origin is None
    others: list[Any] = [None, [], 5, {}, "0.1.0"]
    assert not any(map(checked_origin, others))


def test_what_a_later_version_notes_beside_it_is_passed_over() -> None:
    entry = origin_entry(ORIGIN)
    assert isinstance(entry, dict)
    assert checked_origin({**entry, "weather": "fair"}) == ORIGIN


def test_files_are_noted_by_name_without_their_folders_and_not_without_end() -> None:
    paths = ["/home/me/secret/a.txt", "-", "b\udcff.txt", *["c.txt"] * 500]
    origin = Origin.of(paths, 1, 2, "/home/me/secret/base.npz")
    assert origin.sources[:3] == ("a.txt", "stdin", "b\\udcff.txt")
    assert len(origin.sources) == MOST_SOURCES
    assert origin.start == "base.npz"
    assert checked_origin(origin_entry(origin)) == origin

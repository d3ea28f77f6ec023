"""The page of ``charrnn xray --html``."""

import sys
from pathlib import Path

from charrnn.checkpoint.files import replacing
from charrnn.cli import terminal
from charrnn.cli.xray_source import Source
from charrnn.cli.xray_views import View
from charrnn.errors import ConfigError, CorpusError
from charrnn.export.xray_page import Opening, xray_page
from charrnn.inference.xray.find import Found
from charrnn.inference.xray.parts import Place
from charrnn.inference.xray.trace import Request

# Characters of a text, guesses for each of them, and units found for each feature.
MOST_CHARS, TOP, UNITS = 20_000, 5, 3


def write_page(source: Source, view: View, target: Path, *, name: str) -> None:
    """Write a page that shows a text as the model sees it.

    name   of the model
    """
    to_stdout = str(target) == "-"
    if to_stdout and terminal.is_terminal(sys.stdout):
        raise ConfigError("a page is not for a terminal", hint="--html FILE, or a pipe")
    shape = source.model.config.model
    places = tuple(Place(layer, view.place.part) for layer in range(shape.layers))
    xray = source.xray(Request(TOP if view.top is None else view.top, places), MOST_CHARS)
    found = xray.find(part=view.place.part, top=UNITS)
    place, unit = _opening_unit(view, found)
    opening = Opening(
        text=source.name,
        model=f"{name}: {shape.cell} {shape.layers} × {shape.hidden_size}",
        place=place,
        unit=unit,
    )
    data = xray_page(xray, found, opening)
    if to_stdout:
        terminal.write_bytes(data)
        return
    with replacing(target) as file:
        file.write(data)
    terminal.note(f"written: {target}, {len(data):,} bytes, {len(xray.trace):,} characters")


def _opening_unit(view: View, found: list[Found]) -> tuple[Place, int | None]:
    """Return the place and the number of the unit that the page opens with."""
    if view.feature is None:
        return view.place, view.neuron
    wanted = [
        unit
        for unit in found
        if view.feature in {"all", unit.feature} and view.layer in {None, unit.layer}
    ]
    if not wanted:
        raise CorpusError(
            f"no unit keeps track of {view.feature} in this text", hint="leave out --find"
        )
    return view.place._replace(layer=wanted[0].layer), wanted[0].unit

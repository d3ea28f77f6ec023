"""Colors for levels: in even steps of lightness, so that neither hue nor good eyes are needed.

Surprise runs through violet, red and yellow, away from the background: dark on a light one, bright
on a dark one. Activations are blue below 0 and orange above, two hues that color-blind people tell
apart. Stops are interpolated in Oklab (Ottosson 2020), where equal distances look equal.
"""

import functools
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.xray.scale import MOST

Scheme = Literal["light", "dark"]

BACKGROUND: dict[Scheme, str] = {"light": "#ffffff", "dark": "#16161d"}
_SURPRISE: dict[Scheme, tuple[str, ...]] = {
    "light": ("#ffffff", "#ffe9ad", "#fdb06d", "#ee6a63", "#b3357c", "#6a1f80", "#2c0f57"),
    "dark": ("#16161d", "#3d1d68", "#7d2a83", "#c13b77", "#f3745d", "#fdbb84", "#fdf2bf"),
}
_BELOW: dict[Scheme, tuple[str, ...]] = {
    "light": ("#ffffff", "#a9cdf0", "#3f87cf", "#0b3f80"),
    "dark": ("#16161d", "#1d4a7c", "#3f8fdc", "#b4dcff"),
}
_ABOVE: dict[Scheme, tuple[str, ...]] = {
    "light": ("#ffffff", "#ffd09b", "#d9822b", "#7a3a00"),
    "dark": ("#16161d", "#6e4310", "#d48a2e", "#ffdca6"),
}

# Oklab: from linear sRGB to cone responses, and from their cube roots to lightness and two hues.
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
# sRGB is linear near black.
_KNEE, _SLOPE = 0.04045, 12.92
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


class Paint(NamedTuple):
    """The color of a level: that of the background and that of the text on it, as #rrggbb."""

    background: str
    text: str


@functools.cache
def surprise_paints(scheme: Scheme) -> tuple[Paint, ...]:
    """Return the colors of the levels 0 to 8."""
    return tuple(map(_painted, _ramp(_SURPRISE[scheme])))


@functools.cache
def activation_paints(scheme: Scheme) -> tuple[Paint, ...]:
    """Return the colors of the levels 0 to 8 and then -8 to -1: the level is the index."""
    above, below = _ramp(_ABOVE[scheme]), _ramp(_BELOW[scheme])
    return tuple(map(_painted, [*above, *below[:0:-1]]))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colors, from 1 to 21, as WCAG 2 defines it."""
    lights = sorted(float(_linear(color) @ _LUMINANCE) + 0.05 for color in (one, other))
    return lights[1] / lights[0]


def _painted(background: str) -> Paint:
    return Paint(background, max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, background)))


def _ramp(stops: tuple[str, ...]) -> list[str]:
    """Return the colors of the levels 0 to MOST between the stops."""
    lab = np.array([_TO_LAB @ np.cbrt(_TO_CONES @ _linear(stop)) for stop in stops])
    at = np.linspace(0, len(stops) - 1, MOST + 1)
    mixed = np.stack([np.interp(at, range(len(stops)), axis) for axis in lab.T], axis=1)
    cones = np.linalg.solve(_TO_LAB, mixed.T) ** 3
    return [_hex(color) for color in np.linalg.solve(_TO_CONES, cones).T]


def _linear(color: str) -> NDArray[np.float64]:
    """Return #rrggbb as linear sRGB from 0 to 1 (IEC 61966-2-1)."""
    values = np.frombuffer(bytes.fromhex(color[1:]), np.uint8) / 255
    curved = ((values + 0.055) / 1.055) ** 2.4
    linear: NDArray[np.float64] = np.where(values <= _KNEE, values / _SLOPE, curved)
    return linear


def _hex(linear: NDArray[np.float64]) -> str:
    linear = linear.clip(0, 1)
    curved = 1.055 * linear ** (1 / 2.4) - 0.055
    values = np.where(linear <= _KNEE / _SLOPE, linear * _SLOPE, curved)
    return f"#{bytes(np.rint(values * 255).astype(np.uint8)).hex()}"

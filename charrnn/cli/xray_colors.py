"""Colors of levels on a terminal: in even steps of lightness (Oklab), for all kinds of eyes."""

# Surprise, levels 0 to 8: violet, red and yellow, the brighter the more surprising.
SURPRISE = (
    "#16161d", "#331d54", "#5c2576", "#8d3081", "#c13b77", "#e66766", "#f99870", "#fec993",
    "#fdf2bf",
)  # fmt: skip
# Activation, levels 0 to 8, orange, and then -8 to -1, blue: the level is the index.
ACTIVATION = (
    "#16161d", "#35271e", "#57381a", "#7a4b14", "#9f651f", "#c7812a", "#df9e51", "#efbd7d",
    "#ffdca6", "#b4dcff", "#8abff3", "#5ea2e5", "#3b86cf", "#2d6cab", "#215287", "#1e3c63",
    "#1b293e",
)  # fmt: skip
# From this brightness on, black text is easier to read than white.
BRIGHT = 115


def text_color(background: str) -> str:
    """Return the color of text on one of these colors, as #rrggbb."""
    red, green, blue = bytes.fromhex(background[1:])
    brightness = 0.299 * red + 0.587 * green + 0.114 * blue
    return "#000000" if brightness >= BRIGHT else "#ffffff"

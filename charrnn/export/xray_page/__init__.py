"""A text as a model sees it, as a page for a browser, and the colors of its levels."""

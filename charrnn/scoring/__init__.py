"""The likelihood of texts and lines, and what a model does at each character."""

"""Export of models to other programs, and import from them."""

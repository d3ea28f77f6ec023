"""What may be wrong with a text before it is trained on, and repairs: see ``diagnosis``."""

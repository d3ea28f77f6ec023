"""From examples to weights: optimizers, the data-parallel step, the loop and the recipe."""

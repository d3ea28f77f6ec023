"""Neural networks: cells, stacked layers, losses, the language model and the classifier."""

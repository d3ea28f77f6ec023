"""Neural networks: cells, stacked layers, losses, language model, classifier."""

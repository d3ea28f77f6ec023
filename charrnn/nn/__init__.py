"""The networks: cells, stacked layers, losses, and the two models made of them."""

"""One .npz file for each trained model, written atomically and checked when read."""

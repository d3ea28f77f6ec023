"""Checkpoints: one .npz file per trained model, written atomically and verified when read."""

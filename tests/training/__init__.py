"""Tests of charrnn/training."""

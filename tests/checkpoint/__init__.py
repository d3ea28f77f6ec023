"""Tests of charrnn/checkpoint."""

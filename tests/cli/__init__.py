"""Tests of charrnn/cli."""

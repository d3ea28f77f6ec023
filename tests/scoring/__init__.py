"""Tests of charrnn/scoring."""

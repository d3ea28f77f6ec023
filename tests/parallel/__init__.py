"""Tests of charrnn/parallel."""

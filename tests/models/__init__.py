"""Tests of charrnn/models."""

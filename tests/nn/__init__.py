"""Tests of charrnn/nn."""

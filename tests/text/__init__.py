"""Tests of charrnn/text."""

"""Tests of charrnn/interchange."""

"""Tests of charrnn/inference."""

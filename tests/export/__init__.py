"""Tests of charrnn/export."""

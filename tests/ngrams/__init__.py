"""Tests of charrnn/ngrams."""

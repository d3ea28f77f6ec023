"""Tests of new text."""

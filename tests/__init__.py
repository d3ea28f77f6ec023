"""Tests, one file per module; every test's name is a claim."""

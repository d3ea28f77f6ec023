"""Inference with trained models: sampling, scoring, prediction and metrics."""

"""What a trained model is for: writing and scoring text."""

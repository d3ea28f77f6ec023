"""Looking inside a language model: surprise and activations, character by character."""

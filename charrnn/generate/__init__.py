"""New text from a language model: drawing characters, controls, beam search, new pieces."""

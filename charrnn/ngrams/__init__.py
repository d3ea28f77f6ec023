"""The n-grams of a text: a language model of its own, and a partner for the network."""

"""The ground floor: the vocabulary both protocols share. It imports nothing, so that anything may import it."""

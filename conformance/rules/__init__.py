"""The protocol's law, as pure functions over a recording."""

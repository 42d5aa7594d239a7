"""The scenario language: YAML in, validated cells out."""

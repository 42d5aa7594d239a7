"""Loads the plugin, nothing more."""

pytest_plugins = ["conformance.plugin"]

"""Loads the plugin where its entry point has not, nothing more."""

import sys

if "conformance.plugin" not in sys.modules:
    pytest_plugins = ["conformance.plugin"]

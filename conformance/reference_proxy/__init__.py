"""Our own correct proxy: the default subject, and the yardstick."""

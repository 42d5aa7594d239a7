"""Our own correct proxy, from voice-agent clients to the Realtime API: the yardstick and the default subject."""

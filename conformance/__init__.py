"""The harness: drives voice-agent proxies on both legs, records every frame, and judges the recording."""

"""From (scenario, recording) to verdicts with blame; pure."""

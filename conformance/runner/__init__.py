"""From a plan to a recording: wires the driver, the subject and the upstream together for one attempt."""

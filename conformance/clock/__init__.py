"""Time: a virtual event loop that jumps when nothing can happen, and the real one."""

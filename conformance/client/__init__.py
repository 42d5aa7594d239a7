"""The client driver: plays a scenario's steps on the client leg."""

from conformance.client.driver import ANCHOR_LIMIT, LATE_WINDOW, Dial, drive
from conformance.client.python_steps import PYTHON_STEPS, Hands, NoSuchStep, python_step
from conformance.client.sound import NoSuchSound

__all__ = [
    "ANCHOR_LIMIT",
    "LATE_WINDOW",
    "PYTHON_STEPS",
    "Dial",
    "Hands",
    "NoSuchSound",
    "NoSuchStep",
    "drive",
    "python_step",
]

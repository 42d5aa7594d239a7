"""``python -m conformance.tests.zoo``: try every animal, print what caught it, and write the page."""

import sys

from conformance.tests.zoo import ZOO, catch, matrix
from conformance.tests.zoo.matrix import PAGE

holes = 0
for animal in ZOO:
    caught = catch(animal)
    holes += caught is None
    said = "NOT CAUGHT" if caught is None else f"{caught.cell.label or '-'}: {caught.result.message}"
    sys.stdout.write(f"{animal.rule:26} {animal.name:30} {said}\n")
PAGE.write_text(matrix(), encoding="utf-8")
sys.stdout.write(f"{len(ZOO)} animals, {holes} not caught; written to {PAGE}\n")
sys.exit(holes > 0)

"""The zoo: reference proxies broken on purpose, one defect each, and the matrix that shows which rule catches which."""

from conformance.tests.zoo import output, session, sound, turns
from conformance.tests.zoo.animal import ZOO, Animal
from conformance.tests.zoo.matrix import Catch, catch, matrix

__all__ = ["ZOO", "Animal", "Catch", "catch", "matrix", "output", "session", "sound", "turns"]

"""The reference solutions: the only hand-written code of an exercise."""

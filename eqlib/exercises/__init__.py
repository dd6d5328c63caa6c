"""The checks that the notebooks' exercises call: `from eqlib.exercises import nb02`, one module a notebook."""

"""One file a task: its models by name, its data, its recipe, its own arguments, and `run(...) -> (network, report)`.

A new task is one file of that shape and one line here. `eqlib.tasks.task` holds what all of them share; what a file must
have stands in its docstring.
"""

TASKS = ("crystals", "digits", "fields", "jets", "inertia", "molecules", "shifted_digits", "spins", "tetris", "volumes")

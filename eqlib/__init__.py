"""eqlib: equivariant networks for any group, and the course that is built on them.

This file imports nothing, so that `import eqlib.groups` costs numpy and scipy and never torch.
Start with `from eqlib import groups`, then `from eqlib import nn`.
"""

__version__ = "0.1.0"

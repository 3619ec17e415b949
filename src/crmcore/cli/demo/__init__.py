"""The demonstration: the main job of crmcore on real input, told in six chapters.

Takes an empty tenant of any store; fills it and shows what happens and why.
Each chapter returns its figures, so that ``--json`` and tests can check them.
Never prints a number that it did not compute from the store.
Neighbours: ``sample`` holds the input, ``commands/demo.py`` the options.
"""

import crmcore.cli.extra  # noqa: F401

"""The ``reid`` command's subcommands, one module each.

A module offers ``register(subparsers)``, which adds its parser and sets ``run`` as the parser's default.
Heavy imports belong inside ``run``, so that ``reid --help`` answers at once.
"""

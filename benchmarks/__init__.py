"""Benchmarks: what the library costs, as a ratio to code written by hand.

``python -m benchmarks storage`` and ``python -m benchmarks import`` print one JSON line
a figure; ``python -m benchmarks all`` runs everything and writes ``RESULTS.md``.
Takes nothing from the machine but what the tests take: servers are started here.
Neighbours: ``by_hand`` holds the code that the library is compared with.
"""

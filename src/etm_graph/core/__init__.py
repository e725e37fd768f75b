"""The pure domain: frozen dataclasses and functions, no I/O, no clock, no unseeded random."""

"""Tomotheca: a self-hosted data portal for cryo-electron tomography."""

__version__ = "0.1.0"

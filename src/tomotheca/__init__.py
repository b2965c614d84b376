"""Tomotheca: a self-hosted data portal for cryo-electron tomography."""


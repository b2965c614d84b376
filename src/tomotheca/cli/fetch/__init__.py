"""Downloading from any server of this kind: lists, resumable transfers, verification."""

"""Bytes to arrays and tables, and back: one module per file format, none knows what a run or a tomogram is."""

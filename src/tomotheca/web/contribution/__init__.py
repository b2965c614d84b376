"""The form with which people offer data: what it asks, what was typed, whether that can be used, and what happens next."""

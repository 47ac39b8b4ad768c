"""Readings: rows to small dataclasses that a page can show."""

"""Recorded traces as files: what is in one, and how it is written and read (docs/recordings.md)."""

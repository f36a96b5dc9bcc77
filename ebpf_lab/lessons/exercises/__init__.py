"""The exercises, a module a lesson: each has its ``LESSON``."""

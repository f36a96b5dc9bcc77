"""What the lab costs and how fast it is, beside what others use for the same; ``./lab bench`` runs it."""

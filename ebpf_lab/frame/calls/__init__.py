"""System calls in words: their arguments by type, the files that descriptors name, errors."""

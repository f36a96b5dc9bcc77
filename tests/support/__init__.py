"""What the tests share: skipping, leak checks, targets to trace, expectations."""

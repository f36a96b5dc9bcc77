"""What a program became: its bytecode, native code and verification, beside the C lines.  Pure."""

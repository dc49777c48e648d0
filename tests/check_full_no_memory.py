#!/usr/bin/env python3
"""check_no_memory.py with every request."""
import sys

from check_no_memory import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[2], every=True))

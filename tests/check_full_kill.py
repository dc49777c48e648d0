#!/usr/bin/env python3
"""check_kill.py for ten minutes."""
import sys

from check_kill import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[2], 600))

#!/usr/bin/env python
"""The `observatory` command line, from a source checkout."""

from observatory.cli import main

if __name__ == "__main__":
    main()

"""`python -m tomotheca`."""

from tomotheca.cli import main

if __name__ == "__main__":
    main()

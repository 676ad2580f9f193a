"""`python -m spinhw` is `spinhw`, for where no script was installed on the path."""

from spinhw.cli import main

if __name__ == "__main__":
    main()

"""What another group adds to spinhw."""

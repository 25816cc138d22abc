"""What a replay found."""

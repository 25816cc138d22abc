"""What all of a replay speaks of: steps, acts, places, and the words of a conversation."""

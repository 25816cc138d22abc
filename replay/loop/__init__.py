"""Time: an event loop on virtual time, and who lets a replay's time pass on it or on another."""

"""Whether a live send is a recorded one."""

"""Why a replay differs, in the words of the conversation."""

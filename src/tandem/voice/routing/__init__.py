"""Where a call goes. Pure."""

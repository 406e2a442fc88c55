"""Whatever comes from outside, read by what must read it: right, or refused in words."""

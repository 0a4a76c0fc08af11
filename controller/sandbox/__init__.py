"""Test scripts in a jail: started, watched and ended by the operator, never run in its process."""

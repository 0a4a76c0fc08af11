"""`kubectl nxc`: what a person wants to know of a deployment, through the API alone."""

"""Deployment information: the document, how it reaches a node at boot, what the node answers, and SSH to it."""

"""The Kubernetes API without a server: objects, versions, validation, patches, watches, garbage collection.

Nothing here opens a socket or a file, reads a clock or draws a random number; all of it comes in by argument.
The HTTP server and the virtual-time scenarios therefore run on the very same semantics.
"""

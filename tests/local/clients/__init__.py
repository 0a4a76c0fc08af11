"""The libraries that the operator stands on, against both control planes: kubernetes' asyncio client and kopf."""

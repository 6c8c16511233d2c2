"""Media over UDP sockets with asyncio."""

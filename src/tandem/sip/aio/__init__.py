"""SIP over UDP, TCP and TLS sockets with asyncio."""

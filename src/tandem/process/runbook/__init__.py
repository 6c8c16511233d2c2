"""Runbooks: what people carry out on Exchange and Lync servers, by phase and team, as text, page and PowerShell script."""

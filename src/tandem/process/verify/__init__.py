"""Is the deployment as declared, and does it work?"""

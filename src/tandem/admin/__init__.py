"""One function per use case. They return values with ``to_json``, and neither print nor prompt."""

"""The organization as it is: entries, filters, schema, rights, typed repositories, adapters."""

"""The directory for real: Active Directory (and what of it other LDAP servers have) behind the port."""

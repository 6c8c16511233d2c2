"""Reading what the setup of Exchange and of Lync or Skype for Business keeps in Active Directory."""

"""What the setup of Exchange and of Lync or Skype for Business keeps in Active Directory, read for import and doctor."""

"""What servers of several versions and makers need of each other."""

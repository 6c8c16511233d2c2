"""What every server is: following the directory, admission, supervised tasks, drain, checks, certificates, threads."""

"""Files and folders to a report: finding them, reading them, judging them, repairing them."""

"""`barnabas.Admin`: a file for each subject, an operation for each of the Java client's."""

/* The files that filters are read from. */
#ifndef FILTER_FILE_H
#define FILTER_FILE_H

#include <stddef.h>

/*
 * Returns the contents of file @path and a NUL, the caller's, and their length
 * in @bytes; or NULL with what is wrong in @why: it must be a file, of at most
 * @max bytes.
 */
void *filter_file_read(const char *path, size_t max, size_t *bytes, char *why,
		       size_t why_bytes);

/* The two halves of that. The first returns a descriptor or -errno. */
int filter_file_open(const char *path);
void *filter_file_read_from(int fd, size_t max, size_t *bytes, char *why,
			    size_t why_bytes);

#endif

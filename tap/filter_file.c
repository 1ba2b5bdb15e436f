#include "filter_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void *complain(char *why, size_t why_bytes, const char *what)
{
	snprintf(why, why_bytes, "%s", what);
	return NULL;
}

static void *too_large(char *why, size_t why_bytes, size_t max)
{
	snprintf(why, why_bytes, "is larger than %zu MiB", max >> 20);
	return NULL;
}

/* All of it, whatever its length was said to be: /proc says 0. */
static void *read_all(int fd, size_t max, size_t *bytes, char *why,
		      size_t why_bytes)
{
	size_t room = 0, done = 0;
	char *data = NULL, *more;
	ssize_t n;

	do {
		if (done + 1 >= room) {
			room = room ? 2 * room : 1 << 16;
			more = realloc(data, room);
			if (!more) {
				free(data);
				return complain(why, why_bytes, "out of memory");
			}
			data = more;
		}
		n = read(fd, data + done, room - done - 1);
		if (n > 0)
			done += (size_t)n;
	} while ((n > 0 && done <= max) || (n < 0 && errno == EINTR));
	if (n < 0 || done > max) {
		free(data);
		return n < 0 ? complain(why, why_bytes, strerror(errno))
			     : too_large(why, why_bytes, max);
	}
	data[done] = '\0';
	*bytes = done;
	return data;
}

void *filter_file_read_from(int fd, size_t max, size_t *bytes, char *why,
			    size_t why_bytes)
{
	struct stat st;

	if (fstat(fd, &st))
		return complain(why, why_bytes, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return complain(why, why_bytes, "is a directory: name a file");
	if (!S_ISREG(st.st_mode))
		return complain(why, why_bytes, "is not a regular file");
	if (st.st_size > 0 && (size_t)st.st_size > max)
		return too_large(why, why_bytes, max);
	return read_all(fd, max, bytes, why, why_bytes);
}

int filter_file_open(const char *path)
{
	/* Opening a pipe must not wait for its other side. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void *filter_file_read(const char *path, size_t max, size_t *bytes, char *why,
		       size_t why_bytes)
{
	int fd = filter_file_open(path);
	void *data;

	if (fd < 0)
		return complain(why, why_bytes, strerror(-fd));
	data = filter_file_read_from(fd, max, bytes, why, why_bytes);
	close(fd);
	return data;
}

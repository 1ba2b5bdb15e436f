#include "keeper_notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool keeper_notify_is_allowed(const char *text)
{
	static const char *const allowed[] = {
		"READY=1",    "RELOADING=1", "STOPPING=1",
		"WATCHDOG=1", "STATUS=",     "MONOTONIC_USEC=",
	};

	while (*text) {
		size_t length = strcspn(text, "\n");
		bool found = false;

		for (unsigned i = 0; i < sizeof(allowed) / sizeof(*allowed); i++) {
			size_t n = strlen(allowed[i]);
			bool takes_value = allowed[i][n - 1] == '=';

			found |= !strncmp(text, allowed[i], n) &&
				 (takes_value || length == n);
		}
		if (!found)
			return false;
		text += length + (text[length] == '\n');
	}
	return true;
}

void keeper_notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t length = path ? strlen(path) : 0;
	int fd;

	if (!length || length >= sizeof(to.sun_path))
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	memcpy(to.sun_path, path, length);
	if (*path == '@')
		to.sun_path[0] = '\0';
	sendto(fd, text, strlen(text), MSG_NOSIGNAL,
	       (const struct sockaddr *)&to,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	close(fd);
}

#include "notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "kept.h"
#include "sw.h"

/* A path, or an abstract name with an @ in front: sd_notify(3). */
void notify_open(struct sw *sw)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t length = name ? strlen(name) : 0;

	sw->notify_fd = -1;
	if (sw->kept || !length || length >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, name, length);
	if (*name == '@')
		addr.sun_path[0] = '\0';
	sw->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sw->notify_fd < 0)
		return;
	if (connect(sw->notify_fd, (const void *)&addr,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)))
		notify_close(sw);
}

void notify_close(struct sw *sw)
{
	if (sw->notify_fd >= 0)
		close(sw->notify_fd);
	sw->notify_fd = -1;
}

void notify(struct sw *sw, const char *text)
{
	if (sw->kept)
		kept_notify(sw->kept, text);
	else if (sw->notify_fd >= 0)
		send(sw->notify_fd, text, strlen(text),
		     MSG_DONTWAIT | MSG_NOSIGNAL);
}

#include "keeper_orphan.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "state_file.h"

enum { END_MS = 5000 };

/* 0 if there is no such process. */
static uint64_t start_of(pid_t pid)
{
	char path[32], text[1024] = "";
	uint64_t started = 0;
	const char *behind;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	/* Its name, in parentheses, may have anything in it. */
	behind = strrchr(text, ')');
	if (!behind ||
	    sscanf(behind,
		   ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
		   &started) != 1)
		return 0;
	return started;
}

int keeper_orphan_note(struct state_file *file, pid_t child)
{
	struct keeper_self self = { .pid = child, .started = start_of(child) };
	struct state_record r = { .key = KEEPER_SELF,
				  .flags = KEEPER_DURABLE,
				  .bytes = sizeof(self),
				  .name = "switch" };

	if (!file)
		return 0;
	memcpy(r.record, &self, sizeof(self));
	return state_file_write(file, &r);
}

static bool has_ended(int process, int ms)
{
	struct pollfd p = { .fd = process, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

void keeper_orphan_end(const struct keeper_self *self)
{
	int process = -1;

	if (self->pid > 0 && self->started)
		process = (int)syscall(SYS_pidfd_open, self->pid, 0);
	if (process < 0)
		return;
	if (start_of(self->pid) == self->started && !has_ended(process, 0)) {
		log_info("a switch whose keeper had ended is still there (%d): ending it",
			 self->pid);
		if (syscall(SYS_pidfd_send_signal, process, SIGTERM, NULL, 0))
			log_error("it cannot be ended: %s", strerror(errno));
		else if (!has_ended(process, END_MS))
			syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0);
		has_ended(process, 1000);
	}
	close(process);
}

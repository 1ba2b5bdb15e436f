#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NO_SLOT = 0, TRIES = 8 };

struct state_file {
	int fd;
	int directory_fd; /* where it is, whatever becomes of our own */
	char name[256];	  /* in there */
	char boot[STATE_BOOT_BYTES];
	bool is_old;	  /* there is something of use in it */
	bool is_ours;	  /* its first slot has been written */
	uint16_t slots[KEEPER_KEYS]; /* of each key; 0: none */
	uint16_t free[KEEPER_KEYS];  /* below top, a stack */
	unsigned free_count, top;
};

/* When the machine was started: nothing says it better. */
static void read_boot(char boot[STATE_BOOT_BYTES])
{
	FILE *from = fopen("/proc/sys/kernel/random/boot_id", "re");

	memset(boot, 0, STATE_BOOT_BYTES);
	if (!from)
		return;
	if (!fgets(boot, STATE_BOOT_BYTES, from))
		*boot = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	fclose(from);
}

static int find_directory(struct state_file *f, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char directory[4096];

	if (!*name || strlen(name) >= sizeof(f->name) ||
	    (size_t)(name - path) >= sizeof(directory))
		return -EINVAL;
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(directory, sizeof(directory), "%.*s",
		 slash ? (int)(name - path) : 1, slash ? path : ".");
	f->directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return f->directory_fd < 0 ? -errno : 0;
}

/* What is wrong with what we have opened, or NULL. */
static const char *complaint(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "exists and is something else";
	if (st->st_uid != geteuid())
		return "belongs to somebody else";
	if (st->st_nlink > 1)
		return "has another name as well (a hard link)";
	if (st->st_mode & 077)
		return "is open to others";
	return NULL;
}

static const char *complaint_of_content(struct state_file *f)
{
	uint8_t slot[STATE_SLOT_BYTES];
	ssize_t got = pread(f->fd, slot, sizeof(slot), 0);
	int head;

	if (!got)
		return NULL;
	head = got == sizeof(slot) ? state_slot_read_head(slot, f->boot)
				   : -EPROTO;
	f->is_old = head == 1;
	return head < 0 ? "exists and is something else" : NULL;
}

/* Whether the name is still that of what we have locked: its last owner may
 * have removed it meanwhile. */
static bool is_still_there(const struct state_file *f, const struct stat *st)
{
	struct stat now;

	return !fstatat(f->directory_fd, f->name, &now, AT_SYMLINK_NOFOLLOW) &&
	       now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

/* Open, look, lock. 0, -errno, or -EEXIST with a complaint. */
static int open_once(struct state_file *f, const char **what)
{
	struct stat st;

	/* It may be a fifo, which is not to be waited for. */
	f->fd = openat(f->directory_fd, f->name,
		       O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
			       O_CLOEXEC,
		       0600);
	if (f->fd < 0 && errno == ELOOP) {
		*what = "is a symbolic link";
		return -EEXIST;
	}
	if (f->fd < 0 || fstat(f->fd, &st))
		return -errno;
	*what = complaint(&st);
	if (*what)
		return -EEXIST;
	if (flock(f->fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (!is_still_there(f, &st))
		return -EAGAIN;
	*what = complaint_of_content(f);
	return *what ? -EEXIST : 0;
}

static int open_file(struct state_file *f, const char **what)
{
	int err = -EAGAIN;

	for (int i = 0; i < TRIES && err == -EAGAIN; i++) {
		if (f->fd >= 0)
			close(f->fd);
		f->fd = -1;
		err = open_once(f, what);
	}
	return err;
}

static void release(struct state_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->directory_fd >= 0)
		close(f->directory_fd);
	free(f);
}

int state_file_open(struct state_file **to, const char *path, char *why,
		    size_t why_bytes)
{
	struct state_file *f = calloc(1, sizeof(*f));
	const char *what = NULL;
	int err = -ENOMEM;

	if (f) {
		f->fd = f->directory_fd = -1;
		f->top = 1;
		read_boot(f->boot);
		err = find_directory(f, path);
		if (!err)
			err = open_file(f, &what);
	}
	if (!err) {
		*to = f;
		return 0;
	}
	if (err == -EBUSY)
		what = "another switch uses it";
	snprintf(why, why_bytes, "state file %.200s: %s%s", path,
		 what ? what : strerror(-err),
		 err == -EEXIST ? ": remove it or choose another (--state)" : "");
	if (f)
		release(f);
	return err;
}

static off_t offset_of(unsigned slot)
{
	return (off_t)slot * STATE_SLOT_BYTES;
}

void state_file_read(struct state_file *f,
		     void (*found)(void *context, const struct state_record *r),
		     void *context)
{
	uint8_t slot[STATE_SLOT_BYTES];
	struct state_record r;

	if (!f->is_old)
		return;
	for (; f->top <= KEEPER_KEYS; f->top++) {
		if (pread(f->fd, slot, sizeof(slot), offset_of(f->top)) !=
		    sizeof(slot))
			break;
		/* Only a file that somebody has changed has a key twice. */
		if (state_slot_read(slot, &r) == 1 && !f->slots[r.key]) {
			f->slots[r.key] = (uint16_t)f->top;
			found(context, &r);
		} else {
			f->free[f->free_count++] = (uint16_t)f->top;
		}
	}
	f->is_ours = true;
}

static int write_slot(struct state_file *f, unsigned at,
		      const uint8_t slot[STATE_SLOT_BYTES])
{
	ssize_t done = pwrite(f->fd, slot, STATE_SLOT_BYTES, offset_of(at));

	return done == STATE_SLOT_BYTES ? 0 : done < 0 ? -errno : -ENOSPC;
}

/* The first slot, in a file that is empty or of no use. */
static int begin(struct state_file *f)
{
	uint8_t slot[STATE_SLOT_BYTES];
	int err;

	if (f->is_ours)
		return 0;
	if (ftruncate(f->fd, 0))
		return -errno;
	state_slot_write_head(slot, f->boot);
	err = write_slot(f, 0, slot);
	f->is_ours = !err;
	return err;
}

int state_file_write(struct state_file *f, const struct state_record *r)
{
	uint8_t slot[STATE_SLOT_BYTES];
	unsigned at = f->slots[r->key];
	int err = begin(f);

	if (err)
		return err;
	if (at == NO_SLOT)
		at = f->free_count ? f->free[--f->free_count] : f->top++;
	f->slots[r->key] = (uint16_t)at;
	state_slot_write(slot, r);
	return write_slot(f, at, slot);
}

int state_file_forget(struct state_file *f, uint32_t key)
{
	uint8_t slot[STATE_SLOT_BYTES];
	unsigned at = f->slots[key];

	if (at == NO_SLOT)
		return 0;
	f->slots[key] = NO_SLOT;
	f->free[f->free_count++] = (uint16_t)at;
	state_slot_clear(slot);
	return write_slot(f, at, slot);
}

/* Where names are not ours to remove any more, the content still is. */
static void remove_file(const struct state_file *f)
{
	if (unlinkat(f->directory_fd, f->name, 0) && ftruncate(f->fd, 0))
		return; /* and if neither, it stays: no harm is done */
}

void state_file_close(struct state_file *f, bool remove)
{
	struct stat st;

	if (!f)
		return;
	if (!fstat(f->fd, &st) && (remove || !st.st_size) &&
	    is_still_there(f, &st))
		remove_file(f);
	release(f);
}

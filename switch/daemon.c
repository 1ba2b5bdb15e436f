#include "daemon.h"

#include <bsd/libutil.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"

void daemon_null(int fd)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || null == fd)
		return;
	dup2(null, fd);
	close(null);
}

void daemon_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			daemon_null(fd);
}

static bool is_file(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode);
}

/* The child has said why, if it has ended. */
static void wait_for_child(pid_t child, int fd)
{
	char ready;
	int status;

	if (TEMP_FAILURE_RETRY(read(fd, &ready, 1)) == 1)
		_exit(0);
	if (TEMP_FAILURE_RETRY(waitpid(child, &status, 0)) == child &&
	    WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	_exit(1);
}

int daemon_start(struct daemon *d, int background, char *why, size_t why_bytes)
{
	int ends[2];
	pid_t child;

	*d = (struct daemon){ .parent_fd = -1 };
	if (!background)
		return 0;
	if (pipe2(ends, O_CLOEXEC) || (child = fork()) < 0) {
		snprintf(why, why_bytes, "cannot go to the background: %s",
			 strerror(errno));
		return -errno;
	}
	if (child > 0) {
		close(ends[1]);
		wait_for_child(child, ends[0]);
	}
	close(ends[0]);
	d->parent_fd = ends[1];
	setsid();
	return 0;
}

void daemon_kept(struct daemon *d, int background, int again)
{
	*d = (struct daemon){ .parent_fd = -1 };
	d->again = again && background;
	d->kept = 1;
	d->follows = background && !again;
	if (d->again)
		log_daemon(is_file(STDOUT_FILENO), is_file(STDERR_FILENO));
}

static void absolute(const char *path, char *to, size_t bytes)
{
	char cwd[PATH_MAX];

	if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		snprintf(to, bytes, "%s", path);
	else
		snprintf(to, bytes, "%s/%s", cwd, path);
}

/* Whether @path is a pid file, or can become one: anything else that somebody
 * names here by mistake is not ours to overwrite and remove. */
static bool may_be_pidfile(const char *path)
{
	char text[64];
	struct stat st;
	size_t length;
	FILE *file;

	if (lstat(path, &st))
		return true; /* nothing there, or it cannot be opened either */
	file = S_ISREG(st.st_mode) ? fopen(path, "re") : NULL;
	if (!file)
		return false;
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	return strspn(text, "0123456789\n") == length &&
	       length < sizeof(text) - 1;
}

/* pidfile_write() ends no line, and pidfile_open() reads none that is ended. */
static int write_pid(struct pidfh *file)
{
	int fd = pidfile_fileno(file);

	return pidfile_write(file) || lseek(fd, 0, SEEK_END) < 0 ||
	       write(fd, "\n", 1) != 1;
}

/* Of another switch; 0 if it is not to be had. */
static pid_t read_pid(const char *path)
{
	FILE *file = fopen(path, "re");
	int pid = 0;

	if (file && fscanf(file, "%d", &pid) != 1)
		pid = 0;
	if (file)
		fclose(file);
	return pid;
}

int daemon_pidfile(struct daemon *d, const char *path, char *why,
		   size_t why_bytes)
{
	char full[2 * PATH_MAX];
	pid_t other = 0;
	int err;

	if (!path)
		return 0;
	absolute(path, full, sizeof(full));
	if (!may_be_pidfile(full)) {
		snprintf(why, why_bytes,
			 "pid file %s: exists and is something else: remove it or choose another path",
			 full);
		return -EEXIST;
	}
	d->pidfile = pidfile_open(full, 0644, &other);
	/* Somebody has it locked: what he has written ends with a line. */
	if (!d->pidfile && (errno == EEXIST || errno == EINVAL)) {
		other = read_pid(full);
		snprintf(why, why_bytes,
			 "pid file %s: another switch is running, pid %d", full,
			 other);
		return -EEXIST;
	}
	if (!d->pidfile || write_pid(d->pidfile)) {
		err = -errno;
		snprintf(why, why_bytes, "pid file %s: %s", full,
			 strerror(-err));
		return err;
	}
	/* Its lock is ours, and not that of what we start. */
	fcntl(pidfile_fileno(d->pidfile), F_SETFD, FD_CLOEXEC);
	return 0;
}

/* A log that a script has redirected into a file goes on; a terminal, and a
 * pipe whose reader waits for its end, are let go. */
static bool keep_file(int fd, int null)
{
	if (is_file(fd))
		return true;
	dup2(null, fd);
	return false;
}

void daemon_prepare(struct daemon *d)
{
	bool background = d->parent_fd >= 0 || d->follows || d->again;

	if (d->null_fd > STDERR_FILENO)
		return;
	d->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (!background)
		return;
	log_prepare();
	if (chdir("/"))
		log_error("cannot change to /: %s", strerror(errno));
}

static void go_to_background(struct daemon *d)
{
	bool has_stdout = keep_file(STDOUT_FILENO, d->null_fd);

	log_daemon(has_stdout, keep_file(STDERR_FILENO, d->null_fd));
	dup2(d->null_fd, STDIN_FILENO);
	d->follows = 0;
	if (d->parent_fd < 0)
		return;
	if (TEMP_FAILURE_RETRY(write(d->parent_fd, "1", 1)) != 1)
		log_error("the starting process has gone");
	close(d->parent_fd);
	d->parent_fd = -1;
}

/* A descriptor of ours, or a standard one, whose number must stay taken. */
static void let_go(const struct daemon *d, int fd)
{
	if (fd > STDERR_FILENO)
		close(fd);
	else
		dup2(d->null_fd, fd);
}

void daemon_ready(struct daemon *d, int ready_fd)
{
	daemon_prepare(d);
	if (ready_fd >= 0 && !d->kept &&
	    TEMP_FAILURE_RETRY(write(ready_fd, "1\n", 2)) != 2)
		log_error("descriptor %d (--ready-fd): %s", ready_fd,
			  strerror(errno));
	/* Of a high number the keeper has given us none. */
	if (ready_fd >= 0 && !(d->kept && ready_fd > STDERR_FILENO))
		let_go(d, ready_fd);
	if (d->parent_fd >= 0 || d->follows)
		go_to_background(d);
	close(d->null_fd);
	d->null_fd = 0;
}

void daemon_end(struct daemon *d)
{
	int fd = d->pidfile ? dup(pidfile_fileno(d->pidfile)) : -1;

	/* Where we may no longer remove it, it must not name anybody else. */
	if (d->pidfile && pidfile_remove(d->pidfile) && fd >= 0 &&
	    ftruncate(fd, 0))
		log_error("the pid file cannot be removed or emptied: %s",
			  strerror(errno));
	if (fd >= 0)
		close(fd);
	d->pidfile = NULL;
}

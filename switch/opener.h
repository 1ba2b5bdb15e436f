/*
 * The opener: a process of ours that opens what the switch no longer can.
 *
 * From the moment in which guests are let in the switch has no file system, and
 * may make no socket and connect none: whoever takes it over has nothing but
 * the descriptors that it holds. What has to be opened later is opened by this
 * process, which has been forked before there was any guest, has no
 * capabilities either, and reads nothing that a guest sends, but one address.
 *
 *     switch --- job, perhaps descriptors ---> opener
 *            <-- 0 or -errno, a line, descriptors --
 *
 * It calls the same functions as start-up does. What it does not do, even for a
 * switch that has been taken over: read a file (but the rule files that it knows
 * from the command line), run a program, remove what is not a socket or an empty
 * directory. It does connect to any socket that its user may connect to, and make
 * some: that is its task, and what --user is for when root starts the switch.
 *
 * There are two channels. Jobs of the administrator's, and the rare ones, are
 * asked and waited for: some 60 us, at most OPENER_WAIT_MS. Guests that join are
 * told of later (opener_join.h): they must neither wait for each other nor have
 * anybody else wait for them.
 *
 * All functions but opener_start() accept NULL, and then do the job themselves:
 * before the switch runs it still can. sw_opener() is who to ask. If the opener
 * has ended, they return -ENOTCONN with a line that says so; it is logged once,
 * and what needs no opener goes on.
 */
#ifndef OPENER_H
#define OPENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "endpoint.h"
#include "limits.h"

/* A directory's name: an endpoint's behind our own. */
enum { OPENER_MADE_BYTES = SOCKET_PATH_BYTES + 4096 };

struct filter_record;
struct opener;
struct options;
struct privilege;
struct socket_file;
struct tap_state;

/*
 * Fork it; the child has its own copy of @o, keeps no descriptor but its channels
 * and standard error, and goes to the stage that privilege.h has for it. To be
 * called before there is a ring. Returns 0, or -errno with a line in @why.
 */
int opener_start(struct opener **opener, const struct options *o,
		 const struct privilege *privilege, char *why,
		 size_t why_bytes);

/* Wait until it has done what it was given, and has ended. NULL is accepted. */
void opener_stop(struct opener *op);

/* Its process; 0 for NULL. */
pid_t opener_pid(const struct opener *op);

/*
 * Listen as @e says: uml, vde, bess or stream. @file is then open, and @made
 * the directory that was made for it, or "". Sockets that a killed switch has
 * left beside it are removed. Returns 0, or -errno with a line in @why.
 */
int opener_listen(struct opener *op, const struct endpoint *e,
		  struct socket_file *file, char made[OPENER_MADE_BYTES],
		  char *why, size_t why_bytes);

/*
 * Close @file, whose descriptor must no longer be used by the ring, and remove
 * what it is called, if it is still ours. A file without path is only closed.
 */
void opener_close_file(struct opener *op, struct socket_file *file);

/* Remove directory @path if it is empty. Returns 0 or -errno. */
int opener_remove_directory(struct opener *op, const char *path);

/*
 * Remove @path if it is a socket that is called as data sockets are, a number,
 * a dot and a number at its end. Nobody waits for that; it is done before the
 * next guest joins.
 */
void opener_remove_data_file(struct opener *op, const char *path);

/*
 * What had been made for the switch to be in goes: its pid file, and its
 * directory, if that is empty. As the options say that it was made before
 * opener_start(); NULL does nothing.
 */
void opener_remove_place(struct opener *op);

/*
 * Connect as @e says: connect-stream or connect-bess. Returns a descriptor, the
 * caller's, or -errno; -EAGAIN if its server does not accept now.
 */
int opener_connect(struct opener *op, const struct endpoint *e);

/*
 * The two descriptors of a dgram port: @file, and @watch_fd (inotify) on the
 * directory of the other side's. Returns 0, or -errno with a line in @why, and
 * nothing is open.
 */
int opener_dgram(struct opener *op, const struct endpoint *e,
		 struct socket_file *file, int *watch_fd, char *why,
		 size_t why_bytes);

/*
 * Look for the other side of the dgram port of @e: have @watch_fd (-1: nobody)
 * watch its directory, and if that is there, or @anyway, connect @fd to it or
 * else to nobody. Returns 0 or -errno of the latter; of the former *@unwatched.
 */
int opener_dgram_look(struct opener *op, const struct endpoint *e, int fd,
		      int watch_fd, bool anyway, int *unwatched);

/*
 * tap_give() of tap_give.h for the tap that @e names, with its filters and MTU:
 * a descriptor, the caller's as are those in @filter, or -errno with a line in
 * @why. @again: @filter is the one that it had, whose descriptors stay the
 * caller's.
 */
int opener_tap(struct opener *op, const struct endpoint *e, bool again,
	       struct tap_state *state, struct filter_record *filter, char *why,
	       size_t why_bytes);

/* tap_give_bare() of it: what is attached to the device itself goes. */
void opener_tap_bare(struct opener *op, int tap_fd);

/*
 * A descriptor to read the rule file @path from, which must be one of those that
 * the options name; or -errno with a line in @why.
 */
int opener_rules(struct opener *op, const char *path, char *why,
		 size_t why_bytes);

/* As endpoint_parse(): the names of groups are in files. */
int opener_parse(struct opener *op, enum endpoint_role role, const char *text,
		 struct endpoint *e, char *why, size_t why_bytes);

/*
 * Have @text, a tcpdump expression, compiled: that may have to wait for the
 * network, so it is done by a child of the opener. Returns a descriptor that is
 * readable when there is one message of expression_job.h, or its end; or -errno.
 */
int opener_compile(struct opener *op, const char *text);

#endif

#include "options_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tap/filter_expression.h"
#include "activation.h"
#include "kept.h"
#include "log.h"
#include "loop.h"
#include "metrics_options.h"
#include "options.h"
#include "run_directory.h"
#include "version.h"

/* A daemon goes to "/", and connects to some again later. */
static int make_absolute(struct options *o, char *why, size_t why_bytes)
{
	char cwd[4096], wanted[256];

	if (!o->daemon || !getcwd(cwd, sizeof(cwd)))
		return 0;
	for (unsigned i = 0; i < o->port_count; i++) {
		struct endpoint *e = &o->ports[i];

		if (!endpoint_make_absolute(e, cwd, wanted, sizeof(wanted)))
			continue;
		snprintf(why, why_bytes, "--port %s:%s: must be %s",
			 endpoint_kinds[e->kind], e->argument, wanted);
		return -EINVAL;
	}
	return 0;
}

static int check_descriptor(const struct endpoint *e, int ready_fd, char *why,
			    size_t why_bytes)
{
	int fd = atoi(e->argument);

	if (e->kind != LISTEN_FD && e->kind != PORT_FD)
		return 0;
	if (fcntl(fd, F_GETFD) >= 0 && fd != ready_fd) {
		if (fd < LOOP_FILES_MAX)
			return 0;
		snprintf(why, why_bytes, "--%s fd:%d: must be below %d",
			 e->kind == LISTEN_FD ? "listen" : "port", fd,
			 LOOP_FILES_MAX);
		return -EBADF;
	}
	snprintf(why, why_bytes, "--%s fd:%d: %s",
		 e->kind == LISTEN_FD ? "listen" : "port", fd,
		 fd == ready_fd ? "is what --ready-fd names"
				: "is not open: was it inherited?");
	return -EBADF;
}

static int check_metrics(const struct options *o, char *why, size_t why_bytes)
{
	struct metrics_options where;
	char wanted[512];

	if (!o->metrics ||
	    !metrics_options_parse(o->metrics, &where, wanted, sizeof(wanted)))
		return 0;
	snprintf(why, why_bytes, "%s", wanted);
	return -EINVAL;
}

/* What the command line alone shows to be wrong. */
static int check_expressions(const struct options *o, char *why,
			     size_t why_bytes)
{
	for (unsigned i = 0; i < o->port_count; i++) {
		const struct endpoint *e = &o->ports[i];
		struct filter_expression *compiled;
		char reason[256];

		if (!*e->accept_to_guests)
			continue;
		compiled = filter_expression_new(e->accept_to_guests, reason,
						 sizeof(reason));
		if (!compiled) {
			snprintf(why, why_bytes,
				 "tap %s: accept-to-guests '%s': %s (see pcap-filter(7))",
				 e->argument, e->accept_to_guests, reason);
			return -EINVAL;
		}
		filter_expression_free(compiled);
	}
	return 0;
}

/* Before we open anything ourselves, which would get their numbers. */
static int check_descriptors(const struct options *o, char *why,
			     size_t why_bytes)
{
	int err = 0;

	for (unsigned i = 0; !err && i < o->listener_count; i++)
		err = check_descriptor(&o->listeners[i], o->ready_fd, why,
				       why_bytes);
	for (unsigned i = 0; !err && i < o->port_count; i++)
		err = check_descriptor(&o->ports[i], o->ready_fd, why,
				       why_bytes);
	return err;
}

/* What a keeper has checked for all switches that it starts. Addresses may have
 * to be looked up for it, for which guests are not to wait. */
static int check(const struct options *o, char *why, size_t why_bytes)
{
	int err = check_metrics(o, why, why_bytes);

	if (!err)
		err = check_descriptors(o, why, why_bytes);
	return err ? err : check_expressions(o, why, why_bytes);
}

static int find_directory(struct options *o, char *why, size_t why_bytes)
{
	static char directory[SOCKET_PATH_BYTES - sizeof("/control")];

	if (!o->name)
		return 0;
	o->directory = directory;
	return run_directory(o->name, directory, sizeof(directory), why,
			     why_bytes);
}

int options_read(struct options *o, int argc, char *argv[], const char *program)
{
	char why[2048];

	if (options_parse(argc, argv, o, why, sizeof(why))) {
		log_error("%s", why);
		return 2;
	}
	if (o->help) {
		options_help(stdout, program);
		return 0;
	}
	if (o->version) {
		printf("ringswitch %s\n", version_text);
		return 0;
	}
	if (activation_read(o, why, sizeof(why)) ||
	    find_directory(o, why, sizeof(why)) ||
	    options_complete(o, o->directory, why, sizeof(why)) ||
	    (!kept_is_by_keeper() && check(o, why, sizeof(why))) ||
	    make_absolute(o, why, sizeof(why))) {
		log_error("%s", why);
		return 2;
	}
	if (!kept_is_by_keeper() && o->ready_fd >= 0 &&
	    fcntl(o->ready_fd, F_GETFD) < 0) {
		log_error("--ready-fd '%d': must be an open descriptor",
			  o->ready_fd);
		return 2;
	}
	return -1;
}

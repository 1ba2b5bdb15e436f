#include "ringtap_tunctl.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ringtap_device.h"

static const char usage_text[] =
	"Create: %s [-b] [-u owner] [-g group] [-t device-name] [-f tun-clone-device]\n"
	"Delete: %s -d device-name [-f tun-clone-device]\n"
	"\n"
	"The default tun clone device is /dev/net/tun - some systems use\n"
	"/dev/misc/net/tun instead\n"
	"\n"
	"-b will result in brief output (just the device name)\n";

static const char *const step_names[] = {
	[DEVICE_ATTACH] = "TUNSETIFF",
	[DEVICE_OWNER] = "TUNSETOWNER",
	[DEVICE_GROUP] = "TUNSETGROUP",
	[DEVICE_PERSIST] = "TUNSETPERSIST",
};

struct words {
	struct device_plan plan;
	const char *make, *delete; /* names; NULL: not said */
	bool brief;
};

static int usage(const char *program)
{
	fprintf(stderr, usage_text, program, program);
	return 1;
}

/* strtol()'s numbers, 0x10 and 010 among them; -1 for what is none. */
static int64_t read_id(const char *text)
{
	char *end;
	long long id;

	errno = 0;
	id = strtoll(text, &end, 0);
	if (errno || end == text || *end || id < 0 || id >= UINT32_MAX)
		return -1;
	return id;
}

static bool read_user(struct words *w, const char *text)
{
	const struct passwd *user = getpwnam(text);

	w->plan.uid = user ? user->pw_uid : read_id(text);
	if (w->plan.uid < 0)
		fprintf(stderr, "'%s' is neither a username nor a numeric uid.\n",
			text);
	return w->plan.uid >= 0;
}

static bool read_group(struct words *w, const char *text)
{
	const struct group *group = getgrnam(text);

	w->plan.gid = group ? group->gr_gid : read_id(text);
	if (w->plan.gid < 0)
		fprintf(stderr,
			"'%s' is neither a groupname nor a numeric group.\n",
			text);
	return w->plan.gid >= 0;
}

static bool read_name(struct words *w, const char *text)
{
	if (strlen(text) < sizeof(w->plan.name))
		return true;
	fprintf(stderr, "'%s' is too long for a device name: %zu characters at most.\n",
		text, sizeof(w->plan.name) - 1);
	return false;
}

static bool read_option(struct words *w, int option)
{
	switch (option) {
	case 'b':
		w->brief = true;
		return true;
	case 'd':
		w->delete = optarg;
		return read_name(w, optarg);
	case 't':
		w->make = optarg;
		return read_name(w, optarg);
	case 'f':
		w->plan.clone = optarg;
		return true;
	case 'u':
		return read_user(w, optarg);
	case 'g':
		return read_group(w, optarg);
	default:
		return false;
	}
}

static int complain(const struct words *w, enum device_step failed, int err)
{
	if (failed == DEVICE_OPEN)
		fprintf(stderr, "Failed to open '%s' : %s\n", w->plan.clone,
			strerror(-err));
	else
		fprintf(stderr, "%s: %s\n", step_names[failed], strerror(-err));
	return 1;
}

static int let_go(struct words *w)
{
	enum device_step failed;
	int err = device_let_go(w->plan.clone, w->plan.name, false, &failed);

	if (err)
		return complain(w, failed, err);
	printf("Set '%s' nonpersistent\n", w->plan.name);
	return 0;
}

static int keep(struct words *w)
{
	enum device_step failed;
	int err;

	if (w->plan.uid < 0 && w->plan.gid < 0)
		w->plan.uid = geteuid();
	err = device_keep(&w->plan, &failed);
	if (err)
		return complain(w, failed, err);
	if (w->brief) {
		puts(w->plan.name);
		return 0;
	}
	printf("Set '%s' persistent and owned by", w->plan.name);
	if (w->plan.uid >= 0)
		printf(" uid %lld", (long long)w->plan.uid);
	if (w->plan.gid >= 0)
		printf(" gid %lld", (long long)w->plan.gid);
	puts("");
	return 0;
}

int tunctl_main(int argc, char *argv[])
{
	struct words w = { .plan = { .clone = DEVICE_CLONE,
				     .uid = -1,
				     .gid = -1 } };
	const char *name;
	int option;

	while ((option = getopt(argc, argv, "bd:f:t:u:g:")) > 0)
		if (!read_option(&w, option))
			return usage(argv[0]);
	if (optind < argc)
		return usage(argv[0]);
	/* The last word would win, and the wrong device would go. */
	if (w.delete && w.make && strcmp(w.delete, w.make)) {
		fprintf(stderr, "-d '%s' and -t '%s' are two devices.\n",
			w.delete, w.make);
		return usage(argv[0]);
	}
	name = w.delete ? w.delete : w.make ? w.make : "";
	snprintf(w.plan.name, sizeof(w.plan.name), "%s", name);
	return w.delete ? let_go(&w) : keep(&w);
}
